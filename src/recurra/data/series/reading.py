"""Series from what users have: frames and files, wide or long, dicts, arrays."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from recurra.data.series.series_set import Numbers, RawSeries, SeriesSet, checked
from recurra.data.series.times import Times, read_times
from recurra.data.tables.table import columns_of, read_columns, shown_cell
from recurra.errors import ArgumentTypeError, DataError

_TIME_NAMES = ("ds", "date", "time", "timestamp", "datetime")


def read_series(
    data: Any,
    *,
    id: str = "unique_id",
    time: str | None = None,
    target: str = "y",
    past: Sequence[str] = (),
    known: Sequence[str] = (),
    gaps: str = "refuse",
) -> SeriesSet:
    """Read series of numbers.

    A table with the column `target` is long: a row a series and time, the columns `id` (not
    needed for one series), `time`, `target` and the covariates. Any other table is wide: a column
    a series, and one of times.

    Args:
        data: a frame of pandas or polars, a column of pandas with its index, the path of a file,
            a dict of arrays (T,) by name, an array (T,), an array (n, T) whose rows are series,
            or a `SeriesSet`, which is returned as it is.
        id, time, target: the names of columns; `time` None takes the first of ds, date, time,
            timestamp, datetime that is there in any case of letters, else the index of a frame,
            else the steps are numbered.
        past: columns of a long table that are known up to now only.
        known: columns of a long table that are known ahead; rows at a series' end without a value
            of the target hold them for its future.
        gaps: "refuse", "fill" (with the last value) or "ignore" (steps count, not the clock).

    Returns the series, sorted by time. Raises `DataError` that names series and time,
    `ArgumentTypeError` for anything that is no series.
    """
    if isinstance(data, SeriesSet):
        return data
    if isinstance(data, np.ndarray) or (isinstance(data, list | tuple) and len(data)):
        _no_covariates(past, known, "an array")
        return checked(_from_array(np.asarray(data)), gaps)
    columns = _columns(data)
    if target in columns:
        return checked(_long(columns, id, time, target, past, known), gaps, past, known)
    _no_covariates(past, known, f"a table without the column {target!r}")
    return checked(_wide(columns, time), gaps)


def _no_covariates(past: Sequence[str], known: Sequence[str], what: str) -> None:
    if past or known:
        raise DataError(
            f"past={list(past)} and known={list(known)} name columns of a long table, but this is "
            f"{what}."
        )


def _from_array(data: Any) -> list[RawSeries]:
    values = _numbers(data, "the series")
    if values.ndim == 1:
        return [_raw("y", np.arange(len(values)), values)]
    if values.ndim != 2:
        raise DataError(f"series are an array (T,) or (n, T), got {values.shape}.")
    return [_raw(str(k), np.arange(len(row)), row) for k, row in enumerate(values)]


def _columns(data: Any) -> dict[str, Any]:
    """Return a table as its columns by name; the index of a frame under the name None."""
    if isinstance(data, Mapping):
        return {str(name): column for name, column in data.items()}
    if isinstance(data, str | PathLike):
        return _from_file(data)
    if hasattr(data, "to_frame") and not hasattr(data, "columns"):  # a column of pandas
        data = data.to_frame(name=str(data.name or "series"))
    if not hasattr(data, "columns"):
        raise ArgumentTypeError(
            "series are a frame, a dict of arrays, an array or the path of a file, got "
            f"{type(data).__name__}."
        )
    names = [str(name) for name in data.columns]
    if len(set(names)) < len(names):
        raise DataError(f"the table has two columns of one name: {', '.join(names)}.")
    columns = {str(name): data[name] for name in data.columns}
    index = getattr(data, "index", None)
    if index is not None and not any(name.casefold() in _TIME_NAMES for name in names):
        if type(index).__name__ == "DatetimeIndex":
            columns = {"ds": index.to_series(), **columns}
        elif type(index).__name__ == "PeriodIndex":
            columns = {"ds": index.to_timestamp().to_series(), **columns}
    return columns


def _from_file(path: Any) -> dict[str, Any]:
    names = columns_of(path)
    return {name: _cells(cells) for name, cells in read_columns(path, names).items()}


def _cells(cells: Sequence[Any]) -> Any:
    """Return a file's cells as numbers where all are, empty ones being missing."""
    given = [None if cell is None or str(cell).strip() == "" else cell for cell in cells]
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in given])
    except (TypeError, ValueError):
        return np.array([None if cell is None else str(cell) for cell in given], dtype=object)


def _time_column(columns: Mapping[str, Any], time: str | None) -> str | None:
    if time is not None:
        if time not in columns:
            raise DataError(f"there is no column {time!r}; there are {', '.join(columns)}.")
        return time
    folded = {name.casefold(): name for name in reversed(list(columns))}
    return next((folded[name] for name in _TIME_NAMES if name in folded), None)


def _wide(columns: Mapping[str, Any], time: str | None) -> list[RawSeries]:
    at = _time_column(columns, time)
    names = [name for name in columns if name != at]
    if not names:
        raise DataError("the table has no series: a column of times and nothing else.")
    lengths = {name: len(columns[name]) for name in names}
    times = None if at is None else read_times(columns[at], f"column {at!r}")
    series = []
    for name in names:
        values = _numbers(columns[name], f"column {name!r}")
        if values.ndim != 1:
            raise DataError(f"column {name!r} must be of (T,), got {values.shape}.")
        if times is not None and len(times) != len(values):
            raise DataError(
                f"column {name!r} has {lengths[name]} values for {len(times)} times in {at!r}."
            )
        series.append(_raw(name, np.arange(len(values)) if times is None else times, values))
    return series


def _long(
    columns: Mapping[str, Any],
    id: str,
    time: str | None,
    target: str,
    past: Sequence[str],
    known: Sequence[str],
) -> list[RawSeries]:
    for name in (*past, *known):
        if name not in columns:
            raise DataError(f"there is no column {name!r}; there are {', '.join(columns)}.")
        if name in (id, time, target) or [*past, *known].count(name) > 1:
            raise DataError(f"column {name!r} is named for two things.")
    values = _numbers(columns[target], f"column {target!r}")
    n = len(values)
    at = _time_column(columns, time)
    whose = np.array([target] * n if id not in columns else [str(one) for one in columns[id]])
    times: Times | None = None if at is None else read_times(columns[at], f"column {at!r}")
    series = []
    for name in dict.fromkeys(whose.tolist()):
        rows = np.flatnonzero(whose == name)
        series.append(
            RawSeries(
                name,
                np.arange(len(rows)) if times is None else times[rows],
                values[rows],
                _table(columns, past, n)[rows],
                _table(columns, known, n)[rows],
            )
        )
    return series


def _table(columns: Mapping[str, Any], names: Sequence[str], n: int) -> Numbers:
    if not names:
        return np.empty((n, 0))
    return np.stack([_numbers(columns[name], f"column {name!r}") for name in names], -1)


def _raw(name: str, times: Times, values: Numbers) -> RawSeries:
    nothing = np.empty((len(values), 0))
    return RawSeries(name, times, values, nothing, nothing)


def _numbers(data: Any, what: str) -> Numbers:
    try:
        array = np.asarray(data)
        if array.dtype.kind not in "biufO":
            raise ValueError
        return array.astype(np.float64)
    except (TypeError, ValueError):
        flat = np.asarray(data, dtype=object).ravel().tolist()
        wrong = next((one for one in flat if not _is_number(one)), flat[0] if flat else "nothing")
        raise DataError(
            f"{what} must be numbers, got {shown_cell(str(wrong))}; leave columns of text out."
        ) from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) or value is None
