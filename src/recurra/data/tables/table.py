"""Tables that users bring, read strictly and never guessed at: CSV, TSV, JSON Lines, Parquet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from recurra.data.tables.formats import Opened, open_delimited, open_json_lines
from recurra.data.tables.parquet import open_parquet
from recurra.data.tables.text_lines import shown_cell, shown_path
from recurra.errors import ArgumentError, DataError

__all__ = [
    "Table",
    "columns_of",
    "iter_rows",
    "read_columns",
    "read_table",
    "shown_cell",
    "shown_path",
]

_JSON_LINES = (".jsonl", ".ndjson", ".json-lines")


@dataclass(frozen=True)
class Table:
    """Some columns of a file, with each row's place in it.

    Args:
        source: the path, as errors about the table should name it.
        columns: for each column asked for, its cells from top to bottom. Of CSV and TSV they are
            text as it was written; of JSON Lines and Parquet text, numbers, True or False, None
            where nothing stands, or lists of those.
        rows: for each cell of a column its row: in a text file the line it begins on, where the
            header is usually row 1; in a Parquet file the first row is row 1.
    """

    source: str
    columns: dict[str, list[Any]]
    rows: list[int]

    def texts(self, column: str) -> list[str]:
        """Return a column whose cells are all text; raises `DataError` for one that is not."""
        for row, cell in zip(self.rows, self.columns[column], strict=True):
            if not isinstance(cell, str):
                raise DataError(
                    f"{self.source}, row {row}: {shown_cell(column)} should be text, "
                    f"got {'nothing (null)' if cell is None else shown_cell(cell)}."
                )
        return self.columns[column]


def read_columns(
    path: str | PathLike[str], columns: Sequence[str] | None = None
) -> dict[str, list[Any]]:
    """Return the named columns of a table, each a list of cells; None for all of them.

    Nothing is converted: of a CSV file "NA", "007" and " x " come back as they are. See
    `read_table`.
    """
    return read_table(path, columns).columns


def read_table(path: str | PathLike[str], columns: Sequence[str] | None = None) -> Table:
    """Read the named columns of a table (None: all), with the row numbers that errors need.

    What the file is its suffix says: `.jsonl`, `.ndjson` and `.json-lines` are JSON Lines (one
    object a line), `.parquet` is Parquet, `.tsv` and `.tab` are split at tabs, and any other is
    split at comma, semicolon or tab, whichever gives the columns asked for. Text is UTF-8, with or
    without a byte-order mark. Blank lines are passed over. Cells of CSV and TSV may be quoted and
    then hold delimiters and line ends. Dates and times of Parquet come as ISO 8601 text.

    Raises `DataError`, one line with the file and, where there is one, the row: for a path that
    cannot be read, an empty file, a header without rows, text that is not UTF-8 or holds NUL,
    a column that is missing or there twice, a row with more or fewer cells than the header, a
    line that is no JSON object or lacks a column (a missing value is written null), a cell that
    is an object. Raises `MissingDependencyError` for Parquet without polars.

    The standard library's parser does this and not pandas': that one fills short rows, takes a
    surplus cell for an index and renames columns of the same name, all in silence.
    """
    whole: Table | None = None
    for piece in iter_rows(path, columns):
        if whole is None:
            whole = piece
            continue
        whole.rows.extend(piece.rows)
        for name, cells in piece.columns.items():
            whole.columns[name].extend(cells)
    assert whole is not None  # a table without rows was refused
    return whole


def iter_rows(
    path: str | PathLike[str], columns: Sequence[str] | None = None, *, chunk: int = 1000
) -> Iterator[Table]:
    """Yield a table piece by piece, in memory that does not grow with the file.

    Args:
        path: the file, as `read_table` takes it.
        columns: the columns wanted; None for all.
        chunk: the rows of a piece; the last has what is left. The pieces of a row group of a
            Parquet file are decoded together.

    The pieces are what `read_table` returns, cut; what is wrong with a row is raised when the
    piece it stands in is reached. Raises as `read_table` does.
    """
    if not isinstance(chunk, int) or isinstance(chunk, bool) or chunk < 1:
        raise ArgumentError(f"chunk must be a whole number of at least 1, got {chunk!r}.")
    if isinstance(columns, str):
        raise ArgumentError(f"columns must be a list of names, got {columns!r}.")
    return _pieces(path, columns, chunk)


def columns_of(path: str | PathLike[str]) -> list[str]:
    """Return the names of a table's columns in their order, of JSON Lines the first line's.

    Only the head of the file is read. Raises as `read_table` does, but not for what lies below.
    """
    with _open(path, None) as table:
        return table.header


def _open(path: str | PathLike[str], columns: Sequence[str] | None) -> Opened:
    suffix = Path(path).suffix.lower()
    if suffix == ".parquet":
        return open_parquet(path, columns)
    if suffix in _JSON_LINES:
        return open_json_lines(path, columns)
    return open_delimited(path, columns)


def _pieces(
    path: str | PathLike[str], columns: Sequence[str] | None, chunk: int
) -> Iterator[Table]:
    with _open(path, columns) as table:
        source = shown_path(path)
        cells: list[list[Any]] = [[] for _ in table.names]
        rows: list[int] = []
        empty = True
        for row, record in table.records:
            empty = False
            rows.append(row)
            for column, cell in zip(cells, record, strict=True):
                column.append(cell)
            if len(rows) == chunk:
                yield Table(source, dict(zip(table.names, cells, strict=True)), rows)
                cells, rows = [[] for _ in table.names], []
        if empty:
            raise DataError(f"{source} has a header but no rows below it.")
        if rows:
            yield Table(source, dict(zip(table.names, cells, strict=True)), rows)
