"""Teacher forcing that follows a schedule as training goes on."""

from recurra.networks.decoder import AttentionDecoder
from recurra.networks.teacher_forcing import TeacherForcing
from recurra.training import Callback, Trainer


class FollowSchedule(Callback):
    """Sets before each step how often the decoder reads the true symbol.

    Args:
        schedule: how often, as training goes on.
        decoder: what is trained.
    """

    def __init__(self, schedule: TeacherForcing, decoder: AttentionDecoder) -> None:
        self._schedule, self._decoder = schedule, decoder

    def on_train_begin(self, trainer: Trainer) -> None:
        """Set it for the first step."""
        self._set(trainer)

    def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
        """Set it for the step that follows."""
        self._set(trainer)

    def _set(self, trainer: Trainer) -> None:
        steps = max(1, trainer.epochs * trainer.batches_per_epoch)
        self._decoder.ratio = self._schedule.ratio(min(1.0, trainer.steps / steps))
