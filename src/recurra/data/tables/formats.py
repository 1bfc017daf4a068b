"""How tables are written as text: CSV, TSV and JSON Lines, opened one row at a time."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from difflib import get_close_matches
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn, Self

from recurra.data.tables.text_lines import opened, shown_cell, shown_path, text_lines
from recurra.errors import DataError

# A file's delimiter by its suffix; under any other suffix the header line decides.
_DELIMITERS = {".tsv": "\t", ".tab": "\t"}
_SNIFFED = (",", ";", "\t")
_COLUMNS_LISTED = 20


class Opened:
    """A table whose head was read; as a context it closes its file.

    header: the names of all columns; names: of those wanted, in the order wanted;
    records: each row's number and its wanted cells.
    """

    def __init__(
        self,
        header: list[str],
        names: list[str],
        records: Iterator[tuple[int, Sequence[Any]]],
        files: ExitStack,
    ) -> None:
        self.header, self.names, self.records, self._files = header, names, records, files

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()


def open_delimited(path: str | PathLike[str], columns: Sequence[str] | None) -> Opened:
    """Open a CSV or TSV file; raises `DataError` for a file without a header or the columns."""
    source = shown_path(path)
    with ExitStack() as stack:
        file = stack.enter_context(opened(path, "a CSV or TSV file"))
        lines = text_lines(file, source)
        delimiter = _DELIMITERS.get(Path(path).suffix.lower())
        if delimiter is None:
            delimiter, lines = _sniff(lines, columns or ())
        records = _split(lines, delimiter, source)
        _, header = next(records, (0, None))
        if header is None:
            raise DataError(
                f"{source} is empty; it should have a header line and a row for each case."
            )
        header = [cell.strip() for cell in header]
        names = header if columns is None else list(columns)
        places = [place_of(name, header, source) for name in names]
        rows = _cells(records, header, places, delimiter, source)
        return Opened(header, names, rows, stack.pop_all())


def open_json_lines(path: str | PathLike[str], columns: Sequence[str] | None) -> Opened:
    """Open a file of one JSON object a line; the first one's keys are the columns."""
    source = shown_path(path)
    with ExitStack() as stack:
        file = stack.enter_context(opened(path, "a JSON Lines file"))
        records = _objects(text_lines(file, source), source)
        first = next(records, None)
        if first is None:
            raise DataError(f"{source} is empty; it should have a JSON object on each line.")
        header = list(first[1])
        if not header:
            raise DataError(f"{source}, row {first[0]} is an object without keys.")
        names = header if columns is None else list(columns)
        for name in names:
            place_of(name, header, source)
        rows = _values(chain([first], records), names, source, closed=columns is None)
        return Opened(header, names, rows, stack.pop_all())


def place_of(name: str, header: Sequence[str], source: str) -> int:
    """Return where `name` stands in `header`; raises `DataError` unless it is there once."""
    count = header.count(name)
    if count == 1:
        return header.index(name)
    if count > 1:
        raise DataError(f"{source} has {count} columns {shown_cell(name)}; rename all but one.")
    there = ", ".join(shown_cell(cell) for cell in header[:_COLUMNS_LISTED])
    if len(header) > _COLUMNS_LISTED:
        there += f" and {len(header) - _COLUMNS_LISTED} more"
    folded = {cell.casefold(): cell for cell in header if cell}
    near = get_close_matches(name.casefold(), folded, n=1)
    hint = f" Did you mean {shown_cell(folded[near[0]])}?" if near else ""
    raise DataError(f"{source} has no column {shown_cell(name)}; it has {there}.{hint}")


def _sniff(lines: Iterator[str], columns: Sequence[str]) -> tuple[str, Iterator[str]]:
    """Return the delimiter that gives most of the columns, then most cells; and the lines."""
    read: list[str] = []

    def again() -> Iterator[str]:
        yield from tuple(read)
        for line in lines:
            read.append(line)
            yield line

    def fitness(delimiter: str) -> tuple[int, int]:
        try:
            _, header = next(_split(again(), delimiter, ""), (0, []))
        except DataError as error:
            # Better than no cells at all: met again, and told with its file, when it is read.
            if not isinstance(error.__cause__, csv.Error):
                raise
            return 0, 2
        names = {cell.strip() for cell in header}
        return sum(name in names for name in columns), len(header)

    best = max(_SNIFFED, key=fitness)
    return best, chain(read, lines)


def _split(lines: Iterable[str], delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not blank, with the line it begins on."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        row = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{source}, row {row} cannot be split into cells ({error}); "
                "is a double quote left open or not doubled?"
            ) from error
        if len(record) > 1 or (record and record[0].strip()):
            yield row, record


def _cells(
    records: Iterator[tuple[int, list[str]]],
    header: Sequence[str],
    places: Sequence[int],
    delimiter: str,
    source: str,
) -> Iterator[tuple[int, Sequence[str]]]:
    for row, record in records:
        if len(record) != len(header):
            raise DataError(
                f"{source}, row {row} has {len(record)} cell{'s'[: len(record) != 1]}, but the "
                f"header has {len(header)}; put a cell that holds {delimiter!r} in double quotes."
            )
        yield row, [record[place] for place in places]


class _Object(dict[str, Any]):
    """A JSON object whose keys all differ."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        if len(self) < len(pairs):
            raise ValueError("a key stands there twice")


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number; a missing value is null")


def _objects(lines: Iterable[str], source: str) -> Iterator[tuple[int, _Object]]:
    """Yield the object of each line that is not blank, with the line's number."""
    decode = json.JSONDecoder(object_pairs_hook=_Object, parse_constant=_no_number).decode
    for row, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = decode(line)
            if "\\ud" in line or "\\uD" in line:  # of a pair of surrogates one alone is no text
                json.dumps(record, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise DataError(
                f"{source}, row {row} holds half a surrogate pair (\\ud800 to \\udfff)."
            ) from None
        except json.JSONDecodeError as error:
            raise DataError(
                f"{source}, row {row} is no JSON: {error.msg} (character {error.colno})."
            ) from None
        except RecursionError:
            raise DataError(f"{source}, row {row} is nested too deeply.") from None
        except ValueError as error:  # a key twice, NaN, a number of thousands of digits
            raise DataError(f"{source}, row {row} cannot be read: {error}.") from None
        if not isinstance(record, _Object):
            raise DataError(
                f"{source}, row {row} is {_kind(record)}; each line should be one JSON object, "
                'say {"text": "...", "label": "..."}.'
            )
        yield row, record


def _values(
    records: Iterable[tuple[int, _Object]], names: Sequence[str], source: str, *, closed: bool
) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield the cells `names` of each object; `closed`: refuse an object that has more."""
    for row, record in records:
        try:
            cells = [record[name] for name in names]
        except KeyError as error:
            raise DataError(
                f"{source}, row {row} has no {shown_cell(error.args[0])}; "
                "write null where a value is missing."
            ) from None
        if closed and len(record) > len(names):
            other = next(name for name in record if name not in names)
            raise DataError(
                f"{source}, row {row} has {shown_cell(other)}, which the first row has not; "
                "name the columns wanted, or write null where a value is missing."
            )
        for name, cell in zip(names, cells, strict=True):
            if isinstance(cell, dict | list) and _holds_object(cell):
                raise DataError(
                    f"{source}, row {row}: {shown_cell(name)} holds an object; a cell is text, a "
                    "number, true, false, null or a list of those."
                )
        yield row, cells


def _holds_object(cell: Any) -> bool:
    waiting = [cell]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            return True
        if isinstance(part, list):
            waiting.extend(p for p in part if isinstance(p, dict | list))
    return False


def _kind(record: object) -> str:
    if isinstance(record, list):
        return "a list"
    return "text" if isinstance(record, str) else f"{json.dumps(record)[:20]}"
