"""Moves of features in loops of one stride each, as a few ops: slices, transposes and copies."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from recurra.program.program import Attribute

Positions = npt.NDArray[np.intp]
Loops = list[tuple[int, int]]  # (how often, how far apart), the outermost first


@dataclass
class Moves:
    """Ops in the order in which they are done: the name, how many features it gives, the rest."""

    size: int
    steps: list[tuple[str, int, dict[str, Attribute]]] = field(default_factory=list)

    def slice(self, start: int, stop: int) -> None:
        """Take start..stop, unless that is all."""
        if (start, stop) != (0, self.size):
            self.size = stop - start
            self.steps.append(("slice", self.size, {"start": start, "stop": stop}))

    def transpose(self, height: int, width: int, inner: int) -> None:
        """Swap two neighbouring axes, unless that changes nothing."""
        if height > 1 and width > 1:
            named = {"height": height, "width": width} | _inner(inner)
            self.steps.append(("transpose", self.size, named))

    def spread(self, times: int, inner: int) -> None:
        """Repeat every `inner` features."""
        self.size *= times
        self.steps.append(("spread", self.size, {"times": times} | _inner(inner)))


def _inner(inner: int) -> dict[str, Attribute]:
    return {} if inner == 1 else {"inner": inner}


def moves_to(flat: Positions, size: int) -> Moves | None:
    """Return how the features at `flat` come from a row of `size`, None where no loops give them.

    Features that are left out in the middle are taken if the loops that leave them out are two.
    """
    loops = loops_of(flat)
    if loops is None:
        return None
    moves, start = Moves(size), int(flat[0])
    order = [loop for loop in loops if loop[1]]
    if not _whole(moves, start, order) and not _strided(moves, start, order):
        return None
    inner = 1
    for k in reversed(range(len(loops))):
        times, stride = loops[k]
        if stride == 0:
            moves.spread(times, inner)
        inner *= times
    return moves


def loops_of(flat: Positions) -> Loops | None:
    """Return the loops that count out `flat`, None if there are none (or some count down)."""
    loops: Loops = []
    while flat.size > 1:
        apart = np.diff(flat)
        stride = int(apart[0])
        other = np.flatnonzero(apart != stride)
        times = int(other[0]) + 1 if len(other) else flat.size
        if stride < 0 or flat.size % times or times == 1:
            return None
        each = flat.reshape(-1, times)
        if (each - each[:, :1] != np.arange(times) * stride).any():
            return None
        loops.insert(0, (times, stride))
        flat = each[:, 0]
    return loops


def _whole(moves: Moves, start: int, order: Loops) -> bool:
    """Take a stretch of features and bring its axes in another order, if that is what it is."""
    natural = sorted(order, key=lambda loop: -loop[1])
    inner = 1
    for times, stride in reversed(natural):
        if stride != inner:
            return False
        inner *= times
    moves.slice(start, start + inner)
    there = list(natural)
    for k, wanted in enumerate(order):
        at = there.index(wanted)
        if at != k:
            height = math.prod(times for times, _ in there[k:at])
            after = math.prod(times for times, _ in there[at + 1 :])
            moves.transpose(height, wanted[0], after)
            there.insert(k, there.pop(at))
    return True


def _strided(moves: Moves, start: int, order: Loops) -> bool:
    """Take some columns of each of many rows: turn it, so that they lie together, and back."""
    if len(order) == 1:
        order = [*order, (1, 1)]
    (rows, width), (columns, stride) = order[0], order[-1]
    if len(order) != 2 or stride != 1 or columns > width:
        return False
    begin = max(0, min(start, moves.size - rows * width))
    first = start - begin
    if first + columns > width or begin + rows * width > moves.size:
        return False
    moves.slice(begin, begin + rows * width)
    moves.transpose(rows, width, 1)
    moves.slice(first * rows, (first + columns) * rows)
    moves.transpose(columns, rows, 1)
    return True
