"""Training any module: the loop, its record, its callbacks, its checkpoints."""

from recurra.training.callback import Callback
from recurra.training.checkpoints import Checkpoints
from recurra.training.history import Epoch, History
from recurra.training.loop import Trainer
from recurra.training.schedule import make_schedule

__all__ = ["Callback", "Checkpoints", "Epoch", "History", "Trainer", "make_schedule"]
