"""Files of a model's folder, which may be anybody's: how they are opened, and JSON read."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from recurra.errors import ModelFileError

# A link that is put there in the meantime is not followed, a pipe not waited for.
_FLAGS = os.O_RDONLY | sum(getattr(os, f, 0) for f in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))


@contextmanager
def opened(file: Path, most: int) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file to be read, and give its size in bytes.

    Raises `ModelFileError` for one that cannot be read or has more than `most` bytes, and for a
    link, a pipe, or whatever else is no file of its own.
    """
    try:
        kind = file.lstat().st_mode
        if stat.S_ISLNK(kind):
            raise ModelFileError(f"{file}: is a link; a model is read from files of its own only.")
        if not stat.S_ISREG(kind):
            raise ModelFileError(f"{file}: is no file.")
        with open(os.open(file, _FLAGS), "rb") as content:
            found = os.fstat(content.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ModelFileError(f"{file}: is no file.")
            if found.st_size > most:
                raise ModelFileError(
                    f"{file}: damaged, {found.st_size:,} bytes are more than the {most:,} it may "
                    "have."
                )
            yield content, found.st_size
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read, {error.strerror}.") from None


def read_file(file: Path, most: int) -> bytes:
    """Return a file's content; raises `ModelFileError` as `opened` does."""
    with opened(file, most) as (content, size):
        return content.read(size)


def as_json(record: Any) -> bytes:
    """Return a record as the bytes of a JSON file; floats may be NaN and Infinity."""
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    # Half a surrogate pair, which UTF-8 cannot hold, becomes the escape that JSON has for it.
    return text.encode("utf-8", "backslashreplace")


def parse_json(content: bytes, file: Path) -> dict[str, Any]:
    """Return the object in a JSON file's content.

    Raises `ModelFileError` for anything else, and for a key that is there twice.
    """
    try:
        record = json.loads(content.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{file}: damaged, {shown(error)}.") from None
    if not isinstance(record, dict):
        raise ModelFileError(f"{file}: damaged, a JSON object was expected.")
    return record


def shown(text: object, most: int = 300) -> str:
    """Return as text what came from a file: its start, in signs that a terminal only prints."""
    start = " ".join(str(text)[: 4 * most].split())[:most]
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in start)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:40]} is there twice")
    return record
