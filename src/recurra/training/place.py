"""Where in a run the training is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurra.errors import DataError
from recurra.training.randomness import random_states, set_random_states

if TYPE_CHECKING:
    from recurra.training.batches import Batches


@dataclass
class Place:
    """How far the epoch under way has come.

    batches: how many are done; total, weight: their summed losses and weights; seconds: how long
    they took; drawn, now: the states of the random numbers when the epoch's order was drawn, and,
    in a run that was resumed, after those batches.
    """

    batches: int = 0
    total: float = 0.0
    weight: float = 0.0
    seconds: float = 0.0
    drawn: dict[str, Any] | None = None
    now: dict[str, Any] | None = None

    def restore(self, train: "Batches") -> None:
        """Put the random numbers where they were between two epochs, if it is there it resumes."""
        if self.now is not None and self.drawn is None:
            set_random_states(self.now, train)
            self.now = None

    def rest(self, train: "Batches", *, kept: bool) -> Iterator[Any]:
        """Return the epoch's batches that are not done, in the order drawn when it began.

        The done ones of a resumed epoch are drawn again and passed over; with `kept` it is noted
        where the random numbers stood. Raises `DataError` if there are fewer batches than that.
        """
        now, self.now = self.now, None
        if now is None or self.drawn is None:
            self.drawn = random_states(train) if kept else None
            return iter(train)
        set_random_states(self.drawn, train)
        batches = iter(train)
        for k in range(self.batches):
            if next(batches, self) is self:
                raise DataError(f"{self.batches} batches were trained on, and there are only {k}.")
        set_random_states(now, train)
        return batches
