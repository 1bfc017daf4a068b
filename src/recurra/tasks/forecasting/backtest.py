"""Walking forward through series: what would have been forecast at each step, and what came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recurra.data.series.series_set import SeriesSet
from recurra.data.series.times import read_times
from recurra.errors import ArgumentError, DataError
from recurra.networks.heads import check_levels
from recurra.tasks.forecasting.baselines import baseline_forecasts, with_quantiles
from recurra.tasks.forecasting.conformal import rolling_shifts, shifted
from recurra.tasks.forecasting.fitting import series_ends
from recurra.tasks.forecasting.model import ForecastModel
from recurra.tasks.forecasting.scores import ForecastScore, score_forecasts
from recurra.tasks.forecasting.transforms import lag_of
from recurra.tasks.forecasting.windows import cut_windows

Numbers = NDArray[np.float64]
Model = TypeVar("Model", bound=ForecastModel)


@dataclass(frozen=True)
class SeriesBacktest:
    """Forecasts of one series.

    ends: (n,), the step before which each was made; fold: (n,), the part it lies in; times (n, H)
    and y (n, H): when and what came; made: for "model" and each baseline, point (n, H) and
    quantiles (n, H, Q); learned: (T,), the values before the first forecast.
    """

    id: str
    ends: NDArray[np.int64]
    fold: NDArray[np.int64]
    times: NDArray[Any]
    y: Numbers
    made: dict[str, tuple[Numbers, Numbers]]
    learned: Numbers


@dataclass(frozen=True)
class Backtest:
    """What a walk through n series came to: each series' forecasts, the levels, the season."""

    series: list[SeriesBacktest]
    levels: tuple[float, ...]
    seasonality: int

    def scores(self, fold: int | None = None) -> list[ForecastScore]:
        """Return the scores of the model and of each baseline, over all folds or in one."""
        rows = {
            one.id: np.arange(len(one.ends)) if fold is None else np.flatnonzero(one.fold == fold)
            for one in self.series
        }
        came = {one.id: one.y[rows[one.id]] for one in self.series}
        made = {
            model: {
                one.id: (one.made[model][0][rows[one.id]], one.made[model][1][rows[one.id]])
                for one in self.series
            }
            for model in self.series[0].made
        }
        learned = {one.id: one.learned for one in self.series}
        return score_forecasts(came, made, self.levels, learned, self.seasonality)

    def to_frame(self) -> Any:
        """Return a pandas frame: a row a forecast and step ahead, with each model's point."""
        import pandas as pd

        frames = []
        for one in self.series:
            n, H = one.y.shape
            columns: dict[str, Any] = {
                "unique_id": one.id,
                "made_before": np.repeat(one.ends, H),
                "step": np.tile(np.arange(1, H + 1), n),
                "ds": one.times.ravel(),
                "y": one.y.ravel(),
            }
            for model, (point, quantiles) in one.made.items():
                columns[model] = point.ravel()
                if model == "model":
                    for k, level in enumerate(self.levels):
                        columns[f"q{level:g}"] = quantiles[:, :, k].ravel()
            frames.append(pd.DataFrame(columns))
        return pd.concat(frames, ignore_index=True)


def run_backtest(
    model: ForecastModel,
    series: SeriesSet,
    *,
    start: float | str,
    step: int,
    folds: int,
    refit: bool,
    rolling: int | None,
) -> Backtest:
    """Walk forward; `Forecaster.backtest` says how. Nothing after a step counts before it."""
    for name, value in (("step", step), ("folds", folds), ("rolling", rolling)):
        whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if not whole and not (name == "rolling" and value is None):
            raise ArgumentError(f"{name} must be a whole number of at least 1, got {value!r}.")
    H = model.horizon
    firsts = [_first(series, k, start) for k in range(len(series))]
    tests = []
    for name, values, first in zip(series.ids, series.values, firsts, strict=True):
        if first + H > len(values):
            raise DataError(
                f"series {name!r} has {len(values)} steps: after {first} of them none is left to "
                f"forecast {H} ahead. Give a smaller start= or horizon=."
            )
        tests.append(np.arange(first, len(values) - H + 1, step))
    borders = [np.array_split(test, folds) for test in tests]
    fitted, made = model, []
    for fold in range(folds):
        ends = [parts[fold] for parts in borders]
        if fold == 0 or (refit and all(map(len, ends))):
            lengths = [
                int(part[0]) if len(part) else n for part, n in zip(ends, firsts, strict=True)
            ]
            fitted = _fresh(model).fit_series(series.cut(lengths))
        made.append(_forecast(fitted, series, lengths, ends, rolling))
    walks = []
    levels = check_levels(model.quantiles)
    for k, first in enumerate(firsts):
        parts = [one[k] for one in made]
        forecast = (np.concatenate([p for p, _ in parts]), np.concatenate([q for _, q in parts]))
        numbers = np.repeat(np.arange(folds), [len(part) for part in borders[k]])
        walks.append(_walked(model, series, k, first, tests[k], numbers, forecast, levels))
    return Backtest(walks, levels, model.seasonality)


def _first(series: SeriesSet, k: int, start: float | str) -> int:
    """Return how many steps of a series lie before the first forecast."""
    T = len(series.values[k])
    if isinstance(start, str):
        return int(np.searchsorted(series.times[k], read_times([start], "start")[0]))
    if isinstance(start, bool) or not isinstance(start, int | float) or not 0 < start < 1:
        raise ArgumentError(f"start must be a share above 0 and below 1, or a time; got {start!r}.")
    return int(start * T)


def _fresh(model: Model) -> Model:
    return type(model)(**model.get_params(deep=False))


def _forecast(
    model: ForecastModel,
    series: SeriesSet,
    lengths: Sequence[int],
    ends: Sequence[NDArray[np.int64]],
    rolling: int | None,
) -> list[tuple[Numbers, Numbers]]:
    """Return each series' point and quantiles from its `ends`, calibrated on what was known."""
    # The part held out of the fit has outcomes to calibrate the first forecasts by.
    _, held, _ = series_ends(
        series.cut(lengths),
        model.window,
        model.horizon,
        model.series_transform,
        model.validation_fraction,
    )
    known_too = [np.concatenate(pair) for pair in zip(held, ends, strict=True)]
    windows = cut_windows(model.state_, series, known_too, model.series_transform, targets=True)
    scaled = model.scaled_quantiles(windows)
    assert windows.targets is not None
    parts, place = [], 0
    for before, after in zip(held, known_too, strict=True):
        mine = slice(place, place + len(after))
        shifts = np.full(scaled[mine].shape, np.nan)
        if rolling is not None and model.calibrate:
            shifts = rolling_shifts(
                scaled[mine], windows.targets[mine], model.quantiles, after, rolling
            )
        shifts = np.where(np.isnan(shifts), np.array(model.state_.shifts), shifts)
        parts.append(shifted(scaled[mine], shifts, model.quantiles)[len(before) :])
        place += len(after)
    point, quantiles = model.finish(np.concatenate(parts), series, ends)
    cuts = np.cumsum([len(part) for part in ends])[:-1]
    return list(zip(np.split(point, cuts), np.split(quantiles, cuts), strict=True))


def _walked(
    model: ForecastModel,
    series: SeriesSet,
    k: int,
    first: int,
    ends: NDArray[np.int64],
    fold: NDArray[np.int64],
    forecast: tuple[Numbers, Numbers],
    levels: Sequence[float],
) -> SeriesBacktest:
    """Return one series' forecasts with the baselines', whose errors before the first one count."""
    values, H = series.values[k], model.horizon
    learned = np.arange(model.window + lag_of(model.series_transform), first - H + 1)
    ahead = np.arange(H)
    before = baseline_forecasts(values, learned, H, model.seasonality)
    after = baseline_forecasts(values, ends, H, model.seasonality)
    came = values[learned[:, np.newaxis] + ahead]
    made = {"model": forecast}
    for name, point in after.items():
        made[name] = (point, with_quantiles(point, came - before[name], levels))
    where = ends[:, np.newaxis] + ahead
    return SeriesBacktest(
        series.ids[k], ends, fold, series.times[k][where], values[where], made, values[:first]
    )
