"""Words as a network reads them: by number where they are frequent, and by their pieces."""

import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from recurra.data.vocabulary import SPECIAL, UNKNOWN, Vocabulary
from recurra.errors import DataError

_FEWEST, _MOST = 2**8, 2**15  # buckets


@dataclass(frozen=True)
class WordBatch:
    """The words of B rows, each different one looked up once.

    places: (T, B), which of the W different words each is; words: (W,), their numbers;
    pieces: (P,), the numbers of all words' pieces, one word's after the other's; offsets: (W,),
    where each word's begin.
    """

    places: Tensor
    words: Tensor
    pieces: Tensor
    offsets: Tensor

    def to(self, device: torch.device | str) -> "WordBatch":
        """Return the batch on a device."""
        return WordBatch(
            self.places.to(device),
            self.words.to(device),
            self.pieces.to(device),
            self.offsets.to(device),
        )


@dataclass
class WordBook:
    """Words and their numbers.

    vocabulary: the words that have a number of their own; buckets: into how many the pieces are
    told apart by a hash; shortest, longest: the lengths of the character n-grams that are a
    word's pieces, its edges marked (Bojanowski et al., arXiv 1607.04606).
    """

    vocabulary: Vocabulary
    buckets: int
    shortest: int = 2
    longest: int = 4
    _known: dict[str, tuple[int, list[int]]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, rows: Iterable[tuple[Sequence[str], float]], least: float = 2) -> "WordBook":
        """Collect the words of rows with weights that weigh `least` or more together.

        There are about as many buckets as the rows have different pieces.

        Raises `DataError` where there is not one word.
        """
        counts: Counter[str] = Counter()
        for row, weight in rows:
            for word in row:
                counts[word] += weight  # type: ignore[assignment]
        if not counts:
            raise DataError("there is not one word in the texts: all are empty.")
        kept = sorted(
            (word for word in counts if counts[word] >= least), key=lambda w: (-counts[w], w)
        )
        pieces = {piece for word in counts for piece in pieces_of(word, _MOST)}
        buckets = min(max(2 ** (len(pieces) - 1).bit_length(), _FEWEST), _MOST)
        return cls(Vocabulary(tuple(kept)), buckets)

    def batch(self, rows: Sequence[Sequence[str]]) -> WordBatch:
        """Return the words of some rows, padded with the first word."""
        different: dict[str, int] = {}
        T = max(1, *map(len, rows))
        places = np.zeros((T, len(rows)), dtype=np.int64)
        for b, row in enumerate(rows):
            places[: len(row), b] = [different.setdefault(word, len(different)) for word in row]
        looked_up = [self._look_up(word) for word in different] or [(UNKNOWN, [0])]
        sizes = [len(pieces) for _, pieces in looked_up]
        return WordBatch(
            torch.from_numpy(places),
            torch.tensor([number for number, _ in looked_up]),
            torch.tensor([piece for _, pieces in looked_up for piece in pieces]),
            torch.tensor([0, *np.cumsum(sizes[:-1]).tolist()]),
        )

    def _look_up(self, word: str) -> tuple[int, list[int]]:
        found = self._known.get(word)
        if found is None:
            number = self.vocabulary.encode([word])[0]
            found = (number, pieces_of(word, self.buckets, self.shortest, self.longest))
            if len(self._known) < 200_000:  # words of a stream must not fill the memory
                self._known[word] = found
        return found

    def __len__(self) -> int:
        return SPECIAL + len(self.vocabulary.symbols)


def pieces_of(word: str, buckets: int, shortest: int = 2, longest: int = 4) -> list[int]:
    """Return the buckets of a word's character n-grams; of a very long word those of its start."""
    marked = f"<{word[:60]}>"
    grams = {
        marked[k : k + n]
        for n in range(shortest, longest + 1)
        for k in range(max(1, len(marked) - n + 1))
    }
    return sorted(zlib.crc32(gram.encode("utf-8", "replace")) % buckets for gram in grams)
