"""What a trainer is given: batches, and a loss of each."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

# (model, batch) -> the batch's summed loss, and how much it weighs (its symbols, say);
# with a state to carry (model, batch, state) -> those, and the state to go on from.
Loss = Callable[..., Any]


class Batches(Protocol):
    """Batches that can be gone through again and again.

    To be trained on in several processes they also need `share(rank, world)`: as many batches,
    each with some of the rows, or None where there are none.
    """

    def __len__(self) -> int:
        """Return how many batches a pass has."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Go through the batches once."""
        ...
