"""Symbols as features, and the dropout of whole features."""

import math

import torch
from torch import Tensor, nn


def embedding(count: int, size: int, deviation: float = 1.0) -> nn.Embedding:
    """Return an embedding (count, size) drawn uniformly, of the standard deviation given.

    torch draws its own from a normal distribution, for which the meta device, where saved models
    are built, imports a second's worth of torch's compiler.
    """
    edge = math.sqrt(3) * deviation
    return nn.Embedding.from_pretrained(  # type: ignore[no-any-return, no-untyped-call]
        torch.empty(count, size).uniform_(-edge, edge), freeze=False
    )


def drop_features(x: Tensor, rate: float) -> Tensor:
    """Zero features of x (T, B, N), for each sequence the same ones at every step.

    Locked dropout: Merity et al., arXiv 1708.02182, section 4.1.
    """
    return x * nn.functional.dropout(torch.ones_like(x[:1]), rate) if rate else x
