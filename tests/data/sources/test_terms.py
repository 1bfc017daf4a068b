import pytest

from recurra.data.sources.terms import load_terms
from recurra.errors import ArgumentError

pytest.importorskip("pycountry")


def test_names_stand_beside_their_translations() -> None:
    table = load_terms("en", "de")
    pairs = dict(zip(table.sources, table.targets, strict=True))
    kinds = dict(zip(table.sources, table.kinds, strict=True))
    assert pairs["Germany"] == "Deutschland"
    assert (pairs["Finnish"], kinds["Finnish"]) == ("Finnisch", "language")
    assert table.kinds.count("country") > 200
    assert len(set(table.sources)) == len(table)


def test_neither_side_need_be_english() -> None:
    pairs = dict(zip(*(lambda t: (t.sources, t.targets))(load_terms("de", "fr")), strict=True))
    assert pairs["Deutschland"] == "Allemagne"


def test_what_has_no_translation_is_left_out() -> None:
    table = load_terms("en", "ja")
    assert len(table) < 1000  # of some 8,000
    assert all(any(ord(c) > 0x2E80 for c in target) for target in table.targets[:100])


def test_no_name_is_in_two_parts() -> None:
    train, test = load_terms("en", "ru").split((0.8, 0.2), seed=1)
    assert len(test) > 100
    assert not set(train.sources) & set(test.sources)


def test_languages_that_are_not_there_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"no names .* in 'xx'"):
        load_terms("en", "xx")
    with pytest.raises(ArgumentError, match="both 'de'"):
        load_terms("de", "de")
