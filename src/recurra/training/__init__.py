"""Training any module: the loop, its record, its callbacks."""

from recurra.training.callback import Callback
from recurra.training.history import Epoch, History
from recurra.training.loop import Trainer
from recurra.training.schedule import make_schedule

__all__ = ["Callback", "Epoch", "History", "Trainer", "make_schedule"]
