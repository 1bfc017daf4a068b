"""The bag of words of a text that comes in pieces."""

from collections.abc import Sequence

import torch
from torch import Tensor

from recurra.data.bags import Bags
from recurra.networks.bag import BesideBag
from recurra.tasks.streaming.reader import State


class RunningBag:
    """Counts a stream's words and pairs; there are no more than the bag tells apart.

    The state: bag.terms (P,), bag.counts (P,), and bag.before, the last word as bytes, of which
    the next pair begins.
    """

    def __init__(self, network: BesideBag) -> None:
        self._network = network

    def start(self) -> State:
        """Return the counts of no words."""
        return {
            "bag.terms": torch.zeros(0, dtype=torch.int64),
            "bag.counts": torch.zeros(0, dtype=torch.float64),
            "bag.before": torch.zeros(0, dtype=torch.uint8),
        }

    def beside(
        self,
        scores: Tensor,
        states: Sequence[State],
        after: Sequence[State],
        rows: Sequence[Sequence[str]],
    ) -> Tensor:
        """Count the new words into `after`, and return the network's scores with the bag's."""
        for state, new, row in zip(states, after, rows, strict=True):
            new |= self._counted(state, row)
        bags = Bags(
            torch.cat([state["bag.terms"] for state in after]).to(scores.device),
            torch.cat([torch.full_like(s["bag.terms"], b) for b, s in enumerate(after)]).to(
                scores.device
            ),
            torch.cat([state["bag.counts"] for state in after]).to(scores.device),
            len(after),
        )
        mix = self._network.mix
        both: Tensor = scores * mix[0] + self._network.bag(bags) * mix[1]
        return both

    def _counted(self, state: State, row: Sequence[str]) -> State:
        before = bytes(state["bag.before"].tolist()).decode("utf-8", "replace")
        words = [before, *row] if before else list(row)
        new = Bags.of([words])
        terms, counts = new.terms, new.counts.clone()
        if before:  # it was counted when it came
            counts[terms == Bags.of([[before]]).terms[0]] -= 1
        terms = torch.cat([state["bag.terms"], terms])
        counts = torch.cat([state["bag.counts"], counts])
        whole, place = torch.unique(terms, return_inverse=True)
        sums = torch.zeros(len(whole), dtype=torch.float64).index_add(0, place, counts)
        last = row[-1] if row else before
        return {
            "bag.terms": whole[sums > 0],
            "bag.counts": sums[sums > 0],
            "bag.before": torch.tensor(list(last.encode("utf-8", "replace")), dtype=torch.uint8),
        }
