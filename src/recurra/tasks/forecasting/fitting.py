"""What a forecaster does with its data before and after it learns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import Examples
from recurra.data.inputs import Inputs, read_inputs
from recurra.data.sequences import check_weights
from recurra.data.series.series_set import SeriesSet
from recurra.errors import DataError
from recurra.tasks.forecasting.baselines import baseline_forecasts
from recurra.tasks.forecasting.state import ForecastState, Scale
from recurra.tasks.forecasting.transforms import lag_of, steps_of, targets_of
from recurra.tasks.forecasting.windows import covariate_scale
from recurra.tasks.targets import read_numbers

Numbers = NDArray[np.float64]
Ends = list[NDArray[np.int64]]


def series_ends(
    series: SeriesSet, W: int, H: int, transform: str, fraction: float
) -> tuple[Ends, Ends, list[int]]:
    """Return where windows end, those to learn from and those held out, and where those part.

    Held out is what comes after the last `fraction` of a series begins; no window learned from
    has a target there. A series always keeps one window to learn from.
    Raises `DataError` for a series too short for one.
    """
    first = W + lag_of(transform)
    train, valid, cuts = [], [], []
    for name, values in zip(series.ids, series.values, strict=True):
        T = len(values)
        if first + H > T:
            raise DataError(
                f"series {name!r} has {T} steps, but a window of {W} and a horizon of {H}"
                f"{' and a difference' if first > W else ''} need {first + H}: give more steps, or "
                "make window= or horizon= smaller."
            )
        cut = max(T - int(fraction * T), first + H)
        train.append(np.arange(first, cut - H + 1))
        valid.append(np.arange(cut, T - H + 1))
        cuts.append(cut)
    return train, valid, cuts


def series_state(
    series: SeriesSet, cuts: Sequence[int], W: int, H: int, transform: str
) -> ForecastState:
    """Return what is learned of the series' first steps before a network is built."""
    mean, deviation = covariate_scale(series, cuts)
    scales = [
        Scale.of(values[:cut], transform, H, name)
        for values, cut, name in zip(series.values, cuts, series.ids, strict=True)
    ]
    return ForecastState(
        kind="series",
        W=W,
        H=H,
        lag=lag_of(transform),
        ids=series.ids,
        scales=scales,
        covariate_mean=mean,
        covariate_deviation=deviation,
        past_names=list(series.past_names),
        known_names=list(series.known_names),
    )


def read_rows(X: Any, y: Any, sample_weight: Any) -> tuple[Inputs, Examples, bool]:
    """Read rows and what follows each; whether that is one number a row comes last."""
    inputs = read_inputs(X)
    if inputs.kind != "numbers":
        raise DataError("X must be numbers: rows (n, W), or an array (n, W, F).")
    lengths = sorted({len(row) for row in inputs.rows})
    if len(lengths) > 1:
        raise DataError(
            f"the rows of X have from {lengths[0]} to {lengths[-1]} steps; windows must be of one "
            "length. Without y the rows are whole series, which may differ."
        )
    targets = read_numbers(y)
    if len(targets) != len(inputs):
        raise DataError(f"y has {len(targets)} targets for the {len(inputs)} rows of X.")
    weights = check_weights(sample_weight, len(inputs))
    w = np.ones(len(inputs)) if weights is None else np.array(weights)
    flat = targets.ndim == 1
    return inputs, Examples(inputs.rows, list(targets.reshape(len(targets), -1)), w), flat


def row_state(inputs: Inputs, train: Examples, flat: bool, transform: str) -> ForecastState:
    """Return what is learned of the training rows before a network is built."""
    table, y = np.array(train.inputs), np.array(train.targets)
    lag, T = lag_of(transform), table.shape[1]
    if not T - lag:
        raise DataError(
            f"rows of {T} step have no difference: series_transform={transform!r} needs 2."
        )
    steps = steps_of(table[:, :, 0], transform, "X")[:, lag:]
    wanted = targets_of(table[:, -1, 0], y, transform, "y")
    mean, deviation = _weighted(steps.reshape(-1, 1), np.repeat(train.weights, T - lag))
    centre, spread = _weighted(wanted, train.weights)
    rest = table[:, :, 1:].reshape(len(table) * T, inputs.features - 1)
    rest_mean, rest_deviation = _weighted(rest, np.repeat(train.weights, T))
    scale = Scale(mean=mean[0], deviation=deviation[0], centre=centre, spread=spread)
    return ForecastState(
        kind="windows",
        W=T - lag,
        H=y.shape[1],
        lag=lag,
        scales=[scale],
        covariate_mean=rest_mean,
        covariate_deviation=rest_deviation,
        features=inputs.features,
        columns=inputs.columns,
        flat=flat,
    )


def judge_series(
    series: SeriesSet, ends: Sequence[NDArray[np.int64]], point: Numbers, seasonality: int
) -> dict[str, float]:
    """Return the mean absolute error of the forecasts, and of each baseline from the same steps."""
    H = point.shape[1]
    parts = [
        baseline_forecasts(values, end, H, seasonality)
        for values, end in zip(series.values, ends, strict=True)
        if len(end)
    ]
    made = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    came = [v[e[:, np.newaxis] + np.arange(H)] for v, e in zip(series.values, ends, strict=True)]
    came_in_all = np.concatenate(came)
    return mean_errors({"model": point, **made}, came_in_all, np.ones(len(came_in_all)))


def row_baselines(train: Examples, judged: Examples) -> dict[str, Numbers]:
    """Return forecasts of the judged rows: the last value, and the mean of what followed."""
    H = len(judged.targets[0])
    last = np.array([row[-1, 0] for row in judged.inputs])
    mean = np.average(np.array(train.targets), axis=0, weights=train.weights)
    flat = np.ones(H)
    return {"naive": np.outer(last, flat), "average": np.outer(np.ones(len(last)), mean)}


def mean_errors(made: Mapping[str, Numbers], came: Numbers, weights: Numbers) -> dict[str, float]:
    """Return the mean absolute error of each forecast (n, H)."""
    return {
        name: float(np.average(np.abs(came - one).mean(1), weights=weights))
        for name, one in made.items()
    }


def _weighted(values: Numbers, weights: Numbers) -> tuple[list[float], list[float]]:
    """Return mean and deviation of each column, 1 for a deviation that is none."""
    if not values.shape[1]:
        return [], []
    mean = np.average(values, axis=0, weights=weights)
    deviation = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    deviation[deviation <= 1e-12 * np.abs(mean)] = 1.0
    return mean.tolist(), deviation.tolist()
