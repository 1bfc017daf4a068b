"""A long text in rows side by side, cut into chunks that are read when they are looked at."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.data.chunks import Chunk
from recurra.data.long_text.counted import CountedText
from recurra.data.long_text.symbols import SymbolReader
from recurra.data.vocabulary import START
from recurra.errors import ArgumentError


class TextChunks:
    """One long text for training with the state carried on, `Chunks` of what is not in memory.

    Row b reads a part of its own, behind the start symbol, and goes on in the next chunk where it
    ended in this one; every symbol is predicted once. The rows are of as equal length as can be.
    A pass holds some thousand bytes of each row. It can be passed over for nothing, so that a
    training that is resumed need not read what it has done.

    Args:
        text: what is read.
        numbers: (codes,), the number of each symbol by its code.
        chunk: steps of a chunk, at most.
        batch_size: B, rows.
        device: where the chunks go.

    Raises `ArgumentError` for sizes; going through it `DataError`, where the file was changed.
    """

    def __init__(
        self,
        text: CountedText,
        numbers: NDArray[np.int64],
        *,
        chunk: int,
        batch_size: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        N = text.symbols
        if chunk < 1 or not 1 <= batch_size <= N:
            raise ArgumentError(
                f"{N} symbols need chunk >= 1 and 1 <= batch_size <= {N}, got chunk={chunk}, "
                f"batch_size={batch_size}."
            )
        sizes = [N // batch_size + (b < N % batch_size) for b in range(batch_size)]
        self._text, self._numbers, self._chunk, self._device = text, numbers, chunk, device
        self._steps = sizes[0]
        self._sizes, self._firsts = np.array(sizes), np.cumsum([0, *sizes[:-1]])

    def __len__(self) -> int:
        return math.ceil(self._steps / self._chunk)

    @property
    def rows(self) -> int:
        """How many symbols there are to predict."""
        return self._text.symbols

    def __iter__(self) -> Iterator["TextChunk"]:
        rows = _Rows(self)
        return (TextChunk(self._text.digest, k, rows) for k in range(len(self)))

    def share(self, rank: int, world: int) -> "TextChunks | list[None]":
        """Return the rows rank, rank + world, ... of each chunk; None each if there are none."""
        if rank >= len(self._sizes):
            return [None] * len(self)
        shared = object.__new__(TextChunks)
        shared.__dict__ |= self.__dict__
        shared._sizes, shared._firsts = self._sizes[rank::world], self._firsts[rank::world]
        return shared


@dataclass(frozen=True)
class TextChunk:
    """Some steps of every row of a long text, not read yet.

    digest: the SHA-256 of the text; number: which chunk it is.
    """

    digest: str
    number: int
    rows: "_Rows"

    def read(self) -> Chunk:
        """Return the chunk: x, what comes before each symbol, and y, its number."""
        return self.rows.read(self.number)


class _Rows:
    """The rows of one pass, each where it stands."""

    def __init__(self, chunks: TextChunks) -> None:
        self._of = chunks
        self._next = -1  # the chunk whose symbols come next; none yet
        self._readers: list[SymbolReader] = []
        self._last: NDArray[np.int64] = np.zeros(0, np.int64)  # the symbol before them in each row

    def read(self, number: int) -> Chunk:
        """Return chunk `number`; those in between are passed over."""
        of = self._of
        first = number * of._chunk
        if number != self._next:
            self._go_to(first)
        lengths = (of._sizes - first).clip(0, of._chunk)
        T = min(of._chunk, of._steps - first)
        x = np.zeros((T + 1, len(lengths)), np.int64)
        x[0] = self._last
        for b, (reader, length) in enumerate(zip(self._readers, lengths.tolist(), strict=True)):
            x[1 : length + 1, b] = of._numbers[reader.take(length)]
        self._last, self._next = x[T], number + 1
        both = torch.from_numpy(x).to(of._device)
        reset = torch.zeros(T, len(lengths), dtype=torch.bool, device=both.device)
        return Chunk(both[:-1], both[1:], reset, torch.from_numpy(lengths))

    def _go_to(self, step: int) -> None:
        """Put each row before its symbol `step`."""
        of = self._of
        before = min(step, 1)
        self._readers = [of._text.reader(first + step - before) for first in of._firsts.tolist()]
        self._last = np.full(len(self._readers), START)
        if before:
            codes = [reader.take(1)[0] for reader in self._readers]
            self._last = of._numbers[np.array(codes)]
