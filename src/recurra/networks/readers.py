"""What stands before a recurrent layer: from symbols, words or numbers to features."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.data.words import WordBatch
from recurra.networks.embedding import embedding


class SymbolReader(nn.Module):
    """Reads each symbol as an embedding: (T, B) int64 -> (T, B, E).

    Args:
        symbols: V, how many symbols there are.
        size: E.
        forget: the probability that a symbol is read as number `unknown` instead, in training.
        unknown: that number.
    """

    def __init__(self, symbols: int, size: int, forget: float = 0.0, unknown: int = 1) -> None:
        super().__init__()
        self.embedding = embedding(symbols, size, size**-0.5)
        self.output_size, self.forget, self.unknown = size, forget, unknown

    def forward(self, symbols: Tensor) -> Tensor:
        """Return the embeddings of the symbols."""
        if self.training and self.forget:
            gone = torch.rand(symbols.shape, device=symbols.device) < self.forget
            symbols = symbols.masked_fill(gone, self.unknown)
        x: Tensor = self.embedding(symbols)
        return x


class WordReader(nn.Module):
    """Reads each word as its own embedding plus the mean of its pieces': `WordBatch` -> (T, B, E).

    Words alike in spelling are read alike, and a word never seen is read by its pieces. Each
    different word of a batch is looked up once. Source: Bojanowski et al., arXiv 1607.04606.

    Args:
        words, buckets: how many words and pieces there are.
        size: E.
        forget: the probability that a word is read by its pieces alone, in training.
        unknown: the number of a word that has none of its own.
    """

    def __init__(
        self, words: int, buckets: int, size: int, forget: float = 0.0, unknown: int = 1
    ) -> None:
        super().__init__()
        self.words = embedding(words, size, size**-0.5)
        self.pieces = embedding(buckets, size, size**-0.5)
        self.output_size, self.forget, self.unknown = size, forget, unknown

    def forward(self, batch: WordBatch) -> Tensor:
        """Return the features of the words."""
        numbers = batch.words
        if self.training and self.forget:
            gone = torch.rand(numbers.shape, device=numbers.device) < self.forget
            numbers = numbers.masked_fill(gone, self.unknown)
        spelt = F.embedding_bag(batch.pieces, self.pieces.weight, batch.offsets, mode="mean")
        # A mean of some dozen independent pieces is small; it is to weigh as much as the word.
        x: Tensor = self.words(numbers) + 3.0 * spelt
        return F.embedding(batch.places, x)


class NumberReader(nn.Module):
    """Reads numbers in units of their standard deviation: (T, B, F) -> (T, B, F).

    Args:
        mean, deviation: F numbers each, of the data trained on.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float64))
        self.register_buffer("deviation", torch.tensor(deviation, dtype=torch.float64))
        self.output_size = len(mean)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled numbers in float32, or as wide as they are computed with."""
        return ((x - self.mean) / self.deviation).to(torch.get_default_dtype())
