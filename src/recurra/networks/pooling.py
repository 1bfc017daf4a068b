"""From a recurrent layer's outputs over time to one vector a row."""

import math

import torch
from torch import Tensor, nn

from recurra.errors import ArgumentError
from recurra.networks.linear import linear_like

POOLINGS = ("last", "mean", "max", "attention", "mix")


class Pooling(nn.Module):
    """Pools outputs over the steps a row has: (T, B, N), lengths (B,) -> (B, output_size).

    Args:
        kind: "last" (each direction's output at its own end), "mean", "max", "attention" (a
            weighted mean, by a learned query: Yang et al., NAACL 2016, equations 5 to 7), or
            "mix": last, mean and max side by side (Howard and Ruder, arXiv 1801.06146).
        size: N.
        directions: 2 where the second half of N runs backwards in time.

    A row without steps pools to zeros. When not training sums are taken in float64, so that a row
    comes to the same result in any batch.
    """

    def __init__(self, kind: str, size: int, directions: int = 1) -> None:
        super().__init__()
        if kind not in POOLINGS:
            raise ArgumentError(f"pooling={kind!r} is not known; there are {', '.join(POOLINGS)}.")
        self.kind, self.directions = kind, directions
        self.output_size = 3 * size if kind == "mix" else size
        if kind == "attention":
            self.key = nn.Linear(size, size)
            self.query = nn.Linear(size, 1, bias=False)

    def forward(self, out: Tensor, lengths: Tensor) -> Tensor:
        """Return the pooled outputs, float64 when not training."""
        if not self.training:
            out = out.double()
        real = (torch.arange(len(out), device=out.device).unsqueeze(1) < lengths).unsqueeze(-1)
        if self.kind == "mix":
            pooled = [self._last(out, lengths), self._mean(out, real, lengths)]
            return torch.cat([*pooled, self._max(out, real)], -1)
        if self.kind == "last":
            return self._last(out, lengths)
        if self.kind == "mean":
            return self._mean(out, real, lengths)
        if self.kind == "max":
            return self._max(out, real)
        return self._attend(out, real)

    def _last(self, out: Tensor, lengths: Tensor) -> Tensor:
        rows = torch.arange(out.shape[1], device=out.device)
        last = out[(lengths - 1).clamp(min=0), rows]
        if self.directions == 2:
            N = out.shape[-1] // 2
            last = torch.cat([last[:, :N], out[0, :, N:]], -1)
        return last * (lengths > 0).unsqueeze(-1)

    def _mean(self, out: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
        return (out * real).sum(0) / lengths.clamp(min=1).unsqueeze(-1)

    def _max(self, out: Tensor, real: Tensor) -> Tensor:
        return out.masked_fill(~real, -math.inf).amax(0).masked_fill(~real[0], 0.0)

    def _attend(self, out: Tensor, real: Tensor) -> Tensor:
        score = self.scores(out)
        # Softmax over the real steps; a row that has none gets zeros.
        weight = score.masked_fill(~real, -math.inf).softmax(0).masked_fill(~real, 0.0)
        return (weight * out).sum(0)

    def scores(self, out: Tensor) -> Tensor:
        """Return how much attention each output (..., N) deserves: (..., 1)."""
        return linear_like(self.query, torch.tanh(linear_like(self.key, out)))
