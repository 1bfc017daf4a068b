import pytest

from recurra.data.tokens import Tokenizer, clean, make_tokenizer
from recurra.errors import ArgumentError

WORDS = Tokenizer(kind="word")


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("@VirginAmerica plz help!", ["@VirginAmerica", "plz", "help", "!"]),
        ("don't re-book #fail", ["don't", "re-book", "#fail"]),
        ("see https://t.co/x?y=1 now", ["see", "https://t.co/x?y=1", "now"]),
        ("great :) <3 :-(", ["great", ":)", "<3", ":-("]),
        ("nice👍🏽👍", ["nice", "👍🏽", "👍"]),
        ("👩‍👩‍👧 family", ["👩‍👩‍👧", "family"]),
        ("3.5 hours, $20", ["3", ".", "5", "hours", ",", "$", "20"]),
        ("naïve Straße 日本", ["naïve", "Straße", "日本"]),
        ("", []),
        (" \t\n", []),
    ],
)
def test_words_are_cut_as_people_write_them(text: str, symbols: list[str]) -> None:
    assert WORDS.split(text) == symbols


def test_characters_are_those_of_the_composed_form() -> None:
    assert Tokenizer(kind="char").split("e\u0301a b") == ["é", "a", " ", "b"]


def test_lower_case_is_asked_for() -> None:
    assert Tokenizer(kind="word", lower=True).split("NOT Good") == ["not", "good"]


def test_words_join_with_the_usual_spaces() -> None:
    text = "a small circle (red), left of it: a square."
    assert WORDS.join(WORDS.split(text)) == text


def test_surrogates_that_stand_alone_become_the_replacement_character() -> None:
    assert clean("a\ud800b") == "a\ufffdb"


def test_learned_pieces_give_back_any_text() -> None:
    texts = ["the lower the better", "the lowest", "newer and wider"] * 5
    pieces = make_tokenizer("bpe", texts, size=300)
    for text in ["the lowest newer", "日本 👍 never seen", "", "  spaces  kept "]:
        assert pieces.join(pieces.split(text)) == text
    assert len(pieces.split("the lower")) < len("the lower")
    again = Tokenizer.model_validate_json(pieces.model_dump_json())
    assert again.split("the lower") == pieces.split("the lower")


@pytest.mark.parametrize("pieces", ["{}", "no json", '{"model": {"type": "Unheard"}}'])
def test_pieces_that_are_none_are_refused_before_they_are_used(pieces: str) -> None:
    with pytest.raises(ValueError, match="pieces: "):
        Tokenizer(kind="bpe", pieces=pieces)


def test_pieces_and_their_kind_belong_together() -> None:
    with pytest.raises(ValueError, match="pieces belong to the kind 'bpe'"):
        Tokenizer(kind="bpe")
    with pytest.raises(ValueError, match="pieces belong to the kind 'bpe'"):
        Tokenizer(kind="word", pieces="{}")


def test_the_kind_is_guessed_from_the_spaces() -> None:
    assert make_tokenizer("auto", ["a text with words", "one"]).kind == "word"
    assert make_tokenizer("auto", ["ACGT", "GGCA", "A T"]).kind == "char"


def test_another_kind_is_refused() -> None:
    with pytest.raises(ArgumentError, match="tokens='syllable' is not known; there are 'char'"):
        make_tokenizer("syllable", ["a"])
