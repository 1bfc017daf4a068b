"""Training any module: the loop, its record, its callbacks, checkpoints, several processes."""

from recurra.training.callback import Callback
from recurra.training.checkpoints import Checkpoints
from recurra.training.history import Epoch, History
from recurra.training.loop import Trainer
from recurra.training.processes import LostProcessError, is_first
from recurra.training.schedule import make_schedule

__all__ = [
    "Callback",
    "Checkpoints",
    "Epoch",
    "History",
    "LostProcessError",
    "Trainer",
    "is_first",
    "make_schedule",
]
