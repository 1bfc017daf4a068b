"""A long text whose symbols were counted: which there are, how many, and where."""

import hashlib
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.data.long_text.source import LongText
from recurra.data.long_text.symbols import KINDS, SymbolReader, pieces

_BLOCK = 2**18  # bytes read at a time when all is read
_ROW_BLOCK = 2**15  # the same of one row beside many others
_MARKS = 2**12  # at most; a file of any size has no more


@dataclass(frozen=True)
class CountedText:
    """A long text, gone through once in constant memory.

    text, kind: what it is, and whether it is cut into characters ("char", in NFC) or into bytes
    ("byte"); symbols: N; counts: (codes,), how often each is there; digest: a SHA-256 of all;
    marks: some symbols by their place among them, with the byte that each begins at.
    """

    text: LongText
    kind: str
    symbols: int
    counts: NDArray[np.int64]
    digest: str
    marks: list[tuple[int, int]]

    @classmethod
    def of(cls, text: LongText, kind: str) -> "CountedText":
        """Count the symbols of a text; raises `DataError` for characters that are not UTF-8."""
        counts = np.zeros(KINDS[kind], np.int64)
        marks: list[tuple[int, int]] = []
        symbols, apart = 0, 1  # every so many pieces one is marked
        seen = hashlib.sha256()
        for k, (byte, codes) in enumerate(pieces(text, kind, text.begin, _BLOCK)):
            if k % apart == 0:
                marks.append((symbols, byte))
            if len(marks) > _MARKS:
                marks, apart = marks[::2], 2 * apart
            there = np.bincount(codes)
            counts[: len(there)] += there
            seen.update(codes.tobytes())
            symbols += len(codes)
        return cls(text, kind, symbols, counts, seen.hexdigest(), marks)

    def reader(self, symbol: int) -> SymbolReader:
        """Return what reads from symbol number `symbol` on, without reading all before it."""
        known, byte = self.marks[bisect_right(self.marks, symbol, key=lambda mark: mark[0]) - 1]
        rest = pieces(self.text, self.kind, byte, _ROW_BLOCK)
        return SymbolReader(rest, symbol - known)
