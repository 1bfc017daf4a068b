"""A forecast: when, how much, how sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.series.times import Times
from recurra.errors import ArgumentError
from recurra.networks.heads import check_levels

Numbers = NDArray[np.float64]
_GRID = 199  # quantiles a mean is taken over


@dataclass(frozen=True)
class Forecast:
    """What comes after n series.

    ids: n names; times: for each (H,), the steps ahead; point: (n, H); quantiles: (n, H, Q), at
    `levels`; past_times, past: for each series the last steps seen and their values.
    """

    ids: list[str]
    times: list[Times]
    point: Numbers
    quantiles: Numbers
    levels: tuple[float, ...]
    past_times: list[Times]
    past: list[Numbers]

    def to_frame(self) -> Any:
        """Return a pandas frame: unique_id, ds, forecast and a column a level, as q0.05."""
        import pandas as pd

        H = self.point.shape[1]
        columns: dict[str, Any] = {
            "unique_id": np.repeat(self.ids, H),
            "ds": np.concatenate(self.times),
            "forecast": self.point.ravel(),
        }
        for k, level in enumerate(self.levels):
            columns[f"q{level:g}"] = self.quantiles[:, :, k].ravel()
        return pd.DataFrame(columns)


def between(quantiles: Numbers, levels: Sequence[float], wanted: Sequence[float]) -> Numbers:
    """Return quantiles (..., Q') at other levels, on lines between those given (..., Q).

    The lines are drawn over the normal distribution's quantiles, so that those of a normal
    distribution are exact; beyond the first and the last level they go on as they were.
    """
    z = np.array([NormalDist().inv_cdf(level) for level in levels])
    at = np.array([NormalDist().inv_cdf(level) for level in wanted])
    if len(z) == 1:
        return np.repeat(quantiles, len(at), axis=-1)
    k = np.clip(np.searchsorted(z, at), 1, len(z) - 1)
    share = (at - z[k - 1]) / (z[k] - z[k - 1])
    low, high = quantiles[..., k - 1], quantiles[..., k]
    # So that a level that was given comes back as it was.
    return np.where(share == 1.0, high, low + share * (high - low))


def check_wanted(wanted: Sequence[float], levels: Sequence[float]) -> tuple[float, ...]:
    """Return the levels wanted; raises `ArgumentError` for one beyond those learned."""
    given = check_levels(wanted, "levels")
    if given[0] < levels[0] or given[-1] > levels[-1]:
        raise ArgumentError(
            f"levels from {given[0]:g} to {given[-1]:g} were asked for, but the model learned "
            f"{levels[0]:g} to {levels[-1]:g}: fit it with quantiles= that reach further."
        )
    return given


def middle_grid() -> list[float]:
    """Return the levels in the middle of equal slices of 0 to 1, which a mean is taken over."""
    return [(k + 0.5) / _GRID for k in range(_GRID)]
