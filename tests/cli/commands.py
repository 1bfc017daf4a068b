"""What the tests of the commands share: running one in this process, small tables."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from recurra.cli import main


def recurra(*arguments: object) -> int:
    """Run `recurra` with arguments and return its exit code."""
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    code = exit_.value.code
    assert isinstance(code, int)
    return code


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path
