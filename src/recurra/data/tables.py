"""Tables that users bring: CSV and TSV files, read strictly and never guessed at."""

import csv
import io
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from os import PathLike
from pathlib import Path

from recurra.errors import DataError

# A file's delimiter by its suffix; under any other suffix the header line decides.
_DELIMITERS = {".tsv": "\t", ".tab": "\t"}
_SNIFFED = (",", ";", "\t")
_COLUMNS_LISTED = 20


@dataclass(frozen=True)
class Table:
    """Some columns of a file as text, with each row's place in it.

    Args:
        source: the path, as errors about the table should name it.
        columns: for each column asked for, its cells from top to bottom.
        rows: for each cell of a column, the line it begins on; the header is usually row 1.
    """

    source: str
    columns: dict[str, list[str]]
    rows: list[int]


def read_columns(path: str | PathLike[str], columns: Sequence[str]) -> dict[str, list[str]]:
    """Return the named columns of a CSV or TSV file, each a list of text as it was written.

    Nothing is converted: "NA", "007" and " x " come back as they are. See `read_table`.
    """
    return read_table(path, columns).columns


def read_table(path: str | PathLike[str], columns: Sequence[str]) -> Table:
    """Read the named columns of a CSV or TSV file, with the row numbers that errors need.

    The text is UTF-8, with or without a byte-order mark. Cells are split at tabs in a `.tsv` or
    `.tab` file, otherwise at comma, semicolon or tab: whichever gives the columns asked for.
    Blank lines are passed over. Cells may be quoted and then hold delimiters and line ends.

    Raises `DataError`, one line with the file and, where there is one, the row: for a path that
    cannot be read, an empty file, a header without rows, text that is not UTF-8 or holds NUL,
    a column that is missing or there twice, a row with more or fewer cells than the header.

    The standard library's parser does this and not pandas': that one fills short rows, takes a
    surplus cell for an index and renames columns of the same name, all in silence.
    """
    source = shown_path(path)
    text = _decode(_read(path, source), source)
    delimiter = _delimiter(Path(path).suffix.lower(), text, columns)
    records = _records(text, delimiter, source)
    _, header = next(records, (0, None))
    if header is None:
        raise DataError(f"{source} is empty; it should have a header line and a row for each case.")
    header = [cell.strip() for cell in header]
    places = [_place(name, header, source) for name in columns]
    cells: list[list[str]] = [[] for _ in columns]
    rows = []
    for row, record in records:
        if len(record) != len(header):
            raise DataError(
                f"{source}, row {row} has {len(record)} cell{'s'[: len(record) != 1]}, but the "
                f"header has {len(header)}; put a cell that holds {delimiter!r} in double quotes."
            )
        rows.append(row)
        for column, place in zip(cells, places, strict=True):
            column.append(record[place])
    if not rows:
        raise DataError(f"{source} has a header but no rows below it.")
    return Table(source, dict(zip(columns, cells, strict=True)), rows)


def shown_path(path: str | PathLike[str]) -> str:
    """Return `path` as an error should show it: on one line, whatever the path holds."""
    text = str(path)
    if len(text) > 500:
        return f"{text[:200]!r}...{text[-50:]!r}"
    return text if text.isprintable() and text.strip() else repr(text)


def shown_cell(text: str, limit: int = 30) -> str:
    """Return `text` in quotes and on one line, cut to its first `limit` characters."""
    return repr(text) if len(text) <= limit else f"{text[:limit]!r}..."


def _read(path: str | PathLike[str], source: str) -> bytes:
    file = Path(path)
    try:
        kind = file.stat().st_mode
        if stat.S_ISDIR(kind):
            raise DataError(f"{source} is a folder; give the path of a CSV or TSV file.")
        if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):  # /dev/zero would never end
            raise DataError(f"{source} is a device; give the path of a CSV or TSV file.")
        return file.read_bytes()
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{source}: there is no such file.") from None
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror or 'system error'}.") from error
    except ValueError as error:
        raise DataError(f"{source} cannot be the path of a file: {error}.") from error


def _decode(data: bytes, source: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{source} is UTF-16; save it as UTF-8 (byte 0, a UTF-16 mark).")
    if (nul := data.find(b"\0")) >= 0:
        raise DataError(
            f"{source}, row {_row_at(data, nul)} holds a NUL byte (byte {nul}): "
            "this is no text file, or it is damaged."
        )
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source}, row {_row_at(data, error.start)} is not UTF-8 "
            f"(byte {error.start}, 0x{data[error.start]:02x}); save the file as UTF-8."
        ) from error


def _row_at(data: bytes, offset: int) -> int:
    return len((data[:offset] + b".").splitlines())


def _delimiter(suffix: str, text: str, columns: Sequence[str]) -> str:
    if suffix in _DELIMITERS:
        return _DELIMITERS[suffix]

    def fitness(delimiter: str) -> tuple[int, int]:
        try:
            _, header = next(_records(text, delimiter, ""), (0, []))
        except DataError:
            # Better than no cells at all: met again, and told with its file, when it is read.
            return 0, 2
        names = {cell.strip() for cell in header}
        return sum(name in names for name in columns), len(header)

    return max(_SNIFFED, key=fitness)


def _records(text: str, delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not blank, with the line it begins on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
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


def _place(name: str, header: list[str], source: str) -> int:
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
