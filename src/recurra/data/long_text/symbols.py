"""A long text's symbols as numbers: Unicode's of its characters in NFC, or its bytes."""

import codecs
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.long_text.source import LongText, stands_alone
from recurra.errors import DataError

Codes = NDArray[Any]  # (n,) of an unsigned type: the symbols' codes
KINDS = {"char": 0x110000, "byte": 256}  # by how a text is cut, how many codes there are

_HELD = 2**16  # characters that may wait for one that stands alone


def pieces(text: LongText, kind: str, place: int, block: int) -> Iterator[tuple[int, Codes]]:
    """Yield the symbols from byte `place` on, some at a time, after the byte they begin at.

    Args:
        text: what is read.
        kind: "char" or "byte".
        place: where a symbol begins; for characters one that stands alone.
        block: bytes read at a time.

    Raises `DataError` for characters that are not UTF-8.
    """
    if kind == "char":
        yield from _characters(text, place, block)
        return
    while data := text.read(place, block):
        yield place, np.frombuffer(data, np.uint8)
        place += len(data)


def _characters(text: LongText, place: int, block: int) -> Iterator[tuple[int, Codes]]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    at, held = place, ""  # characters that those to come may combine with, and where they begin
    while data := text.read(place, block):
        try:
            new = decoder.decode(data, final=place + len(data) == text.end)
        except UnicodeDecodeError as error:
            byte = place + error.start - (len(error.object) - len(data))
            raise DataError(
                f"{text.name} is not UTF-8 at byte {byte:,} (0x{error.object[error.start]:02x}): "
                "save it as UTF-8, or cut it into bytes (tokens='byte', --tokens byte)."
            ) from error
        held += new.removeprefix("\ufeff") if place == 0 else new
        place += len(data)
        cut = len(held) if place == text.end else _last_alone(held)
        if cut:
            yield at, _codes(held[:cut])
            held = held[cut:]
            at = place - len(decoder.getstate()[0]) - len(held.encode())
        if len(held) > _HELD:
            raise DataError(
                f"{text.name} has {len(held):,} combining characters on one, from byte {at:,} on: "
                "this is no text. Cut it into bytes (tokens='byte', --tokens byte)."
            )


def _last_alone(text: str) -> int:
    """Return where the last character that stands alone is, 0 if that is the first or none."""
    return next((k for k in range(len(text) - 1, 0, -1) if stands_alone(text[k])), 0)


def _codes(text: str) -> Codes:
    if text.isascii():
        return np.frombuffer(text.encode(), np.uint8)
    return np.frombuffer(unicodedata.normalize("NFC", text).encode("utf-32-le"), np.uint32)


class SymbolReader:
    """Takes symbols from pieces, as many as are wanted; there must be as many."""

    def __init__(self, rest: Iterator[tuple[int, Codes]], skip: int) -> None:
        self._rest = rest
        self._codes: Codes = np.zeros(0, np.uint8)
        self._used = 0
        while skip:
            skip -= len(self._next(skip))

    def take(self, n: int) -> Codes:
        """Return the next `n` symbols."""
        found = [self._next(n)]
        while (left := n - sum(map(len, found))) > 0:
            found.append(self._next(left))
        return np.concatenate(found) if len(found) > 1 else found[0]

    def _next(self, n: int) -> Codes:
        """Return at most `n` symbols, of one piece."""
        if n and self._used == len(self._codes):
            _, self._codes = next(self._rest)
            self._used = 0
        found = self._codes[self._used : self._used + n]
        self._used += len(found)
        return found
