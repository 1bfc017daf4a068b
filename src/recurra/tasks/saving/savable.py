"""An estimator that can be saved and loaded."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pydantic
import torch
from torch import nn

from recurra.errors import ModelFileError
from recurra.tasks.parameters import Parameters, not_fitted
from recurra.tasks.saving.config import About, first_fault
from recurra.tasks.saving.files import shown
from recurra.tasks.saving.folder import Saved, read_model, write_model
from recurra.tasks.saving.restoring import (
    UNFIT,
    at_most_parameters,
    check_tensors,
    given_about,
    given_history,
    given_parameters,
    plain_parameters,
)
from recurra.training.history import History


class Savable(Parameters, ABC):
    """Parameters, and what `fit` learned: network_, history_, and about_, what it learned from."""

    network_: nn.Module
    history_: History
    about_: About

    def save(self, path: str | os.PathLike[str], *, about: Mapping[str, Any] | None = None) -> Path:
        """Write the model to the folder `path` and return its absolute path.

        The folder holds safetensors, JSON and a model card, and appears whole or not at all; an
        earlier model there is replaced. A cell of the user's own is saved by the name of its class.

        Args:
            path: the folder.
            about: what is to be known of how the model came to be, by the names of `About`'s
                fields (`data`, say); it stays with the model as `about_`.

        Raises `ModelFileError` when something else is at `path`, `ArgumentError` when a parameter
        cannot be written down (a function, say), `OSError` when the disk refuses.
        """
        from recurra.tasks.saving.card import write_card

        self._check_fitted()
        self.about_ = given_about(self.about_, about or {})
        return write_model(
            path,
            task=type(self).__name__,
            parameters=plain_parameters(type(self), self.get_params(deep=False)),
            fitted=self._fitted_record(),
            about=self.about_,
            tensors=self.network_.state_dict(),
            history=self.history_.to_dict(),
            card=write_card(self, Path(path).absolute().name),
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, cell: type[nn.Module] | None = None) -> Self:
        """Return the estimator saved at `path`; `recurra.load` does this for any task."""
        saved = read_model(path)
        if saved.config.task != cls.__name__:
            task = shown(saved.config.task, 40)
            raise ModelFileError(f"{path}: holds a {task}, not a {cls.__name__}.")
        return cls.restore(saved, cell)

    @classmethod
    def restore(cls, saved: Saved, cell: type[nn.Module] | None = None) -> Self:
        """Build the estimator of a folder that was read; raises `ModelFileError`."""
        parameters = given_parameters(cls, saved, cell)
        try:
            estimator = cls(**parameters)
            estimator._check_parameters()
            estimator._take_fitted(saved.config.fitted)
            # On the meta device a network takes no memory, however large the file says it is.
            with torch.device("meta"), at_most_parameters(8 * len(saved.tensors) + 64):
                estimator.network_ = estimator._build()
        except pydantic.ValidationError as error:
            raise ModelFileError(f"{saved.path}: damaged, {first_fault(error)}.") from None
        except UNFIT as error:
            raise ModelFileError(f"{saved.path}: damaged, {shown(error)}") from None
        estimator.history_ = given_history(saved)
        estimator.about_ = saved.config.about
        check_tensors(saved, estimator.network_.state_dict())
        estimator.network_.load_state_dict(saved.tensors, assign=True)
        estimator.network_.eval()
        return estimator

    @abstractmethod
    def _build(self) -> nn.Module:
        """Build the network for what was fitted."""

    @abstractmethod
    def _fitted_record(self) -> dict[str, Any]:
        """Return what `fit` learned beside weights and history, as JSON can hold it."""

    @abstractmethod
    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        """Take over what `_fitted_record` returned, checked."""

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise `ArgumentError` unless the parameters can be used."""

    def _check_fitted(self) -> None:
        if not hasattr(self, "network_"):
            raise not_fitted(self)
