"""The grammar of blanks: what follows decides, what comes before only tells a little."""

import re
from collections import Counter, defaultdict

import pytest

from recurra.data.sources.blanks import (
    CHOICES,
    LESSON,
    beginnings,
    best_from_left,
    load_blanks,
    share_from_left,
)
from recurra.errors import ArgumentError


@pytest.fixture(scope="module")
def parts():
    return load_blanks()


def test_no_sentence_is_both_learned_from_and_tested_on(parts):
    train, test = parts
    assert (len(train), len(test)) == (6000, 2000)
    assert not set(train.sentences) & set(test.sentences)
    assert set(train.fillers) == set(test.fillers) == set(CHOICES)


def test_the_lessons_sentences_are_of_the_grammar_and_held_out():
    train, test = load_blanks(200_000, 200_000)
    answers = dict(zip(test.sentences, test.fillers, strict=True))
    for sentence, filler in LESSON:
        assert sentence not in train.sentences
        assert answers[sentence] == filler


def test_what_follows_decides(parts):
    """The filler is a function of the end, whatever stands before the blank."""
    fillers = defaultdict(set)
    for table in parts:
        for sentence, filler in zip(table.sentences, table.fillers, strict=True):
            end = re.sub(r"\b(I|you|we|they|she|he)\b", "-", sentence.partition("__")[2])
            fillers[end].add(filler)
    assert all(len(found) == 1 for found in fillers.values())
    assert len(fillers) == 60


def test_neither_state_nor_outcome_decides_alone(parts):
    """Each outcome is said of a state and of its opposite, with another word in the blank."""
    by_state, by_outcome = defaultdict(set), defaultdict(set)
    for sentence, filler in zip(parts[0].sentences, parts[0].fillers, strict=True):
        state, comma, outcome = sentence.partition("__ ")[2].partition(", and ")
        if comma and state:
            by_state[state].add(filler)
            by_outcome[outcome.split(" ", 1)[1]].add(filler)
    assert len(by_state) == 8
    assert len(by_outcome) == 24
    assert all(found == {"not", "very"} for found in (*by_state.values(), *by_outcome.values()))


def test_every_pair_of_state_and_outcome_is_learned_from(parts):
    ends = [
        {re.sub(r"\b(I|you|we|they|she|he)\b", "-", s.partition("__")[2]) for s in table.sentences}
        for table in parts
    ]
    assert ends[1] <= ends[0]


def test_the_left_tells_its_share_and_no_more():
    assert share_from_left() == pytest.approx((1 / 3 + 3 / 6 + 0) / 4 + 1 / 4)
    for table in load_blanks(40_000, 40_000):
        best = best_from_left(table.sentences, table.fillers)
        assert best == pytest.approx(share_from_left(), abs=0.02)
        odds = {left: odds for left, _, odds in beginnings()}
        seen = defaultdict(Counter)
        for sentence, filler in zip(table.sentences, table.fillers, strict=True):
            seen[sentence.partition(" __")[0]][filler] += 1
        assert seen.keys() == odds.keys()
        for left, counts in seen.items():
            for filler, odd in zip(CHOICES, odds[left], strict=True):
                assert counts[filler] / counts.total() == pytest.approx(
                    odd / sum(odds[left]), abs=0.08
                )


def test_the_best_from_the_left_is_counted():
    sentences = ["a __ x", "a __ y", "a __ z", "b __", "b __ x"]
    assert best_from_left(sentences, ["p", "p", "q", "q", "q"]) == 4 / 5
    assert best_from_left(["a _ x", "a _ y"], ["p", "q"], "_") == 1 / 2


def test_the_seed_decides():
    first, again, other = load_blanks(50, 50), load_blanks(50, 50), load_blanks(50, 50, seed=1)
    assert first == again
    assert first != other
    with pytest.raises(ArgumentError, match="n and held_out must be at least 1, got 0 and 5"):
        load_blanks(0, 5)
