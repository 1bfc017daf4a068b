"""What the estimators share: parameters, devices, random numbers, training, saving."""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import nn

from recurra.errors import ArgumentError, ModelFileError
from recurra.gradients.clip import check_band
from recurra.layers import Recurrent
from recurra.tasks.parameters import Parameters, check_checkpoint, check_numbers, not_fitted
from recurra.tasks.restoring import RUN_ONLY, check_tensors, given_parameters, plain_parameters
from recurra.tasks.storage import Saved, read_model, write_model
from recurra.training import Callback, Checkpoints, History, Trainer, make_schedule
from recurra.training.loop import Batches, Loss
from recurra.training.progress import TerminalProgress

if TYPE_CHECKING:
    from recurra.tasks.streaming import TaskStream


class Fitted:
    """What every estimator has once it is fitted."""

    network_: nn.Module
    history_: History


@dataclass(eq=False, repr=False)
class SequenceEstimator(Parameters, Fitted, ABC):
    """The base of the estimators; each parameter keeps the value it was given.

    Args:
        cell: a name ("lstm", "gru", "elman", ...) or a class, as `recurra.Recurrent` takes it.
        hidden_size: H, the features of the recurrent state.
        num_layers: recurrent layers on top of one another.
        bidirectional: whether what is read is read in both directions.
        cell_options: a dict of options for the cell, or None.
        dropout: the probability of a feature's being zeroed, in training.
        truncate: how many steps back a gradient goes, or None for all.
        clip: the norm band (L, U) gradients are scaled into, or None.
        clip_by: whose norm that is: "total", "layer" or "parameter".
        epochs: passes over the training part, at most.
        batch_size: sequences a step, at most: an epoch of little data is twenty smaller steps.
        learning_rate: AdamW's at its peak.
        schedule: what becomes of it: "cosine", "linear" (both rise first, then fall) or
            "constant".
        weight_decay: AdamW's.
        validation_fraction: the share of distinct inputs held out to judge epochs by; 0 for
            none.
        patience: epochs without a better validation loss before training stops, or None.
        device: "auto" (a GPU if there is one), "cpu", "cuda", ...
        random_state: a number for the same model every time, or None.
        progress: whether to show progress on the error stream.
        callbacks: what listens to training, `recurra.training.Callback`s.
        checkpoint: a folder in which `fit` saves itself after each epoch and every ten minutes,
            `recurra.training.Checkpoints` for other times, or None; random_state must then be a
            whole number.
        resume: whether `fit` goes on from the newest checkpoint, if there is one; it ends with the
            bits it would have had without a break.
    """

    cell: str | type[nn.Module] = "lstm"
    hidden_size: int = 128
    num_layers: int = 1
    _: KW_ONLY
    bidirectional: bool = False
    cell_options: dict[str, Any] | None = None
    dropout: float | None = 0.15
    truncate: int | None = None
    clip: tuple[float, float] | None = (0.0, 1.0)
    clip_by: str = "total"
    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 3e-3
    schedule: str = "cosine"
    weight_decay: float = 0.1
    validation_fraction: float = 0.1
    patience: int | None = 3
    device: str | torch.device = "auto"
    random_state: Any = None
    progress: bool = False
    callbacks: Sequence[Callback] | None = None
    checkpoint: str | os.PathLike[str] | Checkpoints | None = None
    resume: bool = False

    @property
    def parameter_count_(self) -> int:
        """How many numbers the network learns."""
        self._check_fitted()
        return sum(p.numel() for p in self.network_.parameters())

    def summary(self) -> str:
        """Return the network's parts and how many numbers each learns, as text."""
        self._check_fitted()
        rows = [
            (name, type(part).__name__, sum(p.numel() for p in part.parameters()))
            for name, part in self.network_.named_modules()
            if name.count(".") < 2 and any(True for _ in part.parameters())
        ]
        title = (type(self).__name__, type(self.network_).__name__, self.parameter_count_)
        width = max(len(name) for name, *_ in rows)
        kind = max(len(kind) for _, kind, _ in [title, *rows])
        lines = [f"{n:{width}}  {k:{kind}}  {c:>12,}" for n, k, c in [title, *rows[1:]]]
        return "\n".join(lines)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to the folder `path` and return its absolute path.

        The folder holds safetensors and JSON, and appears whole or not at all; an earlier model
        there is replaced. A cell of the user's own is saved by the name of its class.
        Raises `ModelFileError` when something else is at `path`, `ArgumentError` when a parameter
        cannot be written down (a function, say).
        """
        self._check_fitted()
        return write_model(
            path,
            task=type(self).__name__,
            parameters=plain_parameters(self.get_params(deep=False)),
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
        parameters = given_parameters(saved, cell)
        try:
            estimator = cls(**parameters)
            estimator._check_parameters()
            estimator._take_fitted(saved.config.fitted)
            # On the meta device a network takes no memory, however large the file says it is.
            with torch.device("meta"):
                estimator.network_ = estimator._build()
            estimator.history_ = History.from_dict(saved.history)
        except (TypeError, ValueError, KeyError, AttributeError, RuntimeError) as error:
            raise ModelFileError(f"{saved.path}: damaged, {error}") from None
        check_tensors(saved, estimator.network_.state_dict())
        estimator.network_.load_state_dict(saved.tensors, assign=True)
        estimator.network_.eval()
        return estimator

    def stream(self, condition: Any = None) -> "TaskStream":
        """Return a stream: `push` what comes in, and read what is predicted from it so far.

        `condition` is the label of a generator that has labels. Raises `ArgumentError` where the
        whole input is needed before there is an answer: in both directions, for a translation.
        """
        from recurra.tasks.streaming import open_stream

        return open_stream(self, condition)

    @abstractmethod
    def _build(self) -> nn.Module:
        """Build the network for what was fitted."""

    @abstractmethod
    def _fitted_record(self) -> dict[str, Any]:
        """Return what `fit` learned beside weights and history, as JSON can hold it."""

    @abstractmethod
    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        """Take over what `_fitted_record` returned, checked."""

    def _recurrent(self, input_size: int, *, bidirectional: bool | None = None) -> Recurrent:
        """Return the recurrent layer that the parameters describe."""
        return Recurrent(
            self.cell,
            input_size,
            self.hidden_size,
            self.num_layers,
            bidirectional=self.bidirectional if bidirectional is None else bidirectional,
            dropout=self._dropout_rate() if self.num_layers > 1 else 0.0,
            truncate=self.truncate,
            **(self.cell_options or {}),
        )

    def _dropout_rate(self) -> float:
        """Return the probability of a feature's being zeroed: what was given, 0 for None."""
        return self.dropout or 0.0

    def _trainer(self, loss: Loss, steps: int | None, unit: str) -> Trainer:
        """Return what trains `network_`, in `steps` steps or, None, at one rate without end."""
        optimizer = torch.optim.AdamW(
            self.network_.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        return Trainer(
            self.network_,
            loss,
            optimizer,
            schedule=None if steps is None else make_schedule(self.schedule, optimizer, steps),
            clip=self.clip,
            clip_by=self.clip_by,
            patience=self.patience,
            callbacks=[*(self.callbacks or ()), *([TerminalProgress(unit)] * self.progress)],
        )

    def _training_batch(self, examples: int) -> int:
        # In a batch of one its weight would not count.
        return min(self.batch_size, max(4, math.ceil(examples / 20)))

    def _train(self, train: Batches, valid: Batches | None, loss: Loss, unit: str) -> None:
        """Train `network_` and keep the record."""
        trainer = self._trainer(loss, self.epochs * len(train), unit)
        place = self.checkpoint
        trainer.checkpoints = Checkpoints(place) if isinstance(place, str | os.PathLike) else place
        given = self.get_params(deep=False)
        trainer.settings = {name: v for name, v in given.items() if name not in RUN_ONLY}
        self.history_ = trainer.fit(train, valid, epochs=self.epochs, resume=self.resume)
        self.network_.eval()

    def _check_parameters(self) -> None:
        """Raise `ArgumentError` unless the parameters can be used."""
        check_numbers(
            self,
            at_least_1="hidden_size num_layers epochs batch_size",
            above_0="learning_rate",
            at_least_0="weight_decay",
            fractions="validation_fraction",
            fractions_or_none="dropout",
            at_least_1_or_none="patience truncate",
        )
        if self.clip is not None:
            check_band(*self.clip)
        check_checkpoint(self.checkpoint, self.resume, self.random_state)

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
            raise not_fitted(self)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with torch's random numbers from `seed`, and leave them as they were."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
