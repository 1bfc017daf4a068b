"""Judging forecasters by a walk forward through the end of their series."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.data.series.series_set import SeriesSet
from recurra.errors import DataError
from recurra.networks.heads import check_levels
from recurra.tasks.forecasting.backtest import Backtest, SeriesBacktest
from recurra.tasks.forecasting.baselines import baseline_forecasts, with_quantiles
from recurra.tasks.forecasting.forecast import Forecast
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.forecasting.scores import margin
from recurra.tasks.judging.judged import Judged
from recurra.tasks.judging.scores import Interval, Score

_BLOCK = 20  # steps that may depend on each other, at least


@dataclass(frozen=True)
class SeriesDetails:
    """What was forecast while walking forward, and what comes after the series; None for none."""

    back: Backtest
    forecast: Forecast | None = None


def judge_walk(back: Backtest, forecast: Forecast | None = None) -> Judged:
    """Return the scores of a walk forward beside those of the naive forecasts, and the details."""
    own, *others = back.scores()
    count = sum(len(one.ends) for one in back.series)
    best = min(others, key=lambda one: one.mae).model
    scores = [
        Score(
            "mean absolute error",
            own.mae,
            count,
            "forecasts",
            {one.model: one.mae for one in others},
            higher_is_better=False,
            margin=_margin(back, best),
        )
    ]
    for name, field in (("MASE", "mase"), ("scaled CRPS", "crps")):
        value = getattr(own, field)
        if np.isfinite(value):
            known = {one.model: getattr(one, field) for one in others}
            scores.append(Score(name, value, count, "forecasts", known, higher_is_better=False))
    for share, covered in own.coverage.items():
        scores.append(
            Score(f"coverage of {100 * share:g} % intervals", covered, count, "forecasts")
        )
    return Judged(scores, SeriesDetails(back, forecast))


def walk_over(model: Forecaster, series: SeriesSet) -> Backtest:
    """Return what a fitted model forecasts from each step of new series, and what came.

    The quantiles of the baselines are made of their own errors here, which favours them.

    Raises `DataError` where no series is long enough.
    """
    H = model.state_.H
    first = model.state_.W + model.state_.lag
    ends = [np.arange(first, len(values) - H + 1) for values in series.values]
    if not sum(map(len, ends)):
        raise DataError(f"no series has the {first + H} steps that one window and H need.")
    point, quantiles = model.walk(series, ends)
    levels = check_levels(model.quantiles)
    walks, at = [], 0
    for k, where in enumerate(ends):
        mine = slice(at, at + len(where))
        at += len(where)
        if not len(where):
            continue
        values = series.values[k]
        ahead = where[:, np.newaxis] + np.arange(H)
        made = {"model": (point[mine], quantiles[mine])}
        for name, plain in baseline_forecasts(values, where, H, model.seasonality).items():
            errors = values[ahead] - plain
            made[name] = (plain, with_quantiles(plain, errors, levels))
        walks.append(
            SeriesBacktest(
                series.ids[k],
                where,
                np.zeros(len(where), dtype=np.int64),
                series.times[k][ahead],
                values[ahead],
                made,
                values[:first],
            )
        )
    return Backtest(walks, levels, model.seasonality)


def _margin(back: Backtest, baseline: str) -> Interval | None:
    """Return between what the model's gain over a baseline lies; None for too few forecasts."""
    losses: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = [
        tuple(np.abs(one.y - one.made[name][0]).mean(1) for name in ("model", baseline))
        for one in back.series
    ]
    own, plain = (np.concatenate(parts) for parts in zip(*losses, strict=True))
    block = max(_BLOCK, back.series[0].y.shape[1])
    if len(own) < 2 * block:
        return None
    found = margin(own, plain, block=block)
    return found.low, found.high
