"""What forecasts stand beside: the last value, its drift, the last season, averages."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
BASELINES = ("naive", "drift", "seasonal naive", "average", "ewma")
DECAY = 0.94  # RiskMetrics Technical Document (J. P. Morgan, 1996), section 5.3, daily data


def baseline_forecasts(
    values: Numbers, ends: NDArray[np.int64], H: int, seasonality: int = 1, decay: float = DECAY
) -> dict[str, Numbers]:
    """Return forecasts of H steps from each of n ends, by values before that end alone.

    "naive" is the last value; "drift" goes on along the line from the first to the last; "seasonal
    naive" is the value `seasonality` steps before (the last value where no season has passed, and
    left out for a seasonality of 1); "average" is that of all so far; "ewma" the exponentially
    weighted one, s_t = decay·s_{t-1} + (1 - decay)·y_t.

    Args:
        values: (T,).
        ends: (n,), from 1 to T: how many steps are seen.
        H: steps ahead.
        seasonality: steps in a season.
        decay: λ of the weighted average.

    Returns (n, H) by name. Source: Hyndman and Athanasopoulos, Forecasting (3rd edition), 5.2.
    """
    last = values[ends - 1]
    ahead = np.arange(1, H + 1)
    slope = (last - values[0]) / np.maximum(ends - 1, 1)
    flat = np.ones(H)
    made = {
        "naive": np.outer(last, flat),
        "drift": last[:, np.newaxis] + np.outer(slope, ahead),
        "average": np.outer((np.cumsum(values) / np.arange(1, len(values) + 1))[ends - 1], flat),
        "ewma": np.outer(weighted_average(values, decay)[ends - 1], flat),
    }
    if seasonality > 1:
        places = ends[:, np.newaxis] - seasonality + (ahead - 1) % seasonality
        seen = values[np.maximum(places, 0)]
        made["seasonal naive"] = np.where(places >= 0, seen, last[:, np.newaxis])
    return made


def weighted_average(values: Numbers, decay: float = DECAY) -> Numbers:
    """Return s_t = decay·s_{t-1} + (1 - decay)·y_t, from s_0 = y_0: (T,)."""
    averages = np.empty(len(values))
    level = float(values[0])
    for t, value in enumerate(values.tolist()):
        level = decay * level + (1 - decay) * value
        averages[t] = level
    return averages


def with_quantiles(forecasts: Numbers, errors: Numbers, levels: Sequence[float]) -> Numbers:
    """Return (n, H, Q): forecasts (n, H) and the quantiles of past errors (m, H) around them."""
    return forecasts[:, :, np.newaxis] + np.quantile(errors, levels, axis=0).T
