"""What a forecast is at its end: quantiles, or the parameters of a distribution."""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.errors import ArgumentError

HEADS = ("quantile", "gaussian", "student")
_LEAST = 1e-3  # of a standard deviation; a spread of zero has no likelihood


class Head(Protocol):
    """Reads P raw outputs of a network as a forecast; the first one is where it lies."""

    size: int

    def start(self) -> list[float]:
        """Return P raw outputs that stand for about a standard normal distribution."""
        ...

    def spread(self, raw: Tensor) -> Tensor:
        """Return the forecast (..., P) of raw outputs (..., P)."""
        ...

    def loss(self, forecast: Tensor, y: Tensor) -> Tensor:
        """Return how far off each forecast (..., P) of y (...) is: (...)."""
        ...

    def quantiles(self, forecast: Tensor, levels: Sequence[float]) -> Tensor:
        """Return the quantiles (..., Q) of a forecast (..., P) at Q levels."""
        ...


def build_head(kind: str, levels: Sequence[float]) -> Head:
    """Return a head by name; raises `ArgumentError` for another name or for odd levels.

    Args:
        kind: "quantile", "gaussian" or "student".
        levels: Q ascending levels between 0 and 1, which a quantile head learns.
    """
    if kind == "quantile":
        return QuantileHead(levels)
    if kind == "gaussian":
        return GaussianHead()
    if kind == "student":
        return StudentHead()
    raise ArgumentError(f"head={kind!r} is not known; there are {', '.join(HEADS)}.")


def check_levels(levels: Sequence[float], name: str = "quantiles") -> tuple[float, ...]:
    """Return the levels; raises `ArgumentError` unless they ascend between 0 and 1."""
    try:
        given = tuple(float(level) for level in levels)
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} must be numbers between 0 and 1, got {levels!r}.") from None
    rising = all(a < b for a, b in zip((0.0, *given), (*given, 1.0), strict=True))
    if not given or not rising:
        raise ArgumentError(f"{name} must be ascending numbers between 0 and 1, got {levels!r}.")
    return given


class QuantileHead:
    """Quantiles at Q levels, learned by the pinball loss; they never cross.

    The level nearest to one half comes first; the others lie above and below it by steps that are
    positive by construction (softplus), so that quantiles ascend whatever the weights.
    Source: Koenker and Bassett, Econometrica 46 (1978), equation 2.4; the steps as in Gasthaus et
    al., AISTATS 2019, section 3.
    """

    def __init__(self, levels: Sequence[float]) -> None:
        self.levels = check_levels(levels)
        self.size = len(self.levels)
        self.middle = min(range(self.size), key=lambda k: abs(self.levels[k] - 0.5))

    def start(self) -> list[float]:
        """Return the raw outputs whose quantiles are those of a standard normal distribution."""
        at = [NormalDist().inv_cdf(level) for level in self.levels]
        steps = [b - a for a, b in pairwise(at)]
        return [at[self.middle], *(math.log(math.expm1(max(step, 1e-6))) for step in steps)]

    def spread(self, raw: Tensor) -> Tensor:
        """Return ascending quantiles (..., Q) of raw outputs (..., Q)."""
        location, steps = raw[..., :1], F.softplus(raw[..., 1:])
        above = location + steps[..., self.middle :].cumsum(-1)
        below = location - steps[..., : self.middle].flip(-1).cumsum(-1).flip(-1)
        return torch.cat([below, location, above], -1)

    def loss(self, forecast: Tensor, y: Tensor) -> Tensor:
        """Return the mean over levels of 2·max(τe, (τ - 1)e), e = y - quantile: about the CRPS."""
        levels = torch.tensor(self.levels, dtype=forecast.dtype, device=forecast.device)
        e = y.unsqueeze(-1) - forecast
        return 2 * torch.maximum(levels * e, (levels - 1) * e).mean(-1)

    def quantiles(self, forecast: Tensor, levels: Sequence[float]) -> Tensor:
        """Return the quantiles learned; raises `ArgumentError` for other levels."""
        if check_levels(levels) != self.levels:
            raise ArgumentError(f"the model learned the quantiles {self.levels}, not {levels}.")
        return forecast


class GaussianHead:
    """Mean and standard deviation of a normal distribution, learned by its likelihood."""

    size = 2

    def start(self) -> list[float]:
        """Return the raw outputs of a standard normal distribution."""
        return [0.0, math.log(math.expm1(1.0))]

    def spread(self, raw: Tensor) -> Tensor:
        """Return (mean, deviation)."""
        return torch.stack([raw[..., 0], F.softplus(raw[..., 1]) + _LEAST], -1)

    def loss(self, forecast: Tensor, y: Tensor) -> Tensor:
        """Return -log p of y."""
        mean, deviation = forecast.unbind(-1)
        z = (y - mean) / deviation
        return 0.5 * z.square() + deviation.log() + 0.5 * math.log(2 * math.pi)

    def quantiles(self, forecast: Tensor, levels: Sequence[float]) -> Tensor:
        """Return the quantiles at any levels."""
        z = [NormalDist().inv_cdf(level) for level in check_levels(levels)]
        mean, deviation = forecast.unsqueeze(-2).unbind(-1)
        return mean + deviation * torch.tensor(z, dtype=forecast.dtype, device=forecast.device)


class StudentHead:
    """Location, scale and degrees of freedom of Student's t, which has heavier tails.

    At least 2 degrees of freedom, so that there is a mean. Quantiles need scipy, which comes with
    scikit-learn.
    """

    size = 3

    def start(self) -> list[float]:
        """Return the raw outputs of a t distribution with some 8 degrees of freedom."""
        return [0.0, math.log(math.expm1(1.0)), 6.0]

    def spread(self, raw: Tensor) -> Tensor:
        """Return (location, scale, degrees of freedom)."""
        scale, degrees = F.softplus(raw[..., 1]) + _LEAST, F.softplus(raw[..., 2]) + 2
        return torch.stack([raw[..., 0], scale, degrees], -1)

    def loss(self, forecast: Tensor, y: Tensor) -> Tensor:
        """Return -log p of y."""
        location, scale, n = forecast.unbind(-1)
        z = (y - location) / scale
        constant = torch.lgamma(n / 2) - torch.lgamma((n + 1) / 2) + 0.5 * (n * math.pi).log()
        return constant + scale.log() + 0.5 * (n + 1) * torch.log1p(z.square() / n)

    def quantiles(self, forecast: Tensor, levels: Sequence[float]) -> Tensor:
        """Return the quantiles at any levels."""
        from scipy.special import stdtrit

        location, scale, n = forecast.unsqueeze(-2).unbind(-1)
        z = stdtrit(n.detach().cpu().double().numpy(), np.array(check_levels(levels)))
        return location + scale * torch.from_numpy(z).to(forecast)
