"""How the rows of a batch are dealt to the machine's slices."""

from dataclasses import dataclass

import torch
from torch import Tensor

MOST_ROWS = 64  # of a slice: more and a step's values leave the second-level cache


@dataclass(frozen=True)
class Rows:
    """The slices of a batch.

    bounds: slice s has the positions bounds[s] to bounds[s + 1] - 1.
    row_of, length_of: (B,), the batch's row at each position and its steps; None where positions
        are rows and every row has all steps. Steps do not grow within a slice.
    position_of: (B,), the positions by falling steps: the order in which gradients are summed,
        which does not depend on the slices.
    """

    bounds: tuple[int, ...]
    row_of: Tensor | None = None
    length_of: Tensor | None = None
    position_of: Tensor | None = None

    @property
    def most(self) -> int:
        """Return the rows of the largest slice."""
        return max(b - a for a, b in zip(self.bounds, self.bounds[1:], strict=False))


def deal(B: int, lengths: Tensor | None, threads: int) -> Rows:
    """Return slices of about equal work, at least one for each thread if there are enough rows."""
    slices = min(B, threads * -(-B // (threads * MOST_ROWS)))
    if lengths is None:
        return Rows(tuple(s * B // slices for s in range(slices + 1)))
    order = torch.argsort(lengths, descending=True, stable=True)
    rank = torch.arange(B)
    turn, seat = rank // slices, rank % slices
    slice_of = torch.where(turn % 2 == 0, seat, slices - 1 - seat)  # there and back: equal shares
    ranks = torch.argsort(slice_of, stable=True)
    position_of = torch.empty_like(ranks)
    position_of[ranks] = rank
    row_of = order[ranks]
    counts = torch.bincount(slice_of, minlength=slices)
    bounds = (0, *torch.cumsum(counts, 0).tolist())
    return Rows(bounds, row_of, lengths[row_of].contiguous(), position_of)
