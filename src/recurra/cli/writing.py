"""Rows written as a table while they come: to standard output, or to a file, whole or not."""

import csv
import json
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TextIO

from recurra.errors import ArgumentError


class RowWriter(Protocol):
    """Takes rows one after another."""

    def write(self, names: Sequence[str], row: Sequence[Any]) -> None:
        """Write one row, its cells in the order of `names`."""


class CsvRows:
    """Rows as CSV, a header first."""

    def __init__(self, file: TextIO) -> None:
        self._csv = csv.writer(file, lineterminator="\n")
        self._begun = False

    def write(self, names: Sequence[str], row: Sequence[Any]) -> None:
        """Write a row, and the header before the first."""
        if not self._begun:
            self._csv.writerow(names)
            self._begun = True
        self._csv.writerow([_cell(cell) for cell in row])


class JsonRows:
    """Rows as JSON Lines."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, names: Sequence[str], row: Sequence[Any]) -> None:
        """Write a row as an object."""
        record = dict(zip(names, row, strict=True))
        self._file.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")


@contextmanager
def row_writer(path: Path | None) -> Iterator[RowWriter]:
    """Open what rows are written to: the file at `path`, or standard output for None.

    The file appears when the block ends well, in the place of an older one, or not at all.
    Raises `ArgumentError` where it cannot be written.
    """
    if path is None:
        yield CsvRows(sys.stdout)
        return
    kind = JsonRows if path.suffix.lower() in (".jsonl", ".ndjson", ".json-lines") else CsvRows
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield kind(file)
        os.replace(part, path)
    except OSError as error:
        if error.filename is not None and Path(error.filename) not in (part, path):
            raise
        raise ArgumentError(f"{path}: cannot be written, {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)


def _cell(cell: Any) -> Any:
    if cell is None:
        return ""
    return json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | dict) else cell
