"""The norms of a gradient flow as a grid of few enough cells to draw, in powers of ten."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from recurra.gradients import GradientFlow

Array = NDArray[np.float64]

_MOST_CELLS = 120  # along either side of a panel that stands alone
_DECADES = 50.0  # below the largest norm; what is smaller shares the lowest band
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
MOST_BANDS = 9


@dataclass(frozen=True)
class Grid:
    """The norms of one layer and direction.

    rows: (R + 1,), the edges of the cells over the loss times; columns: (C + 1,),
    over the steps; exponents: (R, C), log10 of the norms, -∞ for zero, ∞ for what is not finite,
    NaN where no path leads; own: (R,), the one at the loss' own step; starts: (R,), its column;
    backwards: whether the gradient flows to later steps.
    """

    rows: Array
    columns: Array
    exponents: Array
    own: Array
    starts: NDArray[np.intp]
    backwards: bool

    def crossing(self, limits: Array) -> Array:
        """Return the line (R, 2) beyond which each row is below its limit; x is NaN where none is.

        limits: (R,), exponents.
        """
        points: list[tuple[float, float]] = []
        for k, (row, start) in enumerate(zip(self.exponents, self.starts, strict=True)):
            path = row[start:] if self.backwards else row[start::-1]
            with np.errstate(invalid="ignore"):
                below = np.flatnonzero(path < limits[k])
            x = math.nan
            if len(below) and np.isfinite(self.own[k]):
                steps = int(below[0])
                x = self.columns[start + steps if self.backwards else start - steps + 1]
            points.append((float(x), float(self.rows[k] + self.rows[k + 1]) / 2))
        return np.array(points)

    def outline(self, cells: NDArray[np.bool_]) -> list[tuple[float, float, float, float]]:
        """Return rectangles (left, bottom, right, top) that cover the cells, one a run of a row."""
        runs = []
        for k, row in enumerate(cells):
            edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
            for first, end in edges.reshape(-1, 2):
                runs.append(
                    (
                        float(self.columns[first]),
                        float(self.rows[k]),
                        float(self.columns[end]),
                        float(self.rows[k + 1]),
                    )
                )
        return runs


def most_cells(panels: int) -> int:
    """Return how many cells a panel has along either side, at most."""
    return _MOST_CELLS if panels == 1 else _MOST_CELLS // 2


def norm_grid(flow: "GradientFlow", layer: int, direction: int, most: int = _MOST_CELLS) -> Grid:
    """Return the norms of a layer and direction, in at most `most` by `most` cells.

    A cell of several steps has their geometric mean; of more loss times, some are left out.
    """
    chosen = np.arange(len(flow.times))
    if len(chosen) > most:
        chosen = np.linspace(0, len(chosen) - 1, most).round().astype(int)
    times = np.array(flow.times)[chosen]
    norms = flow.norms[layer, direction][chosen]
    steps = np.arange(flow.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        exponents = np.where(np.isfinite(norms), np.log10(norms), np.inf)
        exponents[np.isnan(norms)] = np.nan
    own = exponents[np.arange(len(times)), times]
    # Below the last layer of two directions a gradient may turn: every step can be reached.
    if flow.directions == 1 or layer == flow.layers - 1:
        later = steps[None, :] > times[:, None]
        exponents[later if direction == 0 else steps[None, :] < times[:, None]] = np.nan
    width = math.ceil(flow.T / most)
    return Grid(
        rows=_row_edges(times, flow.T),
        columns=np.append(np.arange(0, flow.T, width), flow.T) - 0.5,
        exponents=_mean_of_columns(exponents, width),
        own=own,
        starts=times // width,
        backwards=direction == 1,
    )


def _row_edges(times: NDArray[np.intp], T: int) -> Array:
    """Return the edges between loss times, within the T steps."""
    places = times.astype(np.float64)
    between = (places[1:] + places[:-1]) / 2
    half = between[0] - places[0] if len(between) else 0.5
    return np.concatenate(
        [[max(-0.5, places[0] - half)], between, [min(T - 0.5, places[-1] + half)]]
    )


def _mean_of_columns(exponents: Array, width: int) -> Array:
    """Return the mean of each `width` columns (R, C): zero only if all are, NaN if all are."""
    if width == 1:
        return exponents
    rows, T = exponents.shape
    padded = np.full((rows, math.ceil(T / width) * width), np.nan)
    padded[:, :T] = exponents
    cells = padded.reshape(rows, -1, width)
    finite = np.isfinite(cells)
    count = finite.sum(-1)
    means: Array = np.where(finite, cells, 0.0).sum(-1) / np.maximum(1, count)
    means[count == 0] = np.nan
    means[(count == 0) & np.isneginf(cells).any(-1)] = -np.inf
    means[np.isposinf(cells).any(-1)] = np.inf
    return means


def band_edges(grids: Sequence[Grid]) -> list[float]:
    """Return the exponents between which each band of colour lies: round ones, 10 at most.

    Empty where no norm is finite and above zero.
    """
    finite = np.concatenate([grid.exponents[np.isfinite(grid.exponents)] for grid in grids])
    if not len(finite):
        return []
    top = float(finite.max())
    low = max(float(finite.min()), top - _DECADES)
    for step in _STEPS:
        first, last = math.floor(low / step + 1e-9), math.ceil(top / step - 1e-9)
        last = max(last, first + 1)
        if last - first <= MOST_BANDS:
            return [round(k * step, 9) for k in range(first, last + 1)]
    raise AssertionError("50 decades fit into bands of 10")
