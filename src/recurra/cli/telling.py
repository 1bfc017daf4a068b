"""What a command says beside its result: lines, warnings, where in the file an error is."""

import re
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from recurra.cli.reading import Loaded
from recurra.errors import RecurraError, RecurraWarning
from recurra.training import is_first


@contextmanager
def told(loaded: Loaded, rows: list[int]) -> Iterator[None]:
    """Run a block with its warnings said, and its errors about rows naming those of the file.

    Args:
        loaded: where the examples are from.
        rows: which of them the block is given.
    """
    with telling(RecurraError, lambda message: _in_the_file(message, loaded, rows)):
        yield


@contextmanager
def telling(kind: type[RecurraError], rename: Callable[[str], str]) -> Iterator[None]:
    """Run a block with its warnings said, and the messages of its errors of a kind renamed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", RecurraWarning)
        try:
            yield
        except kind as error:
            raise type(error)(rename(str(error))) from None
        finally:
            for warning in caught:
                say(f"warning: {warning.message}")


def _in_the_file(message: str, loaded: Loaded, rows: list[int]) -> str:
    """Return a message about a row of X or y as one about the row of the file."""
    found = re.match(r"(?:X|y|condition), row (\d+)", message)
    if found and int(found[1]) < len(rows):
        row = loaded.rows[rows[int(found[1])]]
        return f"{loaded.source}, row {row}{message[found.end() :]}"
    if re.match(r"(?:X|y|condition)\b", message):
        return f"{loaded.source}: {message}"
    return message


def say(line: str) -> None:
    """Write a line to standard error; of several processes the first one speaks."""
    if is_first():
        print(f"recurra: {' '.join(line.split())}", file=sys.stderr, flush=True)
