"""Batches shared among the processes that train together."""

from collections.abc import Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

Made = TypeVar("Made", covariant=True)


class Parted(Protocol[Made]):
    """Batches that can be made in parts."""

    def __len__(self) -> int:
        """Return how many batches a pass has."""
        ...

    def order(self) -> Iterable[Any]:
        """Return what each batch of one pass is made of."""
        ...

    def part_of(self, chosen: Any, part: slice) -> Made | None:
        """Return some rows of the batch made of `chosen`, None where they are none.

        What is drawn at random is drawn for all rows of the batch, so that every process draws
        the same.
        """
        ...


class Share(Generic[Made]):
    """One process's share of batches: of each, every `world`-th row; None where that is none.

    Args:
        batches: those of all processes, in the same order in each.
        rank: this process's number, from 0.
        world: how many processes there are.
    """

    def __init__(self, batches: Parted[Made], rank: int, world: int) -> None:
        self._batches = batches
        self._part = slice(rank, None, world)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Made | None]:
        for chosen in self._batches.order():
            yield self._batches.part_of(chosen, self._part)
