"""Attention: what a decoder looks at among an encoder's outputs."""

import math

import torch
from torch import Tensor, nn

from recurra.errors import ArgumentError, ShapeError

ATTENTIONS = ("dot", "additive")


class Attention(nn.Module):
    """Weighs the steps of a memory by how well their keys fit a query.

    Args:
        query_size: Q, the features of a query.
        memory_size: M, the features of a step of the memory.
        size: A, the features queries and keys are compared in.

    The base of `DotAttention` and `AdditiveAttention`, which say what a score is.
    """

    def __init__(self, query_size: int, memory_size: int, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, size, bias=False)
        self.key = nn.Linear(memory_size, size, bias=False)

    def forward(
        self, query: Tensor, memory: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Look at the memory once for each query.

        Args:
            query: (T, B, Q).
            memory: (S, B, M).
            lengths: (B,), how many steps of each row's memory there are, from 0 to S; None for
                all. What lies behind them is never looked at, whatever it holds.

        Returns the context (T, B, M) and the weights (T, B, S), which sum to 1, or are all zero
        (and the context too) where a row has no memory. Raises `ShapeError` when B differs.
        """
        if query.shape[1] != memory.shape[1]:
            raise ShapeError(
                f"query is of {query.shape[1]} rows, memory of {memory.shape[1]}: they must agree."
            )
        hidden = None
        if lengths is not None:
            steps = torch.arange(len(memory), device=memory.device)
            hidden = steps.unsqueeze(0) >= lengths.to(memory.device).unsqueeze(1)  # (B, S)
            memory = memory.masked_fill(hidden.T.unsqueeze(-1), 0.0)  # 0 · NaN would be NaN
        rows = memory.transpose(0, 1)
        scores = self.scores(self.query(query).transpose(0, 1), self.key(rows))  # (B, T, S)
        if hidden is not None:
            scores = scores.masked_fill(hidden.unsqueeze(1), torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1) if len(memory) else scores
        if hidden is not None:
            weights = weights.masked_fill(hidden.unsqueeze(1), 0.0)  # a row without memory: none
        return torch.bmm(weights, rows).transpose(0, 1), weights.transpose(0, 1)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return how well keys (B, S, A) fit queries (B, T, A): (B, T, S)."""
        raise NotImplementedError


class DotAttention(Attention):
    """The score is the projections' product over √A.

    Source: Luong et al., arXiv 1508.04025, equation 8 ("general", its matrix a product of two);
    the scale is that of Vaswani et al., arXiv 1706.03762, equation 1.
    """

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return q·k/√A: (B, T, S)."""
        return torch.bmm(queries, keys.transpose(1, 2)) / math.sqrt(keys.shape[-1])


class AdditiveAttention(Attention):
    """The score is v·tanh(W·q + U·k).

    It holds B·T·S·A numbers at a time. Source: Bahdanau et al., arXiv 1409.0473, appendix A.1.2.
    """

    def __init__(self, query_size: int, memory_size: int, size: int) -> None:
        super().__init__(query_size, memory_size, size)
        self.v = nn.Linear(size, 1, bias=False)

    def scores(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return v·tanh(q + k): (B, T, S)."""
        sums = queries.unsqueeze(2) + keys.unsqueeze(1)
        return self.v(torch.tanh(sums)).squeeze(-1)  # type: ignore[no-any-return]


def build_attention(name: str, query_size: int, memory_size: int, size: int) -> Attention:
    """Return the attention called `name`; raises `ArgumentError` for another name."""
    if name == "dot":
        return DotAttention(query_size, memory_size, size)
    if name == "additive":
        return AdditiveAttention(query_size, memory_size, size)
    raise ArgumentError(f"attention must be one of {', '.join(ATTENTIONS)}, got {name!r}.")
