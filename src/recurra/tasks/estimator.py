"""What the estimators share: parameters, devices, random numbers, training, saving."""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from recurra.errors import ArgumentError, ModelFileError, NotFittedError
from recurra.gradients.clip import check_band
from recurra.tasks.parameters import Parameters
from recurra.tasks.storage import Saved, read_model, write_model
from recurra.training import Callback, History, Trainer, warmup_cosine
from recurra.training.loop import Batches, Loss
from recurra.training.progress import TerminalProgress

# Parameters of a run, not of the model: they are not saved.
_RUN_ONLY = ("callbacks", "device", "progress")


class SequenceEstimator(Parameters, ABC):
    """The base of the estimators; each parameter keeps the value it was given."""

    cell: str | type[nn.Module]
    num_layers: int
    clip: tuple[float, float] | None
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int | None
    device: str | torch.device
    random_state: Any
    progress: bool
    callbacks: Sequence[Callback] | None

    network_: nn.Module
    history_: History

    @property
    def parameter_count_(self) -> int:
        """How many numbers the network learns."""
        self._check_fitted()
        return sum(p.numel() for p in self.network_.parameters())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to the folder `path` and return its absolute path.

        The folder holds safetensors and JSON, and appears whole or not at all; an earlier model
        there is replaced. A cell of the user's own is saved by the name of its class.
        Raises `ModelFileError` when something else is at `path`, `ArgumentError` when a parameter
        cannot be written down (a function, say).
        """
        self._check_fitted()
        parameters = {k: v for k, v in self.get_params(deep=False).items() if k not in _RUN_ONLY}
        if isinstance(self.cell, type):
            parameters["cell"] = {"class": self.cell.__name__}
        for name, value in parameters.items():
            parameters[name] = _plain(name, value)
        return write_model(
            path,
            task=type(self).__name__,
            parameters=parameters,
            fitted=self._fitted_record(),
            tensors=self.network_.state_dict(),
            history=self.history_.to_dict(),
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, cell: type[nn.Module] | None = None) -> Self:
        """Return the estimator saved at `path`; `recurra.load` does this for any task."""
        saved = read_model(path)
        if saved.config.task != cls.__name__:
            raise ModelFileError(f"{path}: holds a {saved.config.task}, not a {cls.__name__}.")
        return cls.restore(saved, cell)

    @classmethod
    def restore(cls, saved: Saved, cell: type[nn.Module] | None = None) -> Self:
        """Build the estimator of a folder that was read; raises `ModelFileError`."""
        parameters = dict(saved.config.parameters)
        named = parameters.get("cell")
        if isinstance(named, dict):
            if cell is None or cell.__name__ != named.get("class"):
                raise ModelFileError(
                    f"{saved.path}: its cell is the class {named.get('class')!r} of its author's "
                    "own: pass that class as cell= ."
                )
            parameters["cell"] = cell
        if isinstance(parameters.get("clip"), list):
            parameters["clip"] = tuple(parameters["clip"])
        try:
            estimator = cls(**parameters)
            estimator._take_fitted(saved.config.fitted)
            # On the meta device a network takes no memory, however large the file says it is.
            with torch.device("meta"):
                estimator.network_ = estimator._build()
            estimator.history_ = History.from_dict(saved.history)
        except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
            raise ModelFileError(f"{saved.path}: damaged, {error}") from None
        _check_tensors(saved, estimator.network_.state_dict())
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

    def _train(self, train: Batches, valid: Batches | None, loss: Loss, unit: str) -> None:
        """Train `network_` and keep the record."""
        optimizer = torch.optim.AdamW(
            self.network_.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        callbacks = list(self.callbacks or ())
        if self.progress:
            callbacks.append(TerminalProgress(unit))
        trainer = Trainer(
            self.network_,
            loss,
            optimizer,
            schedule=warmup_cosine(optimizer, self.epochs * len(train)),
            clip=self.clip,
            patience=self.patience,
            callbacks=callbacks,
        )
        self.history_ = trainer.fit(train, valid, epochs=self.epochs)
        self.network_.eval()

    def _target_device(self) -> torch.device:
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            return torch.device(self.device)
        except RuntimeError as error:
            raise ArgumentError(f"device={self.device!r} is not known: {error}") from None

    def _network_device(self) -> torch.device:
        return next(self.network_.parameters()).device

    def _seed(self) -> int:
        """Return a seed for torch: the number given, or one drawn from what was given."""
        given = self.random_state
        if given is None:
            return int(torch.randint(2**31, ()))
        if isinstance(given, np.random.Generator):
            return int(given.integers(2**31))
        if isinstance(given, np.random.RandomState):
            return int(given.randint(2**31 - 1))
        if isinstance(given, int | np.integer) and not isinstance(given, bool):
            return int(given) % 2**63
        raise ArgumentError(f"random_state must be a whole number or None, got {given!r}.")

    def _check_fitted(self) -> None:
        if not hasattr(self, "network_"):
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet: call fit first.")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with torch's random numbers from `seed`, and leave them as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _check_tensors(saved: Saved, wanted: Mapping[str, Tensor]) -> None:
    for name in sorted(wanted.keys() | saved.tensors.keys()):
        if name not in saved.tensors or name not in wanted:
            what = "is missing" if name in wanted else "does not belong to the model"
            raise ModelFileError(f"{saved.path}: damaged, the tensor {name} {what}.")
        have, want = saved.tensors[name], wanted[name]
        if have.shape != want.shape or have.dtype != want.dtype:
            raise ModelFileError(
                f"{saved.path}: damaged, the tensor {name} is {have.dtype} of "
                f"{tuple(have.shape)}, not {want.dtype} of {tuple(want.shape)}."
            )


def _plain(name: str, value: Any) -> Any:
    """Return `value` as JSON gives it back."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [_plain(name, v) for v in value]
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {k: _plain(name, v) for k, v in value.items()}
    if name == "random_state":  # a generator in some state: not needed to use the model
        return None
    raise ArgumentError(
        f"{name}={value!r} cannot be saved: only numbers, text, lists and dicts can. "
        "An activation can be given by name; a cell as a class of your own."
    )


def check_parameters(
    estimator: SequenceEstimator,
    *,
    at_least_1: Sequence[str],
    above_0: Sequence[str],
    fractions: Sequence[str],
) -> None:
    """Raise `ArgumentError` unless the named parameters lie where they must; `clip` too."""
    rules: list[tuple[Sequence[str], Callable[[Any], bool], str]] = [
        (at_least_1, lambda v: isinstance(v, int) and v >= 1, "a whole number of at least 1"),
        (above_0, lambda v: v > 0 and math.isfinite(v), "a number above 0"),
        (fractions, lambda v: 0 <= v < 1, "at least 0 and below 1"),
    ]
    for names, is_right, wanted in rules:
        for name in names:
            value = getattr(estimator, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and is_right(value)):
                raise ArgumentError(f"{name} must be {wanted}, got {value!r}.")
    if estimator.clip is not None:
        check_band(*estimator.clip)
