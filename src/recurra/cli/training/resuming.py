"""The command's checkpoints: where they are, and how to go on from them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from recurra.cli.telling import say
from recurra.cli.training.options import Fitting
from recurra.errors import ArgumentError
from recurra.training import Callback, Checkpoints, Trainer


def checkpoints_of(fitting: Fitting) -> Checkpoints | None:
    """Return where and when a training is saved, None if it is not; raises `ArgumentError`."""
    given = {
        "resume": fitting.resume or None,
        "checkpoint-minutes": fitting.checkpoint_minutes,
        "checkpoint-steps": fitting.checkpoint_steps,
    }
    if fitting.checkpoint is None:
        for name, value in given.items():
            if value is not None:
                raise ArgumentError(f"--{name} needs --checkpoint FOLDER, where checkpoints are.")
        return None
    minutes, steps = fitting.checkpoint_minutes, fitting.checkpoint_steps
    if minutes is not None and not minutes > 0:
        raise ArgumentError(f"--checkpoint-minutes must be above 0, got {minutes:g}.")
    if steps is not None and steps < 1:
        raise ArgumentError(f"--checkpoint-steps must be at least 1, got {steps}.")
    kept = Checkpoints(fitting.checkpoint.absolute(), every_steps=steps)
    return kept if minutes is None else replace(kept, every_minutes=minutes)


def part_of(checkpoints: Any, part: str) -> Any:
    """Return the checkpoints of one of a command's trainings, in a folder of their own."""
    if checkpoints is None:
        return None
    return replace(checkpoints, folder=Path(checkpoints.folder) / part)


class SayHow(Callback):
    """Says how to go on with a training that Ctrl-C ended."""

    def on_train_end(self, trainer: Trainer) -> None:
        """Say it, if there is a checkpoint to go on from."""
        kept = trainer.checkpoints
        if trainer.history.stopped == "interrupted" and kept is not None and kept.files():
            say("interrupted and saved: the same command with --resume goes on where it was")
