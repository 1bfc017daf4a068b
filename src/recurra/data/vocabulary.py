"""Symbols and their numbers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from recurra.errors import DataError

END, UNKNOWN, START = 0, 1, 2
SPECIAL = 3  # how many numbers stand for no symbol


@dataclass(frozen=True)
class Vocabulary:
    """The symbols a model knows, in the order of their numbers.

    0 ends a sequence, 1 stands for every symbol not seen in training, 2 starts a sequence; the
    symbols follow from 3 on, the most frequent first.
    """

    symbols: tuple[str, ...]

    @classmethod
    def of(cls, sequences: Iterable[Sequence[str]]) -> "Vocabulary":
        """Collect the symbols of `sequences`; raises `DataError` when there are none."""
        counts = Counter(symbol for sequence in sequences for symbol in sequence)
        if not counts:
            raise DataError("there is not one symbol in the sequences: all are empty.")
        return cls(tuple(sorted(counts, key=lambda symbol: (-counts[symbol], symbol))))

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols, SPECIAL)}

    def __len__(self) -> int:
        return SPECIAL + len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._numbers

    def encode(self, sequence: Sequence[str]) -> list[int]:
        """Return the numbers of a sequence's symbols, without start and end."""
        numbers = self._numbers
        return [numbers.get(symbol, UNKNOWN) for symbol in sequence]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Return the symbols of `numbers`, up to the first end."""
        decoded = []
        for number in numbers:
            if number == END:
                break
            decoded.append(self.symbols[number - SPECIAL] if number >= SPECIAL else "\ufffd")
        return decoded
