"""A user's table read for a task: which columns, which rows, what is missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.cli.training.columns import Column, Role, choose, is_empty, number_of
from recurra.data.tables.table import Table, read_table, shown_cell
from recurra.data.tables.text_lines import opened, shown_path, text_lines
from recurra.errors import ArgumentError, DataError
from recurra.tasks.judging.judged import Part

TEST_NAMES = ("test", "held-out", "held out", "holdout", "eval", "evaluation")
TRAIN_NAMES = ("train", "training", "valid", "validation", "dev", "val")


@dataclass
class Loaded:
    """Examples of a table.

    part: the examples; rows: the row of the file each is in; columns: the columns by their
    roles, as they are remembered with the model; said: what was found, a line each; split: of each
    example whether it is held out, None where the table does not say; groups: what must not be
    parted when examples are held out, None for equal inputs.
    """

    source: str
    part: Part
    rows: list[int]
    columns: dict[str, Any]
    said: list[str] = field(default_factory=list)
    split: list[bool] | None = None
    groups: list[Any] | None = None


class Reader:
    """A table whose columns are chosen one after another, and what was said of them."""

    def __init__(self, path: Path, wanted: Sequence[str] | None = None) -> None:
        self.table = read_any(path, wanted)
        self.source = self.table.source
        self.columns = {name: Column(name, cells) for name, cells in self.table.columns.items()}
        self.chosen: dict[str, Any] = {}
        self.said: list[str] = []

    def choose(self, role: Role, given: str | None) -> str | None:
        """Choose the column for a role, remember it and say so where it was guessed."""
        name = choose(self.columns, role, given, self.taken, self.source)
        if name is not None:
            self.chosen[role.name] = name
            self.said.append(f"{role.name}: column {shown_cell(name)}")
        return name

    @property
    def taken(self) -> list[str]:
        """The columns that are chosen."""
        names: list[str] = []
        for column in self.chosen.values():
            names += column if isinstance(column, list) else [column]
        return names

    def take(self, name: str) -> None:
        """Keep a column from being chosen."""
        self.chosen.setdefault("other", []).append(name)

    def cells(self, name: str) -> Sequence[Any]:
        """Return a column's cells."""
        return self.table.columns[name]

    def whole(self, name: str, what: str) -> list[Any]:
        """Return a column's cells; raises `DataError` with the row for an empty one."""
        for row, cell in zip(self.table.rows, self.cells(name), strict=True):
            if is_empty(cell):
                raise DataError(
                    f"{self.source}, row {row}: the {what} (column {shown_cell(name)}) is missing."
                )
        return list(self.cells(name))

    def texts(self, name: str, what: str = "text") -> list[Any]:
        """Return a column of texts or lists of words; empty texts are empty, not all of them."""
        column = self.columns[name]
        if not column.filled:
            raise DataError(f"{self.source}: every {what} (column {shown_cell(name)}) is empty.")
        if column.lists:
            return _same_kind(self.cells(name), self.table, name)
        return ["" if cell is None else str(cell) for cell in self.cells(name)]

    def numbers(self, name: str, what: str) -> NDArray[np.float64]:
        """Return a column of finite numbers (n,); raises `DataError` with the row for any other."""
        values = []
        for row, cell in zip(self.table.rows, self.whole(name, what), strict=True):
            value = number_of(cell)
            if value is None:
                raise DataError(
                    f"{self.source}, row {row}: the {what} (column {shown_cell(name)}) should be "
                    f"a number, got {shown_cell(cell)}."
                )
            values.append(value)
        return np.array(values)

    def loaded(self, X: Any, y: Any, condition: Any, split: list[bool] | None) -> Loaded:
        """Return what was chosen as examples."""
        columns = {role: name for role, name in self.chosen.items() if role != "other"}
        part = Part(X, y, condition)
        return Loaded(self.source, part, self.table.rows, columns, self.said, split)

    def held_out(self, name: str) -> list[bool]:
        """Return for each row whether the split column says that it is held out."""
        if name not in self.columns:
            choose(self.columns, Role("split-column", (), bool), name, (), self.source)
        held = []
        for row, cell in zip(self.table.rows, self.whole(name, "split"), strict=True):
            word = str(cell).strip().casefold()
            if word not in (*TEST_NAMES, *TRAIN_NAMES):
                raise DataError(
                    f"{self.source}, row {row}: column {shown_cell(name)} should say train or "
                    f"test, got {shown_cell(cell)}."
                )
            held.append(word in TEST_NAMES)
        if all(held) or not any(held):
            raise DataError(
                f"{self.source}: column {shown_cell(name)} says "
                f"{'test' if held[0] else 'train'} in every row."
            )
        return held


def read_any(path: Path, wanted: Sequence[str] | None = None) -> Table:
    """Read a table; of a .txt file each line that is not blank is a cell of the column text."""
    if path.suffix.lower() != ".txt":
        return read_table(path, wanted)
    source = shown_path(path)
    texts, rows = [], []
    with opened(path, "a text file") as file:
        for row, line in enumerate(text_lines(file, source), 1):
            if line.strip():
                texts.append(line.strip())
                rows.append(row)
    if not texts:
        raise DataError(f"{source} is empty; it should have a text on each line.")
    return Table(source, {"text": texts}, rows)


def series_columns(names: Sequence[str], given: str, source: str) -> list[str]:
    """Return the columns that `--series` names: A,B,C or A:C, or both.

    Raises `ArgumentError` for one that is not there, or twice.
    """
    chosen: list[str] = []
    for item in (part.strip() for part in given.split(",")):
        first, colon, last = item.partition(":")
        ends = [item] if item in names or not colon else [first.strip(), last.strip()]
        for end in ends:
            if end not in names:
                raise ArgumentError(f"--series {given}: {source} has no column {end!r}.")
        places = [list(names).index(end) for end in ends]
        chosen += names[places[0] : places[-1] + 1]
    if len(set(chosen)) < len(chosen):
        raise ArgumentError(f"--series {given}: a column is there twice.")
    if not chosen:
        raise ArgumentError(f"--series {given}: there is no column between these.")
    return chosen


def read_series_rows(
    cells: Mapping[str, Sequence[Any]], names: Sequence[str], table: Table
) -> NDArray[np.float64]:
    """Return the series in the named columns (n, T); raises `DataError` with row and column."""
    rows = np.empty((len(table.rows), len(names)))
    for t, name in enumerate(names):
        for k, cell in enumerate(cells[name]):
            value = number_of(cell)
            if value is None:
                what = "nothing" if is_empty(cell) else shown_cell(cell)
                raise DataError(
                    f"{table.source}, row {table.rows[k]}: column {shown_cell(name)} should be a "
                    f"number of the series, got {what}."
                )
            rows[k, t] = value
    return rows


def _same_kind(cells: Sequence[Any], table: Table, name: str) -> list[Any]:
    """Return lists of words, or arrays of numbers; raises `DataError` with the row otherwise."""
    words = any(isinstance(part, str) for cell in cells if cell for part in cell)
    found: list[Any] = []
    for row, cell in zip(table.rows, cells, strict=True):
        try:
            if words and not all(isinstance(part, str) for part in cell or ()):
                raise ValueError
            found.append(list(cell or ()) if words else np.array(cell or [], dtype=np.float64))
        except (TypeError, ValueError):
            raise DataError(
                f"{table.source}, row {row}: column {shown_cell(name)} should hold a list of "
                f"{'words' if words else 'numbers'}, got {shown_cell(cell)}."
            ) from None
    return found
