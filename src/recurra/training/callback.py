"""What may listen to a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra.training.history import Epoch
    from recurra.training.loop import Trainer


class Callback:
    """Listens to a training run; every method does nothing unless overridden.

    The names are those of Keras and skorch. A run that is resumed tells of its beginning again,
    and of that of the epoch it goes on with.
    """

    def on_train_begin(self, trainer: Trainer) -> None:
        """Run before the first epoch."""

    def on_epoch_begin(self, trainer: Trainer, number: int) -> None:
        """Run before epoch `number`, counted from 1."""

    def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
        """Run after each optimiser step: the batch's mean loss, the norm before clipping."""

    def on_epoch_end(self, trainer: Trainer, epoch: Epoch) -> None:
        """Run after each epoch, with its record."""

    def on_train_end(self, trainer: Trainer) -> None:
        """Run once training has ended, for whatever reason."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must keep of the callback: numbers, text, tensors."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, before the training that is resumed begins."""
