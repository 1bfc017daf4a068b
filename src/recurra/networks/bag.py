"""A linear model on the words of a text, beside the network that reads them in order."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from recurra.data.bags import Bags


class TextBatch(NamedTuple):
    """B texts twice: as the reader takes them, and as bags."""

    words: Any
    bags: Bags


class BagOfWords(nn.Module):
    """Scores texts by their terms' TF-IDF: linear, fitted elsewhere and kept as it is.

    A term that a text has n times counts (1 + log n)·idf, a text's terms are scaled to length 1
    (Manning, Raghavan and Schütze, Introduction to Information Retrieval, section 6.4).

    Args:
        terms: how many terms are told apart.
        outputs: C.
    """

    idf: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, terms: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("idf", torch.zeros(terms))
        self.register_buffer("weight", torch.zeros(terms, outputs))
        self.register_buffer("bias", torch.zeros(outputs))

    def values(self, bags: Bags) -> Tensor:
        """Return each term's share in its text's vector: (P,) float64."""
        values = (1 + bags.counts.log()) * self.idf.double()[bags.terms]
        length = values.new_zeros(bags.texts).index_add(0, bags.rows, values.square()).sqrt()
        return values / length.clamp(min=1e-12)[bags.rows]

    def forward(self, bags: Bags) -> Tensor:
        """Return the scores of the texts: (B, C) float64."""
        weighted = self.values(bags).unsqueeze(-1) * self.weight.double()[bags.terms]
        scores = weighted.new_zeros(bags.texts, weighted.shape[-1])
        return scores.index_add(0, bags.rows, weighted) + self.bias


class BesideBag(nn.Module):
    """A network and a bag of words: trained alone, scores added when predicting.

    Wide and deep, Cheng et al., arXiv 1606.07792, but fitted one after the other.

    Args:
        deep: takes (batch, lengths) and returns scores (B, C).
        bag: returns scores (B, C).
    """

    mix: Tensor

    def __init__(self, deep: nn.Module, bag: BagOfWords) -> None:
        super().__init__()
        self.deep, self.bag = deep, bag
        self.register_buffer("mix", torch.tensor([1.0, 0.0], dtype=torch.float64))

    def forward(self, batch: TextBatch, lengths: Tensor) -> Tensor:
        """Return the network's scores in training, else those of both: (B, C)."""
        scores: Tensor = self.deep(batch.words, lengths)
        if self.training:
            return scores
        both: Tensor = scores * self.mix[0] + self.bag(batch.bags) * self.mix[1]
        return both
