import pytest
import torch

from recurra.data.vocabulary import UNKNOWN
from recurra.data.words import WordBook, pieces_of
from recurra.errors import DataError

ROWS = [["I", "am", "not", "hungry"], ["I", "am"], []]


def book() -> WordBook:
    return WordBook.of([(row, 1.0) for row in ROWS], least=2)


def test_a_word_has_a_number_from_the_weight_asked_for() -> None:
    assert set(book().vocabulary.symbols) == {"I", "am"}
    heavy = WordBook.of([(["I"], 0.5), (["I", "am"], 1.5)], least=2)
    assert heavy.vocabulary.symbols == ("I",)


def test_each_different_word_of_a_batch_is_there_once() -> None:
    batch = book().batch(ROWS)
    assert batch.places.shape == (4, 3)
    assert len(batch.words) == len(batch.offsets) == 4
    assert batch.places[0, 0] == batch.places[0, 1]
    assert (batch.words == UNKNOWN).sum() == 2  # "not" and "hungry"


def test_a_words_pieces_lie_between_its_offset_and_the_next() -> None:
    batch = book().batch([["am", "not"]])
    first = batch.pieces[batch.offsets[0] : batch.offsets[1]].tolist()
    assert first == pieces_of("am", 256)
    assert batch.pieces[batch.offsets[1] :].tolist() == pieces_of("not", 256)


def test_words_alike_share_pieces_and_edges_count() -> None:
    booked, booking = set(pieces_of("booked", 256)), set(pieces_of("booking", 256))
    assert booked & booking
    assert set(pieces_of("at", 256)) != set(pieces_of("ta", 256))
    assert max(booked | booking) < 256


def test_a_very_long_word_has_few_pieces() -> None:
    assert len(pieces_of("x" * 10**6, 2**15)) < 20
    assert 50 < len(pieces_of("".join(map(chr, range(97, 1097))), 2**15)) < 200


def test_rows_without_words_make_a_batch() -> None:
    batch = book().batch([[], []])
    assert batch.places.tolist() == [[0, 0]]
    assert batch.words.tolist() == [UNKNOWN]
    assert torch.equal(batch.offsets, torch.tensor([0]))


def test_no_word_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="not one word in the texts"):
        WordBook.of([([], 1.0)])


def test_there_are_about_as_many_buckets_as_pieces() -> None:
    assert book().buckets == 256
    many = WordBook.of([([f"word{k}" for k in range(2000)], 1.0)])
    pieces = {piece for k in range(2000) for piece in pieces_of(f"word{k}", 2**15)}
    assert len(pieces) <= many.buckets < 2 * len(pieces)
