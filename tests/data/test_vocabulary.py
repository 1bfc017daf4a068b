import pytest

from recurra.data.vocabulary import END, SPECIAL, START, UNKNOWN, Vocabulary
from recurra.errors import DataError


def test_symbols_are_numbered_by_frequency_then_by_code_point() -> None:
    vocabulary = Vocabulary.of(["banana", "cab"])
    assert vocabulary.symbols == ("a", "b", "n", "c")
    assert vocabulary.encode("cab") == [SPECIAL + 3, SPECIAL, SPECIAL + 1]
    assert len(vocabulary) == SPECIAL + 4


def test_what_was_encoded_comes_back() -> None:
    vocabulary = Vocabulary.of(["Søren", "Ольга", "愛"])
    for name in ("Søren", "Ольга", "愛"):
        assert "".join(vocabulary.decode(vocabulary.encode(name))) == name


def test_a_symbol_never_seen_is_unknown() -> None:
    vocabulary = Vocabulary.of(["ab"])
    assert vocabulary.encode("xa") == [UNKNOWN, SPECIAL]
    assert "x" not in vocabulary
    assert "a" in vocabulary


def test_decoding_stops_at_the_end() -> None:
    vocabulary = Vocabulary.of(["ab"])
    assert vocabulary.decode([SPECIAL, END, SPECIAL + 1]) == ["a"]


def test_the_special_numbers_differ_from_every_symbol() -> None:
    vocabulary = Vocabulary.of(["abc"])
    assert {END, UNKNOWN, START}.isdisjoint(vocabulary.encode("abc"))
    assert len({END, UNKNOWN, START}) == SPECIAL


def test_no_symbols_are_an_error() -> None:
    with pytest.raises(DataError, match="not one symbol"):
        Vocabulary.of(["", ""])
