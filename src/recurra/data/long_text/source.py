"""Where a long text lies: a file's bytes, or those of a text that was given."""

import os
import stat
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from recurra.data.tables.text_lines import shown_path
from recurra.data.tokens import clean
from recurra.errors import ArgumentError, ArgumentTypeError, DataError

_LOOKED_AT = 2**12  # bytes in which a border is looked for


class LongText:
    """One text, or a part of it: a file of any size, of which little is ever in memory, or a str.

    Args:
        content: a file's path, a text, or bytes.
        begin, end: the bytes that count, of the file or of the text in UTF-8; None for its end.

    Raises `DataError` for a file that cannot be read, `ArgumentTypeError` for something else.
    """

    def __init__(
        self, content: str | bytes | os.PathLike[str], begin: int = 0, end: int | None = None
    ) -> None:
        self._content = content
        if isinstance(content, os.PathLike):
            self.name = shown_path(content)
            self._stamp = self._stamp_of(_stat(Path(content), self.name))
            size = self._stamp[0]
        elif isinstance(content, str | bytes):
            self.name = "the text"
            self._given = clean(content).encode() if isinstance(content, str) else content
            size = len(self._given)
        else:
            raise ArgumentTypeError(
                "a long text is a str, bytes or the pathlib.Path of a file, got "
                f"{type(content).__name__}."
            )
        self.begin, self.end = begin, size if end is None else end
        if not 0 <= begin <= self.end <= size:
            raise ArgumentError(
                f"{self.name} has {size:,} bytes; begin={begin}, end={end} is no part of it."
            )

    @classmethod
    def of(cls, X: Any) -> "LongText":
        """Return `X` as a long text, itself if it is one."""
        return X if isinstance(X, LongText) else cls(X)

    def __len__(self) -> int:
        return self.end - self.begin

    def read(self, place: int, count: int) -> bytes:
        """Return `count` bytes from byte `place` of the whole on, fewer at the part's end.

        Raises `DataError` where the file is no longer the one it was.
        """
        count = min(count, self.end - place)
        if not isinstance(self._content, os.PathLike):
            return self._given[place : place + count]
        try:
            with Path(self._content).open("rb", buffering=0) as file:
                same = self._stamp_of(os.fstat(file.fileno())) == self._stamp
                file.seek(place)
                data = file.read(count) if same else b""
        except OSError as error:
            raise DataError(f"{self.name} cannot be read: {error.strerror}.") from error
        if not same or len(data) < count:
            raise DataError(
                f"{self.name} was changed while it was read: train anew on a file that stays."
            )
        return data

    def split(self, fraction: float) -> "tuple[LongText, LongText]":
        """Return this text without the last `fraction` of its bytes, and those.

        They meet between two characters that do not combine.
        """
        border = self._border(self.end - round(len(self) * fraction))
        return (
            LongText(self._content, self.begin, border),
            LongText(self._content, border, self.end),
        )

    def _border(self, near: int) -> int:
        """Return where, from byte `near` on, a character begins that nothing before it changes.

        That is the end where there is none, and `near` where the bytes are no text.
        """
        data = self.read(near, _LOOKED_AT)
        for k, byte in enumerate(data):
            if byte & 0xC0 != 0x80:  # no byte within a character
                character = data[k : k + 4].decode("utf-8", "replace")[:1]
                if stands_alone(character):
                    return near + k
        return self.end if near + len(data) == self.end else near

    @staticmethod
    def _stamp_of(status: os.stat_result) -> tuple[int, ...]:
        return status.st_size, status.st_mtime_ns, status.st_ino


def _stat(path: Path, name: str) -> os.stat_result:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DataError(f"{name}: there is no such file.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{name} cannot be read: {error}.") from error
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{name} is no regular file, which is needed: it is read more than once.")
    return status


@cache
def stands_alone(character: str) -> bool:
    """Return whether NFC never changes a character because of what is before it.

    Text may be brought to NFC piece by piece if each begins with such a one (UAX #15, section 9).
    """
    if character < "\u0300":
        return True
    first = unicodedata.normalize("NFD", character)[0]
    return not unicodedata.combining(first) and first not in _seconds()


@cache
def _seconds() -> frozenset[str]:
    """Return the characters of combining class 0 that compose with one before them."""
    pairs = (unicodedata.decomposition(chr(code)).split() for code in range(0xC0, 0x20000))
    canonical = (pair[1] for pair in pairs if len(pair) == 2 and not pair[0].startswith("<"))
    jamo = (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))  # composed by rule, not by table
    return frozenset([*(chr(int(code, 16)) for code in canonical), *map(chr, jamo)])
