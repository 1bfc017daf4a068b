"""The lines of a text file that a user brings, read strictly and a block at a time."""

import io
import stat
from codecs import getincrementaldecoder
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from recurra.errors import DataError

LONGEST_LINE = 2**24
"""The characters a line may have at most, so that a file without line ends takes no more."""

_BLOCK = 2**18  # bytes; larger blocks are no faster


def shown_path(path: str | PathLike[str]) -> str:
    """Return `path` as an error should show it: on one line, whatever the path holds."""
    text = str(path)
    if len(text) > 500:
        return f"{text[:200]!r}...{text[-50:]!r}"
    return text if text.isprintable() and text.strip() else repr(text)


def shown_cell(cell: object, limit: int = 30) -> str:
    """Return `cell` as Python writes it, on one line, text cut to its first `limit` characters."""
    if isinstance(cell, str):
        return repr(cell) if len(cell) <= limit else f"{cell[:limit]!r}..."
    text = repr(cell)
    return text if len(text) <= limit + 2 else f"{text[:limit]}..."


@contextmanager
def opened(path: str | PathLike[str], what: str) -> Iterator[BinaryIO]:
    """Open a file for reading; a path that cannot be read raises `DataError`.

    Args:
        path: a file's, or a pipe's.
        what: the file that was wanted, say "a CSV or TSV file".
    """
    source = shown_path(path)
    try:
        kind = Path(path).stat().st_mode
        if stat.S_ISDIR(kind):
            raise DataError(f"{source} is a folder; give the path of {what}.")
        if stat.S_ISCHR(kind) or stat.S_ISBLK(kind):  # /dev/zero would never end
            raise DataError(f"{source} is a device; give the path of {what}.")
        with Path(path).open("rb") as file:
            yield file
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{source}: there is no such file.") from None
    except OSError as error:
        raise DataError(f"{source} cannot be read: {error.strerror or 'system error'}.") from error
    except ValueError as error:
        raise DataError(f"{source} cannot be the path of a file: {error}.") from error


def text_lines(file: BinaryIO, source: str) -> Iterator[str]:
    r"""Yield a UTF-8 file's lines, their ends (\n, \r\n or \r) included, in constant memory.

    A byte-order mark is dropped. Raises `DataError`, one line that begins with `source`, for text
    that is not UTF-8 or holds NUL, with the byte, and for a line beyond `LONGEST_LINE`.
    """
    row, unfinished = 1, ""
    for k, text in enumerate(_decoded(file, source)):
        *whole, unfinished = _split(unfinished + (text if k else text.removeprefix("\ufeff")))
        yield from whole
        row += len(whole)
        if len(unfinished) > LONGEST_LINE:
            raise DataError(
                f"{source}, row {row} is a line of more than {LONGEST_LINE:,} characters: "
                "are the line ends missing?"
            )
    yield from io.StringIO(unfinished, newline="")


def _split(text: str) -> list[str]:
    """Return the whole lines of `text`, and at last what may go on in the next block."""
    lines = io.StringIO(text, newline="").readlines()
    # A line that ends in \r may have its \n in the next block.
    return lines if lines and not lines[-1].endswith("\n") else [*lines, ""]


def _decoded(file: BinaryIO, source: str) -> Iterator[str]:
    """Yield the text of each block; a block may begin or end within a character."""
    decoder = getincrementaldecoder("utf-8")()
    place = rows = 0  # bytes and line ends before the block
    last = b""
    while True:
        data = file.read(_BLOCK)
        if place == 0 and data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataError(f"{source} is UTF-16; save it as UTF-8 (byte 0, a UTF-16 mark).")
        if (nul := data.find(b"\0")) >= 0:
            raise DataError(
                f"{source}, row {rows + _ends(last, data[:nul]) + 1} holds a NUL byte "
                f"(byte {place + nul}): this is no text file, or it is damaged."
            )
        try:
            if text := decoder.decode(data, final=not data):
                yield text
        except UnicodeDecodeError as error:
            before = error.start - (len(error.object) - len(data))  # < 0: in the block before
            raise DataError(
                f"{source}, row {rows + _ends(last, data[: max(before, 0)]) + 1} is not UTF-8 "
                f"(byte {place + before}, 0x{error.object[error.start]:02x}); "
                "save the file as UTF-8."
            ) from error
        if not data:
            return
        place, rows, last = place + len(data), rows + _ends(last, data), data[-1:]


def _ends(last: bytes, data: bytes) -> int:
    r"""Return the line ends in `data` after the byte `last`, an \r\n between them not twice."""
    both = last + data
    return both.count(b"\n") + both.count(b"\r") - both.count(b"\r\n") - (last in (b"\n", b"\r"))
