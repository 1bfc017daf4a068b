"""What the estimators share: parameters, devices, random numbers, training."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from recurra.errors import ArgumentError
from recurra.gradients.clip import check_band
from recurra.layers import Recurrent
from recurra.tasks.parameters import check_checkpoint, check_numbers
from recurra.tasks.saving.config import About
from recurra.tasks.saving.restoring import RUN_ONLY
from recurra.tasks.saving.savable import Savable
from recurra.training import Callback, Checkpoints, Trainer, make_schedule
from recurra.training.loop import Batches, Loss
from recurra.training.precision import check_precision
from recurra.training.processes import join, local_device
from recurra.training.progress import TerminalProgress

if TYPE_CHECKING:
    from recurra.tasks.streaming import TaskStream


@dataclass(eq=False, repr=False)
class SequenceEstimator(Savable):
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
        precision: what the loss is computed in while training: "float32", or "bfloat16" by
            autocast, the weights staying float32.
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
    precision: str = "float32"
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

    def stream(self, condition: Any = None) -> "TaskStream":
        """Return a stream: `push` what comes in, and read what is predicted from it so far.

        `condition` is the label of a generator that has labels. Raises `ArgumentError` where the
        whole input is needed before there is an answer: in both directions, for a translation.
        """
        from recurra.tasks.streaming import open_stream

        return open_stream(self, condition)

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
        self.about_ = About(unit=unit)
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
            precision=self.precision,
        )

    def _training_batch(self, examples: int) -> int:
        # In a batch of one its weight would not count.
        return min(self.batch_size, max(4, math.ceil(examples / 20)))

    def _train(
        self, train: Batches, valid: Batches | None, loss: Loss, unit: str, *, carry: bool = False
    ) -> None:
        """Train `network_`, with `carry` on the pieces of an endless sequence; keep the record."""
        trainer = self._trainer(loss, self.epochs * len(train), unit)
        trainer.carry = carry
        place = self.checkpoint
        trainer.checkpoints = Checkpoints(place) if isinstance(place, str | os.PathLike) else place
        given = self.get_params(deep=False)
        trainer.settings = {name: v for name, v in given.items() if name not in RUN_ONLY}
        self.history_ = trainer.fit(train, valid, epochs=self.epochs, resume=self.resume)
        self.network_.eval()
        held_out = 0 if valid is None else getattr(valid, "rows", None)
        counts = {"examples": getattr(train, "rows", None), "validation": held_out}
        self.about_ = self.about_.model_copy(update=counts)

    def _keep_features(self, columns: int | None) -> None:
        """Keep scikit-learn's `n_features_in_`; of inputs that are no table there is none."""
        self.__dict__.pop("n_features_in_", None)
        if columns is not None:
            self.n_features_in_ = columns

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
        check_precision(self.precision)
        check_checkpoint(self.checkpoint, self.resume, self.random_state)

    def _target_device(self) -> torch.device:
        if self.device == "auto":
            return local_device(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
        try:
            return local_device(torch.device(self.device))
        except RuntimeError as error:
            raise ArgumentError(f"device={self.device!r} is not known: {error}") from None

    def _network_device(self) -> torch.device:
        return next(self.network_.parameters()).device

    def _seed(self) -> int:
        """Return a seed for torch: the number given, or one drawn from what was given.

        What is drawn is the same in all processes that train together.
        """
        given = self.random_state
        if isinstance(given, int | np.integer) and not isinstance(given, bool):
            return int(given) % 2**63
        if given is None:
            return int(join().broadcast_(torch.randint(2**31, ())))
        if isinstance(given, np.random.Generator):
            return int(join().broadcast_(torch.tensor(given.integers(2**31))))
        if isinstance(given, np.random.RandomState):
            return int(join().broadcast_(torch.tensor(given.randint(2**31 - 1))))
        raise ArgumentError(f"random_state must be a whole number or None, got {given!r}.")


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Run a block with torch's random numbers from `seed`, and leave them as they were.

    They are those of the processor and of `device`; no other is touched.
    """
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        yield
