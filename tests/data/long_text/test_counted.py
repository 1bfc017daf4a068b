"""A long text gone through once: its symbols' counts, and where they are."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recurra.data import CountedText, LongText
from recurra.data.long_text import counted as room

TEXT = "".join(f"línea {k} €\n" * (k % 3) for k in range(400))


def test_counts_are_those_of_the_symbols(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-8", newline="")
    counted = CountedText.of(LongText(path), "char")
    assert counted.symbols == len(TEXT)
    assert {chr(c): counted.counts[c] for c in np.flatnonzero(counted.counts)} == Counter(TEXT)
    as_bytes = CountedText.of(LongText(path), "byte")
    assert as_bytes.symbols == len(TEXT.encode())
    assert as_bytes.counts.tolist() == [TEXT.encode().count(bytes([c])) for c in range(256)]


def test_of_any_text_no_more_than_some_places_are_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_BLOCK", 16)
    monkeypatch.setattr(room, "_MARKS", 8)
    counted = CountedText.of(LongText(TEXT), "char")
    assert 4 <= len(counted.marks) <= 9
    gaps = np.diff([place for place, _ in counted.marks])
    assert gaps.max() < 2 * len(TEXT) / len(counted.marks)
    for symbol in (0, 1, 50, len(TEXT) // 2, len(TEXT) - 3):
        codes = counted.reader(symbol).take(3).tolist()
        assert "".join(map(chr, codes)) == TEXT[symbol : symbol + 3]


def test_only_what_is_before_the_place_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_BLOCK", 64)
    monkeypatch.setattr(room, "_ROW_BLOCK", 32)
    counted = CountedText.of(LongText(TEXT), "char")
    read: list[tuple[int, int]] = []
    whole = LongText.read
    monkeypatch.setattr(
        LongText, "read", lambda self, at, n: read.append((at, n)) or whole(self, at, n)
    )
    counted.reader(len(TEXT) - 10).take(1)
    assert sum(n for _, n in read) <= 64 + 4 * 32
    assert min(at for at, _ in read) > len(TEXT.encode()) - 300


def test_the_digest_is_that_of_the_symbols() -> None:
    digests = {
        CountedText.of(LongText(text), kind).digest
        for text, kind in ((TEXT, "char"), (TEXT + ".", "char"), ("." + TEXT, "char"))
    }
    assert len(digests) == 3
    assert CountedText.of(LongText(TEXT.encode()), "char").digest in digests
    ends = LongText("." + TEXT, 1)
    assert CountedText.of(ends, "char").symbols == len(TEXT)
