"""A folder of checkpoints: when one is written, which are kept, which is read."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from recurra.durable import remove_unfinished, replace_file
from recurra.errors import ArgumentError, ModelFileError, RecurraWarning
from recurra.training.checkpoint import DamagedError, pack, unpack
from recurra.training.fingerprint import check_settings, run_settings
from recurra.training.lock import FolderLock
from recurra.training.randomness import random_states
from recurra.training.shared_state import broadcast_state, load_shared, shared_state

if TYPE_CHECKING:
    from recurra.training.batches import Batches
    from recurra.training.loop import Trainer

_START, _END = "step-", ".safetensors"


@dataclass(frozen=True)
class Checkpoints:
    """Where and when a training run is saved, so that it can be resumed to the same bits.

    A checkpoint holds weights, the best so far, optimiser, schedule, random numbers, the place in
    the epoch, the carried state, the record and the settings; safetensors and JSON, no pickle.
    One is written whenever so many steps, minutes or epochs have passed since the last, and at the
    end of training.

    Args:
        folder: made where it is not there; one run at a time may use it.
        every_steps: optimiser steps between two, or None.
        every_minutes: minutes between two, or None; looked at after each step.
        every_epochs: epochs between two, or None.
        keep: how many of the newest stay.

    Raises `ArgumentError` for numbers that cannot be used.
    """

    folder: str | os.PathLike[str]
    every_steps: int | None = None
    every_minutes: float | None = 10.0
    every_epochs: int | None = 1
    keep: int = 3

    def __post_init__(self) -> None:
        for name in ("every_steps", "every_epochs", "keep"):
            value = getattr(self, name)
            if (value is None and name != "keep") or (type(value) is int and value >= 1):
                continue
            what = "a whole number of at least 1" + (", or None" if name != "keep" else "")
            raise ArgumentError(f"{name} must be {what}, got {value!r}.")
        minutes = self.every_minutes
        if minutes is not None and not (isinstance(minutes, int | float) and minutes > 0):
            raise ArgumentError(f"every_minutes must be above 0, or None, got {minutes!r}.")

    def files(self) -> list[Path]:
        """Return the checkpoints there are, the oldest first."""
        return sorted(Path(self.folder).absolute().glob(f"{_START}*{_END}"))

    def newest(self) -> dict[str, Any] | None:
        """Return the newest state that is whole, None where there is no checkpoint.

        One that is damaged is passed over with a `RecurraWarning`. Raises `ModelFileError` if all
        are, or if one is of a newer version.
        """
        files = self.files()
        for file in reversed(files):
            try:
                return unpack(file.read_bytes(), file)
            except DamagedError as error:
                said = str(error)
            except OSError as error:
                said = f"{file}: cannot be read, {error.strerror}."
            if file == files[0]:
                raise ModelFileError(f"{said} There is no older checkpoint that is whole.")
            warnings.warn(f"{said} The one before is used.", RecurraWarning, stacklevel=2)
        return None

    def write(self, state: Mapping[str, Any], step: int) -> Path:
        """Write the state after `step` steps, then remove all but the newest `keep`.

        What was written for a later step is removed, too: it was passed over as damaged. Raises
        `OSError` where it cannot be written; the earlier ones are then as they were.
        """
        folder = Path(self.folder).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{_START}{step:012}{_END}"
        replace_file(file, pack(dict(state)))
        files = self.files()
        upto = files.index(file) + 1
        for other in [*files[: max(0, upto - self.keep)], *files[upto:]]:
            other.unlink(missing_ok=True)
        return file


class Keeper:
    """Saves one run of a trainer, and keeps its folder for it, while the block runs.

    Of several processes each has one, and the first one's alone reads and writes.

    Entering raises `ArgumentError` where another run has the folder.
    """

    def __init__(self, checkpoints: Checkpoints, trainer: Trainer) -> None:
        self._checkpoints, self._trainer = checkpoints, trainer
        self._open = ExitStack()
        self._saved = -1, -1  # the steps and epochs of the last checkpoint
        self._when = time.monotonic()

    def __enter__(self) -> Self:
        if not self._trainer.processes.first:
            return self
        folder = Path(self._checkpoints.folder).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        self._open.enter_context(FolderLock(folder))
        remove_unfinished(folder)
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def begin(self, train: Batches, valid: Batches | None, mine: Batches, *, resume: bool) -> None:
        """Put the trainer where the newest checkpoint was, if it is to resume and there is one.

        Args:
            train, valid: the batches of all processes.
            mine: this process's share of `train`.
            resume: whether to resume.

        Raises `ArgumentError` if the run had other settings, or if there are checkpoints and it is
        not to resume.
        """
        state = self._newest(resume)
        begin = random_states(train) if state is None else state["begin"]
        settings = run_settings(self._trainer, train, valid, begin)
        if state is not None:
            where = str(Path(self._checkpoints.folder).absolute())
            check_settings(state["settings"], settings, where)
            load_shared(self._trainer, state)
            self._note()
        self._mine = mine
        self._about = {"settings": settings, "begin": begin}

    def is_time(self) -> bool:
        """Return whether as many minutes are over as shall lie between two."""
        minutes = self._checkpoints.every_minutes
        return minutes is not None and (time.monotonic() - self._when) / 60 >= minutes

    def step_done(self, *, now: bool) -> None:
        """Save after a step if as many were made as shall lie between two, or in any case `now`."""
        steps = self._checkpoints.every_steps
        since = self._trainer.steps - max(0, self._saved[0])
        if now or (steps is not None and since >= steps):
            self.save()

    def epoch_done(self, *, last: bool) -> None:
        """Save if it is time to, or if it was the last epoch, after an epoch."""
        epochs = self._checkpoints.every_epochs
        since = len(self._trainer.history.epochs) - max(0, self._saved[1])
        if last or (epochs is not None and since >= epochs):
            self.save()

    def save(self) -> None:
        """Save the run as it is: the first process writes what it gathers from all."""
        state = shared_state(self._trainer, random_states(self._mine))
        if self._trainer.processes.first:
            self._checkpoints.write({**self._about, **state}, self._trainer.steps)
        self._note()

    def _newest(self, resume: bool) -> dict[str, Any] | None:
        """Return the state to go on from, which the first process reads for all, or None."""
        processes = self._trainer.processes
        state = None
        if processes.first:
            files = self._checkpoints.files()
            if files and not resume:
                raise ArgumentError(
                    f"{files[-1].parent}: holds the checkpoints of an earlier run: go on with it "
                    "(resume=True; --resume of the command), or give another folder."
                )
            state = self._checkpoints.newest()
        return state if processes.alone else broadcast_state(processes, state)

    def _note(self) -> None:
        self._saved = self._trainer.steps, len(self._trainer.history.epochs)
        self._when = time.monotonic()
