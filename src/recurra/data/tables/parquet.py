"""Tables in Parquet files, a row group at a time, read by polars."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import Any

from recurra.data.tables.formats import Opened, place_of
from recurra.data.tables.text_lines import opened, shown_cell, shown_path
from recurra.errors import DataError, MissingDependencyError

_ROWS = 4096  # decoded at once, at most a row group


def open_parquet(path: str | PathLike[str], columns: Sequence[str] | None) -> Opened:
    """Open a Parquet file; raises `DataError`, or `MissingDependencyError` without polars.

    A column must hold text, numbers, booleans, dates or times (they come as ISO 8601 text), or
    lists of those.
    """
    try:
        import polars as pl
    except ImportError:
        raise MissingDependencyError(
            "reading Parquet needs polars: pip install 'recurra[tables]'."
        ) from None
    source = shown_path(path)
    with opened(path, "a Parquet file"):  # says what is wrong with a path as for any table
        table = pl.scan_parquet(Path(path).absolute(), glob=False, hive_partitioning=False)
    with _refusing(source):
        schema = table.collect_schema()
    header = schema.names()
    names = header if columns is None else list(columns)
    for name in names:
        place_of(name, header, source)
        if not _readable(schema[name]):
            raise DataError(
                f"{source}: the column {shown_cell(name)} is of type {schema[name]}; a column "
                "holds text, numbers, booleans, dates, times or lists of those."
            )
    wanted = table.select(_plain(name, schema[name]) for name in names)
    return Opened(header, names, _records(wanted, source), ExitStack())


def _records(table: Any, source: str) -> Iterator[tuple[int, Sequence[Any]]]:
    row = 0
    with _refusing(source):
        batches = iter(table.collect_batches(chunk_size=_ROWS, maintain_order=True))
    while True:
        with _refusing(source, row + 1):
            batch = next(batches, None)
        if batch is None:
            return
        for record in batch.iter_rows():
            row += 1
            yield row, record


class _refusing:  # noqa: N801 - it is used like a function
    """Turn what polars raises about a file into a `DataError` of one line."""

    def __init__(self, source: str, row: int | None = None) -> None:
        self._where = source if row is None else f"{source}, from row {row} on,"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        import polars.exceptions as raised

        expected = (raised.PolarsError, raised.PanicException, OSError)
        if isinstance(error, expected):
            lines = str(error).splitlines() or [type(error).__name__]
            raise DataError(f"{self._where} cannot be read as Parquet: {lines[0][:200]}.") from None


def _readable(dtype: Any) -> bool:
    import polars as pl

    if isinstance(dtype, pl.List | pl.Array):
        inner = dtype.inner
        return _readable(inner) and not inner.is_temporal() and not inner.is_decimal()
    if dtype.is_numeric() or dtype.is_temporal():
        return bool(dtype != pl.Duration)
    return bool(dtype in (pl.String, pl.Boolean, pl.Categorical, pl.Enum, pl.Null))


def _plain(name: str, dtype: Any) -> Any:
    """Return the column as text where Python would make an object of its cells."""
    import polars as pl

    column = pl.col(name)
    if dtype == pl.Datetime or dtype == pl.Time:
        return column.dt.to_string("iso:strict")
    if dtype == pl.Date:
        return column.dt.to_string("iso")
    return column.cast(pl.Float64) if dtype.is_decimal() else column
