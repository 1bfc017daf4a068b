"""One to many: a sequence of symbols, each from those before it and from a label."""

import math

import torch
from torch import Tensor, nn

from recurra.layers import Recurrent
from recurra.networks.embedding import drop_features, embedding

State = tuple[Tensor, ...]


class GeneratorNetwork(nn.Module):
    """Predicts each next symbol of a sequence, given a label for the whole.

    The symbol and the label are embedded and read side by side at every step; the recurrent
    layer's output is mapped back to the size of the embedding, and its product with every
    symbol's embedding is that symbol's logit (tied weights: Press and Wolf, arXiv 1608.05859).

    Args:
        symbols: V, how many symbols there are.
        conditions: how many labels there are, 0 for none.
        embedding_size: E, the features of an embedding.
        recurrent: the layer, with input_size E, or 2·E where there are labels.
        dropout: the probability of a feature's being zeroed before and after the layer, for a
            sequence the same features at every step (locked dropout, Merity et al., arXiv
            1708.02182).
    """

    def __init__(
        self,
        symbols: int,
        conditions: int,
        embedding_size: int,
        recurrent: Recurrent,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        # Of standard deviation 1/sqrt(E), so that logits start at about 1.
        self.symbols = embedding(symbols, embedding_size, 1 / math.sqrt(embedding_size))
        self.conditions = embedding(conditions, embedding_size) if conditions else None
        recurrent.states().check_even("a generator")
        self.recurrent = recurrent
        self.dropout = dropout
        self.project = nn.Linear(recurrent.output_size, embedding_size)
        self.bias = nn.Parameter(torch.zeros(symbols))

    def forward(
        self, tokens: Tensor, condition: Tensor | None = None, state: State | None = None
    ) -> tuple[Tensor, State]:
        """Return the logits of each next symbol, and the state after the last.

        Args:
            tokens: (T, B), the symbols so far.
            condition: (B,), the labels' numbers, None where the network has none.
            state: what an earlier call returned, to go on from there.

        Returns logits (T, B, V) and the recurrent layer's state.
        """
        rate = self.dropout if self.training else 0.0
        x = self.symbols(tokens) * math.sqrt(self.symbols.embedding_dim)
        if self.conditions is not None:
            label = self.conditions(condition)
            x = torch.cat([x, label.expand(len(tokens), -1, -1)], -1)
        out, state = self.recurrent(drop_features(x, rate), state)
        features = self.project(drop_features(out, rate))
        return nn.functional.linear(features, self.symbols.weight, self.bias), state
