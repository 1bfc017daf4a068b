"""Progress of a training run, on the terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from recurra.training.callback import Callback

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from recurra.training.history import Epoch
    from recurra.training.loop import Trainer


class TerminalProgress(Callback):
    """A live bar on a terminal, a line an epoch elsewhere; all on the error stream.

    Shows the loss, the validation loss, the gradient norm and the time left. Of several processes
    the first one speaks.

    Args:
        unit: what the loss is measured in, for example "nats a character".
    """

    def __init__(self, unit: str = "") -> None:
        self.unit = unit
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._valid = ""
        self._losses: list[float] = []
        self._began = 0.0
        self._before = 0

    def on_train_begin(self, trainer: Trainer) -> None:
        """Start the bar."""
        self._began = time.monotonic()
        self._valid = ""
        self._before = len(trainer.history.epochs) - trainer.first  # made before it was resumed
        if not trainer.processes.first or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("loss {task.fields[loss]:.3f}{task.fields[valid]}"),
            TextColumn("|gradient| {task.fields[norm]:.2f}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=Console(stderr=True),
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task(
            "training",
            total=trainer.epochs * trainer.batches_per_epoch,
            completed=self._before * trainer.batches_per_epoch + trainer.place.batches,
            epoch=1,
            epochs=trainer.epochs,
            loss=0.0,
            valid="",
            norm=0.0,
        )

    def on_epoch_begin(self, trainer: Trainer, number: int) -> None:
        """Show which epoch it is."""
        self._losses = []
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, epoch=number)

    def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
        """Move the bar on."""
        if self._bar is None or self._task is None:
            return
        # The epoch's mean so far, because one batch's loss jumps about.
        self._losses.append(loss)
        mean = sum(self._losses) / len(self._losses)
        self._bar.update(self._task, advance=1, loss=mean, norm=gradient_norm, valid=self._valid)

    def on_epoch_end(self, trainer: Trainer, epoch: Epoch) -> None:
        """Write the epoch's line."""
        if not trainer.processes.first:
            return
        valid = "" if epoch.valid_loss is None else f", validation {epoch.valid_loss:.3f}"
        self._valid = valid
        line = (
            f"epoch {epoch.number}/{trainer.epochs}: loss {epoch.train_loss:.3f}{valid}"
            f"{f' {self.unit}' if self.unit else ''}, {epoch.seconds:.1f} s"
        )
        done = epoch.number - trainer.first
        each = (time.monotonic() - self._began) / max(1, done - self._before)
        left = each * (trainer.epochs - done)
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        elif left:
            print(f"{line}, about {left:.0f} s left", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def on_train_end(self, trainer: Trainer) -> None:
        """Take the bar down and say why training ended early, if it did."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = self._task = None
        best = trainer.history.best
        if best is not None and trainer.history.stopped != "epochs" and trainer.processes.first:
            why = {"patience": "no better validation loss", "interrupted": "interrupted"}
            print(
                f"stopped: {why[trainer.history.stopped]}; keeping epoch {best.number}",
                file=sys.stderr,
            )
