"""Where a long text lies: its bytes, its parts, and a file that does not stay as it was."""

import os
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import LongText
from recurra.data.long_text.source import stands_alone
from recurra.errors import ArgumentError, ArgumentTypeError, DataError

# Marks, Hangul in pieces, Indic vowels in two pieces, what composes and what decomposes.
TRICKY = "aeé\u0301\u0323\u0308가\u1100\u1161\u11a8\u09c7\u09be\u0dd9\u0dcf\u212b\u0344𝅘𝅥\n"


def test_a_file_and_a_text_of_the_same_content_are_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("naïve €".encode())
    for text in (LongText(path), LongText("naïve €"), LongText("naïve €".encode())):
        assert len(text) == 10
        assert text.read(2, 4) == "ïve"[:3].encode()
        assert text.read(7, 100) == "€".encode()


def test_a_text_given_as_one_is_left_as_it_is() -> None:
    text = LongText("abc")
    assert LongText.of(text) is text
    assert LongText.of("abc").read(0, 3) == b"abc"


@given(st.text(TRICKY, max_size=40), st.floats(0, 1))
def test_parts_meet_between_two_characters_that_do_not_combine(text: str, share: float) -> None:
    whole = LongText(text.encode())
    left, right = (part.read(part.begin, len(part)) for part in whole.split(share))
    assert left + right == text.encode()
    composed = [unicodedata.normalize("NFC", part.decode()) for part in (left, right)]
    assert "".join(composed) == unicodedata.normalize("NFC", text)


def test_the_last_share_is_held_out() -> None:
    left, right = LongText("a" * 75 + "b" * 25).split(0.25)
    assert left.read(0, 100) == b"a" * 75
    assert right.read(75, 100) == b"b" * 25
    assert [len(part) for part in LongText("abc").split(0)] == [3, 0]


def test_bytes_that_are_no_text_have_parts_too() -> None:
    left, right = LongText(b"\x80" * 9000).split(0.5)
    assert (len(left), len(right)) == (4500, 4500)


@given(st.text(TRICKY, max_size=6), st.characters(exclude_categories=["Cs"]), st.text(TRICKY))
def test_what_stands_alone_is_not_changed_by_what_is_before(
    before: str, one: str, after: str
) -> None:
    if stands_alone(one):
        parts = [unicodedata.normalize("NFC", part) for part in (before, one + after)]
        assert "".join(parts) == unicodedata.normalize("NFC", before + one + after)


def test_every_character_that_composes_with_one_before_does_not_stand_alone() -> None:
    firsts = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isalpha()]
    firsts = sorted({unicodedata.normalize("NFD", c)[0] for c in firsts})
    seconds = {
        parts[1]
        for c in map(chr, range(sys.maxunicode + 1))
        if len(parts := unicodedata.normalize("NFD", c)) > 1
        and unicodedata.normalize("NFC", parts[0] + parts[1]) != parts[:2]
    }
    assert len(firsts) > 1000
    assert len(seconds) > 50
    assert not any(stands_alone(second) for second in seconds)


@pytest.mark.parametrize("change", ["longer", "shorter", "rewritten", "replaced", "gone"])
def test_a_file_that_was_changed_is_not_read_on(change: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("abcdef")
    text = LongText(path)
    assert text.read(0, 3) == b"abc"
    told = "a.txt was changed while it was read: train anew on a file that stays"
    if change == "longer":
        path.write_text("abcdefg")
    elif change == "shorter":
        path.write_text("abc")
    elif change == "rewritten":
        path.write_text("fedcba")
        os.utime(path, (1, 1))
    elif change == "replaced":
        status = path.stat()
        (tmp_path / "b.txt").write_text("fedcba")
        os.utime(tmp_path / "b.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
        (tmp_path / "b.txt").replace(path)
    else:
        path.unlink()
        told = "a.txt cannot be read: No such file or directory"
    with pytest.raises(DataError, match=told):
        text.read(3, 3)


def test_what_is_no_file_to_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt: there is no such file"):
        LongText(tmp_path / "none.txt")
    with pytest.raises(DataError, match="is no regular file, which is needed: it is read more"):
        LongText(tmp_path)
    with pytest.raises(DataError, match="cannot be read: embedded null byte"):
        LongText(Path("a\0b"))


@pytest.mark.parametrize("given", [3, None, ["a text"], object()])
def test_what_is_no_text_is_told(given: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"a str, bytes or the pathlib.Path of a file, got"):
        LongText(given)


@pytest.mark.parametrize(("begin", "end"), [(-1, None), (4, None), (2, 1), (0, 4)])
def test_what_is_no_part_is_told(begin: int, end: int | None) -> None:
    with pytest.raises(ArgumentError, match=f"the text has 3 bytes; begin={begin}, end={end} is"):
        LongText("abc", begin, end)
