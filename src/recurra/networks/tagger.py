"""Answers step by step: a tag for every step, or a word for one of them."""

from typing import Any

import torch
from torch import Tensor, nn

from recurra.networks.encoder import Encoder
from recurra.networks.linear import linear_like


class TaggerNetwork(nn.Module):
    """Reads a sequence and maps what it has read at each step to C scores: many to many, aligned.

    Args:
        encoder: reads the sequence, in both directions if a tag may depend on what follows.
        outputs: C.
    """

    def __init__(self, encoder: Encoder, outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.output_size, outputs)

    def forward(self, batch: Any, lengths: Tensor) -> Tensor:
        """Return (T, B, C); float64 when not training, so that a row is the same in any batch."""
        out, _ = self.encoder(batch, lengths)
        return self.scores(out)

    def scores(self, out: Tensor) -> Tensor:
        """Return the scores (..., C) of the layer's outputs; float64 when not training."""
        if not self.training:
            out = out.double()
        return linear_like(self.head, out)


class BlankNetwork(TaggerNetwork):
    """Reads a sequence with a blank and answers at the blank alone.

    There a layer running forward has read what stands before it, one running backward what stands
    after it: their states side by side are all that the answer is made of. A network of one
    direction sees the left alone.
    """

    def forward(self, batch: Any, lengths: Tensor) -> Tensor:
        """Return (B, C), the scores of what belongs in the blank.

        Args:
            batch: what the reader takes, and the step of each row's blank (B,).
            lengths: (B,).
        """
        inputs, blank = batch
        out, _ = self.encoder(inputs, lengths)
        return self.scores(out[blank, torch.arange(len(blank), device=blank.device)])
