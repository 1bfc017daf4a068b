"""A long text in rows side by side."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from recurra.data import CountedText, LongText, TextChunks
from recurra.data.long_text import counted as room
from recurra.data.vocabulary import START
from recurra.errors import ArgumentError, DataError

TEXT = "".join(chr(97 + k * k % 23) + "é€"[k % 2] * (k % 5 == 0) for k in range(997))
NUMBERS = np.arange(0x110000) + 10  # so that none is 0


def chunks(text: str | Path = TEXT, chunk: int = 16, batch_size: int = 5) -> TextChunks:
    counted = CountedText.of(LongText(text), "char")
    return TextChunks(counted, NUMBERS, chunk=chunk, batch_size=batch_size)


@pytest.mark.parametrize(("chunk", "rows"), [(16, 5), (1, 7), (2000, 1), (3, 997), (200, 6)])
def test_rows_side_by_side_have_every_symbol_once_and_in_order(chunk: int, rows: int) -> None:
    every = chunks(TEXT, chunk, rows)
    read = [piece.read() for piece in every]
    assert len(read) == len(every)
    assert all(len(piece.x) <= chunk for piece in read)
    found = []
    for b in range(rows):
        y = torch.cat([piece.y[: piece.lengths[b], b] for piece in read])
        x = torch.cat([piece.x[: piece.lengths[b], b] for piece in read])
        assert x.tolist() == [START, *y[:-1].tolist()]
        found.append("".join(chr(number - 10) for number in y.tolist()))
    assert "".join(found) == TEXT
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert sum(piece.weight for piece in read) == every.rows == len(TEXT)


def test_a_second_pass_is_like_the_first() -> None:
    every = chunks()
    passes = [[piece.read() for piece in every] for _ in range(2)]
    for one, other in zip(*passes, strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.lengths, other.lengths)


@pytest.mark.parametrize("first", [0, 1, 5, 12])
def test_what_is_passed_over_is_not_read(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_BLOCK", 64)
    monkeypatch.setattr(room, "_ROW_BLOCK", 64)
    every = chunks()
    whole = [piece.read() for piece in every]
    read: list[int] = []
    plain = LongText.read
    monkeypatch.setattr(LongText, "read", lambda self, at, n: read.append(n) or plain(self, at, n))
    rest = list(every)[first:]
    assert not read
    assert torch.equal(rest[0].read().x, whole[first].x)
    assert sum(read) <= 5 * 3 * 64
    for piece, wanted in zip(rest[1:], whole[first + 1 :], strict=True):
        assert torch.equal(piece.read().x, wanted.x)


def test_chunks_are_right_in_any_order() -> None:
    whole = [piece.read() for piece in chunks()]
    pieces = list(chunks())
    for number in (3, 4, 9, 2, 2, 0):
        found = pieces[number].read()
        assert torch.equal(found.x, whole[number].x)
        assert torch.equal(found.y, whole[number].y)


def test_shares_are_the_rows_of_the_whole() -> None:
    whole = [piece.read() for piece in chunks()]
    for rank in range(2):
        mine = chunks().share(rank, 2)
        assert len(mine) == len(whole)
        for piece, every in zip(mine, whole, strict=True):
            assert piece is not None
            one = piece.read()
            assert torch.equal(one.lengths, every.lengths[rank::2])
            assert torch.equal(one.x, every.x[:, rank::2])
            assert torch.equal(one.y, every.y[:, rank::2])


def test_a_process_without_a_row_gets_nothing() -> None:
    one = chunks(batch_size=1)
    assert one.share(1, 2) == [None] * len(one)
    assert len(one.share(0, 2)) == len(one)


def test_pieces_of_another_text_have_another_digest() -> None:
    first, other = (next(iter(chunks(text))) for text in (TEXT, TEXT + "b"))
    assert first.digest != other.digest
    assert next(iter(chunks())).digest == first.digest


def test_a_file_that_changes_between_two_chunks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_ROW_BLOCK", 32)
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-8")
    passing = iter(chunks(path))
    next(passing).read()
    os.truncate(path, 500)
    with pytest.raises(DataError, match=r"a\.txt was changed while it was read"):
        [piece.read() for piece in passing]


@pytest.mark.parametrize(("chunk", "rows"), [(0, 1), (4, 0), (4, 998)])
def test_sizes_are_checked(chunk: int, rows: int) -> None:
    told = rf"997 symbols need .* batch_size <= 997, got chunk={chunk}, batch_size={rows}\."
    with pytest.raises(ArgumentError, match=told):
        chunks(TEXT[:997], chunk, rows)
