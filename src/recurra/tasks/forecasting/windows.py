"""Series cut into windows for a forecaster, scaled, and its forecasts scaled back."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recurra.data.series.series_set import SeriesSet
from recurra.data.series.windows import Windows
from recurra.errors import DataError
from recurra.tasks.forecasting.state import ForecastState, Scale, mean_and_deviation
from recurra.tasks.forecasting.transforms import steps_of, targets_of

Numbers = NDArray[np.float64]
Ends = Sequence[NDArray[np.int64]]


def covariate_scale(series: SeriesSet, lengths: Sequence[int]) -> tuple[list[float], list[float]]:
    """Return mean and deviation of each covariate, past then known, over the first steps."""
    means, deviations = [], []
    for parts in (series.past, series.known):
        for column in range(parts[0].shape[1]):
            rows = [part[:n, column] for part, n in zip(parts, lengths, strict=True)]
            mean, deviation = mean_and_deviation(np.concatenate(rows))
            means.append(mean)
            deviations.append(deviation)
    return means, deviations


def cut_windows(
    state: ForecastState, series: SeriesSet, ends: Ends, transform: str, *, targets: bool
) -> Windows:
    """Return the windows of each series that end before the steps `ends`.

    What is known ahead is read from the series' own rows; `DataError` names the series where they
    do not reach H steps on.
    """
    H, P = state.H, state.past
    mean = np.array(state.covariate_mean)
    deviation = np.array(state.covariate_deviation)
    scales = state.scales_of(series, transform)
    tables, known_parts, target_parts, places = [], [], [], []
    offset = 0
    for k, scale in enumerate(scales):
        values, T = series.values[k], len(series.values[k])
        known = (series.known[k] - mean[P:]) / deviation[P:]
        steps = (steps_of(values, transform, series.ids[k]) - scale.mean) / scale.deviation
        past = (series.past[k] - mean[:P]) / deviation[:P]
        tables.append(np.column_stack([steps, past, known[:T]]))
        ahead = ends[k][:, np.newaxis] + np.arange(H)
        if known.shape[1] and len(ends[k]):
            _check_known(state, series, k, int(ends[k].max()))
            known_parts.append(known[ahead])
        if targets:
            wanted = targets_of(values[ends[k] - 1], values[ahead], transform, series.ids[k])
            target_parts.append((wanted - np.array(scale.centre)) / np.array(scale.spread))
        places.append(ends[k] + offset)
        offset += T
    counts = [len(part) for part in ends]
    return Windows(
        np.concatenate(tables),
        np.concatenate(places),
        state.W,
        np.repeat(state.numbers_of(series.ids), counts),
        np.concatenate(known_parts) if known_parts else None,
        np.concatenate(target_parts) if target_parts else None,
    )


def _check_known(state: ForecastState, series: SeriesSet, k: int, end: int) -> None:
    missing = end + state.H - len(series.known[k])
    if missing > 0:
        raise DataError(
            f"series {series.ids[k]!r}: {', '.join(state.known_names)} must be known {state.H} "
            f"steps ahead, and {missing} of them are not there; give rows for them without a "
            "value, or known=."
        )


def scale_back(
    forecast: Numbers, scales: Sequence[Scale], counts: Sequence[int], H: int
) -> Numbers:
    """Return forecasts (n, H, ...) of windows in the transform's own units, not its spread's.

    Args:
        forecast: those of counts[0] windows of the first series, and so on.
        scales: one a series.
        counts: how many windows of each.
        H: steps ahead.
    """
    centre = np.repeat([scale.centre for scale in scales], counts, axis=0)
    spread = np.repeat([scale.spread for scale in scales], counts, axis=0)
    shape = (-1, H) + (1,) * (forecast.ndim - 2)
    return np.asarray(forecast * spread.reshape(shape) + centre.reshape(shape))


def row_windows(
    state: ForecastState,
    rows: Sequence[Numbers],
    transform: str,
    y: Numbers | None = None,
    weights: Numbers | None = None,
) -> Windows:
    """Return n rows (T, F), each a window of its own, with what follows, y (n, H), if known."""
    T = state.W + state.lag
    n = len(rows)
    table = np.array(rows, dtype=np.float64).reshape(n, T, state.features)
    scale = state.scales[0]
    steps = (steps_of(table[:, :, 0], transform, "X") - scale.mean) / scale.deviation
    rest = (table[:, :, 1:] - np.array(state.covariate_mean)) / np.array(state.covariate_deviation)
    full = np.concatenate([steps[:, :, np.newaxis], rest], -1)
    targets = None
    if y is not None:
        wanted = targets_of(table[:, -1, 0], y, transform, "y")
        targets = (wanted - np.array(scale.centre)) / np.array(scale.spread)
    return Windows(
        full.reshape(n * T, state.features),
        (np.arange(n) + 1) * T,
        state.W,
        np.zeros(n, dtype=np.int64),
        targets=targets,
        weights=weights,
    )
