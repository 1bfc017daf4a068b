"""The series in a user's table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra.cli.reading import Reader
from recurra.cli.training.columns import Column, Role, is_empty, number_of
from recurra.data.series.reading import read_series
from recurra.data.series.series_set import SeriesSet
from recurra.data.tables.table import shown_cell
from recurra.errors import DataError

_TIMES = ("ds", "date", "time", "timestamp", "datetime", "day", "month", "year", "week", "hour")


def _is_time(column: Column) -> bool:
    return bool(column.filled) and not column.lists


def _is_id(column: Column) -> bool:
    texts = bool(column.filled) and all(isinstance(cell, str) for cell in column.filled)
    return texts and not column.numeric and column.distinct <= len(column.filled) / 3


TIME = Role("time", _TIMES, _is_time, lambda c: c.is_text and c.distinct == len(c.filled),
            needed=False)  # fmt: skip
ID = Role(
    "id",
    ("unique_id", "id", "series", "shop", "store", "item", "symbol", "ticker", "name", "product"),
    _is_id,
    _is_id,
    needed=False,
)
VALUE = Role(
    "value",
    ("y", "value", "close", "sold", "sales", "target", "price", "count", "amount"),
    lambda c: bool(c.filled) and c.numeric,
)


def load_series(
    path: Path, given: Mapping[str, Any], gaps: str
) -> tuple[SeriesSet, dict[str, Any], list[str]]:
    """Return the series of a table, their columns by roles, and what was found, a line each.

    Args:
        path: the user's table.
        given: the columns by their roles (time, value, id, past, known), None where they are to
            be guessed. Without a value and names of series each column of numbers is a series.
        gaps: "refuse", "fill" or "ignore", as `read_series` has it.

    Raises `DataError`, which begins with the file.
    """
    reader = Reader(path)
    known = {name: _list(given.get(name)) for name in ("past", "known")}
    for names in known.values():
        for name in names:
            reader.choose(Role("past", (), bool), name)
            reader.take(name)
    reader.chosen.pop("past", None)
    reader.said.clear()
    for role in (TIME, ID):
        reader.choose(role, given.get(role.name))
    numeric = [name for name, c in reader.columns.items() if name not in reader.taken and c.numeric]
    wide = "id" not in reader.chosen and given.get("value") is None and len(numeric) > 1
    wide = wide and not any(known.values())
    time = reader.chosen.get("time")
    columns: dict[str, Any] = {} if time is None else {time: _times(reader, time)}
    if wide:
        columns |= {name: _numbers(reader, name) for name in numeric}
        reader.said.append(f"series: {len(numeric)} columns, {', '.join(map(repr, numeric[:6]))}")
        options: dict[str, Any] = {"time": time}
    else:
        value = reader.choose(VALUE, given.get("value"))
        assert value is not None
        names = [value, *known["past"], *known["known"]]
        columns |= {name: _numbers(reader, name, empty=name == value) for name in names}
        id_column = reader.chosen.get("id", "")
        if id_column:
            columns[id_column] = [str(cell) for cell in reader.whole(id_column, "id")]
        options = {"time": time, "target": value, "id": id_column, **known}
    try:
        series = read_series(columns, gaps=gaps, **options)
    except DataError as error:
        raise DataError(f"{reader.source}: {error}") from None
    lengths = [len(values) for values in series.values]
    reader.said.append(
        f"{len(series)} series of {min(lengths):,} to {max(lengths):,} steps"
        if len(series) > 1
        else f"one series of {lengths[0]:,} steps"
    )
    chosen = {role: name for role, name in reader.chosen.items() if role != "other"}
    return series, {**chosen, **{k: v for k, v in known.items() if v}}, reader.said


def _list(names: Any) -> list[str]:
    if names is None or isinstance(names, list):
        return names or []
    return [name.strip() for name in str(names).split(",") if name.strip()]


def _numbers(reader: Reader, name: str, *, empty: bool = True) -> Any:
    """Return a column's numbers (n,), nan where nothing stands."""
    values: list[float] = []
    cells: Sequence[Any] = reader.cells(name)
    for row, cell in zip(reader.table.rows, cells, strict=True):
        value = float("nan") if is_empty(cell) and empty else number_of(cell)
        if value is None:
            raise DataError(
                f"{reader.source}, row {row}: column {shown_cell(name)} should be a number, got "
                f"{shown_cell(cell)}."
            )
        values.append(value)
    return np.array(values)


def _times(reader: Reader, name: str) -> Any:
    cells = reader.whole(name, "time")
    if reader.columns[name].numeric:
        return np.array([number_of(cell) for cell in cells])
    return np.array([str(cell) for cell in cells], dtype=object)
