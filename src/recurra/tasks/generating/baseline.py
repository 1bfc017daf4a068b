"""What a score stands beside: a model with nothing recurrent in it."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recurra.data.chunks import Chunk
from recurra.data.vocabulary import END, START, Vocabulary


def _probability(pair: Any, before: Any, single: Any, symbols: Any, V: int, k: float) -> Any:
    """Return p(b | a) by n(a, b), n(a), n(b), n and V, as numbers or arrays."""
    return (pair + k * (single + 1) / (symbols + V)) / (before + k)


class BigramBaseline:
    """Predicts a symbol from the one before it, by counting.

    p(b | a) = (n(a, b) + k·p(b)) / (n(a) + k), p(b) = (n(b) + 1) / (n + V): the add-one
    frequencies of symbols, held against the pairs seen by k imaginary ones.
    """

    def __init__(self, symbols: int, k: float = 5.0) -> None:
        self._symbols, self._k = symbols, k
        self._pairs: Counter[tuple[int, int]] = Counter()
        self._before: Counter[int] = Counter()
        self._single: Counter[int] = Counter()

    def fit(self, sequences: Sequence[Sequence[int]]) -> "BigramBaseline":
        """Count the pairs of each sequence, start and end included."""
        for sequence in sequences:
            row = [START, *sequence, END]
            self._pairs.update(pairwise(row))
            self._before.update(row[:-1])
            self._single.update(row[1:])
        return self

    def loss(self, sequence: Sequence[int]) -> float:
        """Return -log p of a sequence and its end, in nats."""
        n = self._single.total()
        loss = 0.0
        for a, b in pairwise([START, *sequence, END]):
            counts = self._pairs[a, b], self._before[a], self._single[b], n
            loss -= math.log(_probability(*counts, self._symbols, self._k))
        return loss

    def mean_loss(self, sequences: Sequence[Sequence[int]]) -> float:
        """Return the mean loss of a symbol over `sequences`, ends included, in nats."""
        symbols = sum(len(sequence) + 1 for sequence in sequences)
        return sum(self.loss(sequence) for sequence in sequences) / symbols


class PairTable:
    """`BigramBaseline` of a text in chunks: the counts are a table (V, V), whatever its length."""

    def __init__(self, symbols: int, k: float = 5.0) -> None:
        self._k = k
        self._pairs = np.zeros((symbols, symbols), np.int64)

    def fit(self, chunks: Iterable[Chunk]) -> Self:
        """Count the pairs of a text, its start included."""
        for chunk in chunks:
            np.add.at(
                self._pairs.reshape(-1), np.ravel_multi_index(_real(chunk), self._pairs.shape), 1
            )
        self._before, self._single = self._pairs.sum(1), self._pairs.sum(0)
        return self

    def loss(self, chunk: Chunk) -> float:
        """Return -log p of a chunk's symbols, in nats."""
        a, b = _real(chunk)
        n = self._single.sum()
        counts = self._pairs[a, b], self._before[a], self._single[b], n
        return -float(np.log(_probability(*counts, len(self._pairs), self._k)).sum())


def _real(chunk: Chunk) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs of a chunk that are there: what stands before, and the symbols."""
    real = chunk.real
    return chunk.x.cpu()[real].numpy(), chunk.y.cpu()[real].numpy()


def bigram_loss(
    vocabulary: Vocabulary, train: Sequence[Sequence[str]], judged: Sequence[Sequence[str]]
) -> float:
    """Return the mean loss of pairs counted on `train`, on `judged`, in nats a symbol."""
    counted = BigramBaseline(len(vocabulary)).fit([vocabulary.encode(row) for row in train])
    return counted.mean_loss([vocabulary.encode(row) for row in judged])
