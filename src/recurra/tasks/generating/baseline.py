"""What a score stands beside: a model with nothing recurrent in it."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from recurra.data.vocabulary import END, START, Vocabulary


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
        total = self._single.total() + self._symbols
        loss = 0.0
        row = [START, *sequence, END]
        for a, b in pairwise(row):
            alone = (self._single[b] + 1) / total
            loss -= math.log((self._pairs[a, b] + self._k * alone) / (self._before[a] + self._k))
        return loss

    def mean_loss(self, sequences: Sequence[Sequence[int]]) -> float:
        """Return the mean loss of a symbol over `sequences`, ends included, in nats."""
        symbols = sum(len(sequence) + 1 for sequence in sequences)
        return sum(self.loss(sequence) for sequence in sequences) / symbols


def bigram_loss(
    vocabulary: Vocabulary, train: Sequence[Sequence[str]], judged: Sequence[Sequence[str]]
) -> float:
    """Return the mean loss of pairs counted on `train`, on `judged`, in nats a symbol."""
    counted = BigramBaseline(len(vocabulary)).fit([vocabulary.encode(row) for row in train])
    return counted.mean_loss([vocabulary.encode(row) for row in judged])
