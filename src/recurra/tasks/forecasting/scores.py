"""How good forecasts are: errors, scaled errors, coverage, and whether a margin is chance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.errors import ArgumentError, DataError

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ForecastScore:
    """How good one model is, over all series and steps.

    mae: mean absolute error; mase: that in units of the seasonal naive forecast's on the part
    learned from (nan where that never errs); crps: the continuous ranked probability score by the
    quantiles, in units of the mean absolute value (nan where that is zero); coverage: for each pair
    of levels that belong together, the share of outcomes between, by the share that should be.
    """

    model: str
    mae: float
    mase: float
    crps: float
    coverage: Mapping[float, float]


@dataclass(frozen=True)
class Margin:
    """How much lower one mean is than another, with an interval.

    margin: the mean of b - a; low, high: the interval's ends; level: its confidence.
    """

    margin: float
    low: float
    high: float
    level: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low > 0 or self.high < 0


def interval_pairs(levels: Sequence[float]) -> dict[float, tuple[int, int]]:
    """Return for each share of outcomes (0.9, ...) the places of the two levels around it."""
    pairs = {}
    for k, level in enumerate(levels):
        for m in range(k + 1, len(levels)):
            if abs(level + levels[m] - 1) < 1e-9:
                pairs[round(levels[m] - level, 6)] = (k, m)
    return dict(sorted(pairs.items()))


def score_forecasts(
    came: Mapping[str, Numbers],
    made: Mapping[str, Mapping[str, tuple[Numbers, Numbers]]],
    levels: Sequence[float],
    learned: Mapping[str, Numbers],
    seasonality: int = 1,
) -> list[ForecastScore]:
    """Score forecasts with utilsforecast's metrics, each the mean over series.

    Args:
        came: for each series (n, H), what came.
        made: for each model and series, point (n, H) and quantiles (n, H, Q).
        levels: Q.
        learned: for each series (T,), what was learned from, which the scaled error is scaled by.
        seasonality: steps in a season, for that.

    Raises `DataError` where there is nothing to score.
    """
    import pandas as pd
    import utilsforecast.losses as metrics

    if not any(y.size for y in came.values()):
        raise DataError("there are no forecasts to score.")
    parts = []
    for name, y in came.items():
        columns = {"unique_id": name, "ds": np.arange(y.size), "y": y.ravel()}
        for model, forecasts in made.items():
            point, quantiles = forecasts[name]
            columns[model] = point.ravel()
            for k in range(len(levels)):
                columns[f"{model}|{k}"] = quantiles[:, :, k].ravel()
        parts.append(pd.DataFrame(columns))
    frame = pd.concat(parts, ignore_index=True)
    past = pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": np.arange(len(values)), "y": values})
            for name, values in learned.items()
        ],
        ignore_index=True,
    )
    models = list(made)
    by_level = {model: [f"{model}|{k}" for k in range(len(levels))] for model in models}
    mae = metrics.mae(frame, models).set_index("unique_id").mean()
    crps = metrics.scaled_crps(frame, by_level, np.array(levels)).set_index("unique_id").mean()
    mase = _mase(frame, past, models, seasonality)
    shares: dict[str, dict[float, float]] = {model: {} for model in models}
    for share, (low, high) in interval_pairs(levels).items():
        named = {}
        for model in models:
            named[f"{model}-lo-0"] = frame[f"{model}|{low}"]
            named[f"{model}-hi-0"] = frame[f"{model}|{high}"]
        covered = metrics.coverage(frame[["unique_id", "y"]].assign(**named), models, 0)
        means = covered.set_index("unique_id").mean()
        for model in models:
            shares[model][share] = float(means[model])
    flat = not np.abs(frame["y"]).sum()
    return [
        ForecastScore(
            m, float(mae[m]), mase[m], float("nan") if flat else float(crps[m]), shares[m]
        )
        for m in models
    ]


def _mase(frame: Any, past: Any, models: list[str], seasonality: int) -> dict[str, float]:
    import utilsforecast.losses as metrics

    # A series that never changed has no scale: its scaled error is left out.
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = metrics.mase(frame, models, seasonality, past).set_index("unique_id")
    scaled = scaled.where(np.isfinite(scaled))
    return {model: float(scaled[model].mean()) for model in models}


def qlike(variance: Numbers, forecast: Numbers) -> Numbers:
    """Return σ²/h - ln(σ²/h) - 1 for a variance σ² and its forecast h: 0 where they are equal.

    It ranks forecasts of a variance rightly though only a noisy measure of it is seen; missing low
    costs more than missing high. Source: Patton, Journal of Econometrics 160 (2011), equation 24.
    Raises `DataError` for numbers that are not above 0.
    """
    if (variance <= 0).any() or (forecast <= 0).any():
        raise DataError("QLIKE needs variances and forecasts above 0.")
    ratio = variance / forecast
    return np.asarray(ratio - np.log(ratio) - 1)


def margin(
    a: Numbers,
    b: Numbers,
    *,
    block: int = 20,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> Margin:
    """Return by how much the mean of losses a is below that of b, with a bootstrap interval.

    Blocks of `block` steps that follow one another are drawn with replacement, so that the losses
    of neighbours may depend on each other: the moving-block bootstrap, Künsch, Annals of Statistics
    17 (1989), section 2; its percentiles.

    Args:
        a, b: (n,), losses of the same steps in the order of time.
        block: steps a block.
        draws: how many samples.
        level: of the interval.
        seed: of the draws.

    Raises `ArgumentError` unless both are of (n,) with n at least 2 blocks.
    """
    if a.shape != b.shape or a.ndim != 1 or not 1 <= block <= len(a) // 2:
        raise ArgumentError(
            f"a and b must be losses of the same n steps, at least 2 blocks of {block}; got "
            f"{a.shape} and {b.shape}."
        )
    d, n = b - a, len(a)
    # A block's sum is a difference of two running sums.
    running = np.concatenate([[0.0], np.cumsum(d)])
    sums = torch.from_numpy(running[block:] - running[:-block])
    count = -(-n // block)
    draw = torch.Generator().manual_seed(seed)
    chosen = torch.randint(len(sums), (draws, count), generator=draw)
    means = (sums[chosen].sum(1) / (count * block)).numpy()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Margin(float(d.mean()), float(low), float(high), level)
