"""A long text's symbols, whatever the pieces it is read in."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import LongText
from recurra.data.long_text.symbols import SymbolReader, pieces
from recurra.errors import DataError

TRICKY = "aé\u0301\u0323가\u1100\u1161\u11a8\u09c7\u09be€😀\n\r"


def whole(text: LongText, kind: str = "char", block: int = 4) -> str:
    found = pieces(text, kind, text.begin, block)
    return "".join(chr(code) for _, codes in found for code in codes.tolist())


@given(st.text(TRICKY, max_size=60), st.integers(1, 9))
def test_characters_are_those_of_the_whole_in_nfc_in_any_pieces(text: str, block: int) -> None:
    assert whole(LongText(text.encode()), block=block) == unicodedata.normalize("NFC", text)


@given(st.text(TRICKY, max_size=60), st.integers(1, 9))
def test_each_piece_begins_at_the_byte_that_is_told(text: str, block: int) -> None:
    data = text.encode()
    found = list(pieces(LongText(data), "char", 0, block))
    for k, (byte, _) in enumerate(found):
        rest = "".join(chr(code) for _, codes in found[k:] for code in codes.tolist())
        assert rest == unicodedata.normalize("NFC", data[byte:].decode())


@given(st.binary(max_size=60), st.integers(1, 9))
def test_bytes_are_bytes(data: bytes, block: int) -> None:
    assert whole(LongText(data), "byte", block) == data.decode("latin-1")


def test_a_byte_order_mark_is_no_character(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffab\ufeff".encode())
    assert whole(LongText(path)) == "ab\ufeff"
    assert whole(LongText(path), "byte")[:3] == "\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("data", "byte", "value"),
    [
        (b"abc\xffdef", 3, "ff"),
        ("aé".encode("latin-1") + b"b", 1, "e9"),
        ("€uro".encode() * 3 + "€".encode()[:2], 18, "e2"),
        (b"\xed\xa0\x80", 0, "ed"),  # a surrogate
    ],
)
@pytest.mark.parametrize("block", [1, 2, 5, 100])
def test_what_is_not_utf_8_is_told_with_its_byte(
    data: bytes, byte: int, value: str, block: int
) -> None:
    told = rf"the text is not UTF-8 at byte {byte} \(0x{value}\): save it as UTF-8, or cut it into"
    with pytest.raises(DataError, match=told):
        whole(LongText(data), block=block)
    assert len(whole(LongText(data), "byte", block)) == len(data)


def test_a_heap_of_combining_marks_is_no_text_and_not_kept() -> None:
    heap = LongText(("a" + "\u0301" * 70_000).encode())
    with pytest.raises(DataError, match="combining characters on one, from byte 0 on: this is no"):
        whole(heap, block=2**12)


def test_a_reader_takes_any_number_across_pieces() -> None:
    text = LongText("0123456789" * 20)
    for skip in (0, 1, 7, 64, 199):
        reader = SymbolReader(pieces(text, "char", 0, 7), skip)
        left = 200 - skip
        sizes = [0, min(3, left), 0, max(0, min(40, left - 3)), max(0, left - 43)]
        found = np.concatenate([reader.take(size) for size in sizes])
        assert "".join(map(chr, found.tolist())) == ("0123456789" * 20)[skip:]
