"""Windows over series: what lies before a time, and what comes after it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.data.sharing import Share


@dataclass(frozen=True)
class Windows:
    """n windows of W steps, each a stretch of one long table of steps: none is copied.

    steps: (N, F) float64, those of all series, one series after another; ends: (n,) int64, the row
    after each window's last; W: their length; series: (n,) int64; known: (n, H, K) or None, what is
    known of the steps ahead; targets: (n, H) or None, what came; weights: (n,) or None.
    """

    steps: NDArray[np.float64]
    ends: NDArray[np.int64]
    W: int
    series: NDArray[np.int64]
    known: NDArray[np.float64] | None = None
    targets: NDArray[np.float64] | None = None
    weights: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.ends)

    def select(self, rows: NDArray[np.int64]) -> "Windows":
        """Return the windows of `rows`, in that order."""
        known, targets, weights = (
            None if part is None else part[rows]
            for part in (self.known, self.targets, self.weights)
        )
        return Windows(
            self.steps, self.ends[rows], self.W, self.series[rows], known, targets, weights
        )


@dataclass(frozen=True)
class WindowBatch:
    """B windows: x (W, B, F), series (B,), known (H, B, K) or None, targets (B, H) or None.

    weights: (B,).
    """

    x: Tensor
    series: Tensor
    known: Tensor | None
    targets: Tensor | None
    weights: Tensor


class WindowBatches:
    """Batches of windows, cut out as they are needed.

    Args:
        windows: the windows.
        batch_size: B, at most.
        generator: draws another order at each pass; without one they come in their own.
        device: where the batches go.
    """

    def __init__(
        self,
        windows: Windows,
        batch_size: int,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self._windows, self._batch_size = windows, batch_size
        self._generator, self._device = generator, device
        self._steps = torch.from_numpy(windows.steps)

    def __len__(self) -> int:
        return math.ceil(len(self._windows) / self._batch_size)

    def __iter__(self) -> Iterator[WindowBatch]:
        for chosen in self.order():
            yield self._batch(chosen.numpy())

    @property
    def rows(self) -> int:
        """How many windows a pass has."""
        return len(self._windows)

    def share(self, rank: int, world: int) -> Share[WindowBatch]:
        """Return the share of process `rank` of `world`: windows of each batch."""
        return Share(self, rank, world)

    def order(self) -> Sequence[Tensor]:
        """Return the windows of each batch of one pass: drawn anew each time with a generator."""
        n = len(self._windows)
        if self._generator is None:
            return torch.split(torch.arange(n), self._batch_size)
        return torch.split(torch.randperm(n, generator=self._generator), self._batch_size)

    def part_of(self, chosen: Tensor, part: slice) -> WindowBatch | None:
        """Return some windows of the batch of `chosen`, None where they are none."""
        mine = chosen[part]
        return self._batch(mine.numpy()) if len(mine) else None

    def _batch(self, rows: NDArray[np.int64]) -> WindowBatch:
        part = self._windows.select(rows)
        places = torch.arange(-part.W, 0).unsqueeze(1) + torch.from_numpy(part.ends)
        known = None if part.known is None else torch.from_numpy(part.known).transpose(0, 1)
        weights = np.ones(len(rows)) if part.weights is None else part.weights
        return WindowBatch(
            self._steps[places].to(self._device),
            torch.from_numpy(part.series).to(self._device),
            None if known is None else known.to(self._device),
            None if part.targets is None else torch.from_numpy(part.targets).to(self._device),
            torch.from_numpy(weights).to(self._device),
        )
