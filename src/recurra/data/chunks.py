"""An endless sequence in pieces, for training with the state carried from one to the next."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.data.sharing import Share
from recurra.errors import ArgumentError, ShapeError


@dataclass(frozen=True)
class Chunk:
    """Some steps of every row.

    x: (T, B, ...); y: (T, B, ...), what to predict; reset: (T, B) bool, where a document begins;
    lengths: (B,), the steps of each row that are there: all T but at the sequence's end.
    """

    x: Tensor
    y: Tensor
    reset: Tensor
    lengths: Tensor

    @property
    def real(self) -> Tensor:
        """Return (T, B) bool: which steps are there."""
        return torch.arange(self.x.shape[0]).unsqueeze(1) < self.lengths

    @property
    def weight(self) -> int:
        """Return how many steps are there, of all rows together."""
        return int(self.lengths.sum())


class Chunks:
    """One long sequence, laid out in rows side by side and cut into chunks; no step is left out.

    Row b goes on in the next chunk where it ended in this one. The rows are of as equal length as
    can be, so that only in the last chunk some are a step shorter.

    Args:
        sequence: (N, ...), one item a step: symbols (N,), or features (N, I).
        y: (N, ...), what to predict at each step; None for the sequence's next item, at all steps
            but the last.
        chunk: steps of a chunk, at most.
        batch_size: B, rows.
        starts: (N,) bool, where a document begins, so that nothing of the one before is known;
            None if it is one document.

    Raises `ArgumentError` for sizes, `ShapeError` where the tensors do not belong together.
    """

    def __init__(
        self,
        sequence: Tensor,
        y: Tensor | None = None,
        *,
        chunk: int,
        batch_size: int = 1,
        starts: Tensor | None = None,
    ) -> None:
        starts = torch.zeros(len(sequence), dtype=torch.bool) if starts is None else starts
        if y is None:
            sequence, y, starts = sequence[:-1], sequence[1:], starts[:-1]
        N = len(sequence)
        if len(y) != N or starts.shape != (N,) or starts.dtype != torch.bool:
            raise ShapeError(
                f"y and starts (bool) must have one item a step of {N}, got y of "
                f"{tuple(y.shape)} and starts, {starts.dtype}, of {tuple(starts.shape)}."
            )
        if chunk < 1 or not 1 <= batch_size <= N:
            raise ArgumentError(
                f"{N} steps to predict need chunk >= 1 and 1 <= batch_size <= {N}, got "
                f"chunk={chunk}, batch_size={batch_size}."
            )
        sizes = [N // batch_size + (b < N % batch_size) for b in range(batch_size)]
        self._rows = [torch.split(t, sizes) for t in (sequence, y, starts)]
        self._sizes = torch.tensor(sizes)
        self._chunk = chunk

    def __len__(self) -> int:
        return math.ceil(int(self._sizes[0]) / self._chunk)

    def __iter__(self) -> Iterator[Chunk]:
        for first in self.order():
            yield self._chunk_of(first, slice(None))

    def share(self, rank: int, world: int) -> Share[Chunk]:
        """Return the share of process `rank` of `world`: some of the rows, the same in each chunk.

        Raises `ArgumentError` where there are fewer rows than processes.
        """
        rows = len(self._sizes)
        if rows < world:
            raise ArgumentError(
                f"batch_size={rows}: {world} processes need at least a row each, because each "
                "carries the state of its own."
            )
        return Share(self, rank, world)

    def order(self) -> range:
        """Return the step at which each chunk begins."""
        return range(0, int(self._sizes[0]), self._chunk)

    def part_of(self, first: int, part: slice) -> Chunk | None:
        """Return some rows of the chunk that begins at step `first`, None where all have ended."""
        chunk = self._chunk_of(first, part)
        return chunk if chunk.weight else None

    def _chunk_of(self, first: int, part: slice) -> Chunk:
        lengths = (self._sizes[part] - first).clamp(0, self._chunk)
        T = int(lengths.max())
        x, y, reset = (self._piece(rows[part], first, T) for rows in self._rows)
        return Chunk(x, y, reset, lengths)

    def _piece(self, rows: tuple[Tensor, ...], first: int, T: int) -> Tensor:
        """Return steps `first` to `first + T` of the rows, zeros where one has ended."""
        piece = rows[0].new_zeros(T, len(rows), *rows[0].shape[1:])
        for b, row in enumerate(rows):
            part = row[first : first + T]
            piece[: len(part), b] = part
        return piece
