"""Pooling that goes on: what `Pooling` makes of all steps, kept while they come in."""

import math

import torch
from torch import Tensor

from recurra.networks.pooling import Pooling

Kept = dict[str, Tensor]


class RunningPool:
    """Pools the steps of B streams as they come; the same as `Pooling` of all of them.

    What is kept of a stream is some vectors, however many steps it has.

    Args:
        pooling: a network's, of one direction.
    """

    def __init__(self, pooling: Pooling) -> None:
        self.pooling = pooling

    def start(self, features: int) -> Kept:
        """Return what is kept of a stream without steps: vectors, float64."""
        zeros = torch.zeros(features, dtype=torch.float64)
        nothing = torch.full((features,), -math.inf, dtype=torch.float64)
        kept = {
            "last": zeros,
            "sum": zeros.clone(),
            "max": nothing,
            "steps": torch.zeros(1, dtype=torch.float64),
        }
        if self.pooling.kind == "attention":
            kept |= {"top": nothing[:1].clone(), "weight": zeros[:1].clone()}
        return kept

    def update(self, kept: Kept, out: Tensor, lengths: Tensor) -> Kept:
        """Return what is kept after more steps.

        Args:
            kept: of B streams, each (B, ...).
            out: (T, B, N), their outputs at the new steps; lengths: (B,), how many each has.
        """
        out = out.double()
        rows = torch.arange(out.shape[1], device=out.device)
        real = (torch.arange(len(out), device=out.device).unsqueeze(1) < lengths).unsqueeze(-1)
        some = (lengths > 0).unsqueeze(-1)
        new = {
            "last": torch.where(some, out[(lengths - 1).clamp(min=0), rows], kept["last"]),
            "sum": kept["sum"],
            "max": torch.maximum(kept["max"], out.masked_fill(~real, -math.inf).amax(0)),
            "steps": kept["steps"] + lengths.unsqueeze(-1),
        }
        if self.pooling.kind != "attention":
            return new | {"sum": kept["sum"] + (out * real).sum(0)}
        score = self.pooling.scores(out).masked_fill(~real, -math.inf)
        top = torch.maximum(kept["top"], score.amax(0))
        # Nothing has come yet where the top is minus infinity.
        level = torch.where(top.isfinite(), top, 0.0)
        fade, weight = (kept["top"] - level).exp(), (score - level).exp()
        return new | {
            "sum": kept["sum"] * fade + (out * weight).sum(0),
            "weight": kept["weight"] * fade + weight.sum(0),
            "top": top,
        }

    def pooled(self, kept: Kept) -> Tensor:
        """Return the pooled outputs of B streams so far: (B, output_size) float64."""
        kind, some = self.pooling.kind, kept["steps"] > 0
        mean = kept["sum"] / kept["steps"].clamp(min=1)
        most = torch.where(some, kept["max"], 0.0)
        if kind == "mix":
            return torch.cat([kept["last"], mean, most], -1)
        if kind == "attention":
            return torch.where(some, kept["sum"] / kept["weight"].clamp(min=1e-300), 0.0)
        return {"last": kept["last"], "mean": mean, "max": most}[kind]
