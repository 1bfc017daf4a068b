"""The bag of words of a text that comes in pieces."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data.bags import _bucket
from recurra.networks.bag import BesideBag
from recurra.tasks.streaming.reader import State

_ENTRY = 100  # bytes of a dict's entry of two numbers


@dataclass
class Bag:
    """The words and pairs of one text so far.

    counts: how often each term that the model learned was there, by its bucket.
    before: the last word, of which the next pair begins. sums: (C,), over all terms value times
    weight; square: the sum of their values' squares; both as they were added up.
    """

    sums: Any
    square: float = 0.0
    before: str = ""
    counts: dict[int, int] = field(default_factory=dict)

    def size(self) -> int:
        """Return about how many bytes it takes."""
        return _ENTRY * len(self.counts)


class RunningBag:
    """Counts streams' words and pairs as they come, one after the other.

    A term's value is (1 + log n)·idf, n how often it was there: each time it comes the difference
    is added to the sums. So the order of words alone decides on the last bits, not the pieces.

    The state: bag.terms (P,), bag.counts (P,), bag.before (the last word as bytes), bag.sums (C,)
    and bag.square (1,).
    """

    def __init__(self, network: BesideBag) -> None:
        self._mix, self._bias = network.mix, network.bag.bias
        self._idf = network.bag.idf.double().cpu().numpy()
        self._weight = network.bag.weight.double().cpu().numpy()

    def start(self) -> State:
        """Return the state of a text without words."""
        return self.state(Bag(np.zeros(self._weight.shape[1])))

    def state(self, bag: Bag) -> State:
        """Return a bag as tensors."""
        before = bag.before.encode("utf-8", "replace")
        return {
            "bag.terms": torch.tensor(list(bag.counts), dtype=torch.int64),
            "bag.counts": torch.tensor(list(bag.counts.values()), dtype=torch.float64),
            "bag.before": torch.tensor(list(before), dtype=torch.uint8),
            "bag.sums": torch.from_numpy(bag.sums.copy()),
            "bag.square": torch.tensor([bag.square], dtype=torch.float64),
        }

    def of(self, state: State) -> Bag:
        """Return the bag of a state."""
        terms = (state["bag.terms"] % len(self._idf)).tolist()
        counts = [max(1, int(n)) for n in state["bag.counts"].nan_to_num(1).tolist()]
        return Bag(
            state["bag.sums"].numpy().copy(),
            float(state["bag.square"]),
            bytes(state["bag.before"].tolist()).decode("utf-8", "replace"),
            dict(zip(terms, counts, strict=False)),
        )

    def beside(self, scores: Tensor, bags: Sequence[Bag], rows: Sequence[Sequence[str]]) -> Tensor:
        """Count the new words, and return the network's scores (B, C) with the bags'."""
        for bag, row in zip(bags, rows, strict=True):
            self._count(bag, row)
        lengths = np.sqrt([max(bag.square, 1e-24) for bag in bags])
        each = torch.from_numpy(np.stack([bag.sums for bag in bags]) / lengths[:, np.newaxis])
        both: Tensor = scores * self._mix[0] + (each.to(scores.device) + self._bias) * self._mix[1]
        return both

    def _count(self, bag: Bag, row: Sequence[str]) -> None:
        for word in row:
            self._add(bag, word)
            if bag.before:
                self._add(bag, f"{bag.before} {word}")
            bag.before = word

    def _add(self, bag: Bag, term: str) -> None:
        bucket = _bucket(term)
        idf = self._idf[bucket]
        if not idf:  # it counts for nothing
            return
        n = bag.counts.get(bucket, 0)
        bag.counts[bucket] = n + 1
        old = (1 + math.log(n)) * idf if n else 0.0
        new = (1 + math.log(n + 1)) * idf
        bag.square += new * new - old * old
        bag.sums += (new - old) * self._weight[bucket]
