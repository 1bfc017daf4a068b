"""A generator of one endless text, judged on texts it has not read."""

import math
import random
from pathlib import Path

import pytest

from recurra import SequenceGenerator
from recurra.data import LongText
from recurra.tasks.judging.judge import Part, judge
from recurra.tasks.judging.judged import MadeDetails


def book(n: int = 3000, seed: int = 0) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(["étude", "bat", "abate", "debut"]) for _ in range(n))[:n]


def fitted(tokens: str = "char") -> SequenceGenerator:
    model = SequenceGenerator(
        chunk=16, tokens=tokens, hidden_size=16, epochs=4, learning_rate=0.03, random_state=0
    )
    return model.fit(book())


def test_it_stands_beside_pairs_counted_in_the_text_it_learned_from(tmp_path: Path) -> None:
    path = tmp_path / "other.txt"
    path.write_text(book(900, seed=1), encoding="utf-8")
    model = fitted()
    judged = judge(model, Part(book()), Part(path))
    score, in_bits = judged.scores
    assert score.value == pytest.approx(-model.score(path), rel=1e-6)
    assert (score.examples, score.noun, score.unit) == (900, "characters", "nats a character")
    assert score.gain > 0
    assert not score.higher_is_better
    (baseline,) = score.baselines.values()
    assert math.log(2) < baseline < math.log(12)
    assert in_bits.value == pytest.approx(score.value / math.log(2))
    assert in_bits.baselines["counted pairs of characters"] == pytest.approx(baseline / math.log(2))
    assert in_bits.unit == "bits a character"
    assert score.interval is not None
    assert score.interval[0] < score.value < score.interval[1]


def test_without_the_text_it_learned_from_there_is_no_baseline() -> None:
    score = judge(fitted(), None, Part([book(500, seed=1), "bat abate"])).scores[0]
    assert not score.baselines
    assert score.examples == 509


def test_samples_go_on_from_places_of_the_text() -> None:
    model, other = fitted(), book(900, seed=1)
    details = judge(model, None, Part(other)).details
    assert isinstance(details, MadeDetails)
    (_, nothing, (made,)), *begun = details.samples
    assert nothing == ""
    assert len(made) == model.max_length
    assert len(begun) == 4
    for _, prefix, (more,) in begun:
        assert prefix in other
        assert len(prefix) == 40
        assert len(more) == model.max_length
    assert other.startswith(begun[0][1])
    assert other.endswith(begun[-1][1])
    assert len({more[-20:] for _, _, (more,) in details.samples}) == 5


def test_symbols_it_does_not_know_are_left_out_of_beginnings() -> None:
    details = judge(fitted(), None, Part("☃bat☃")).details
    assert [prefix for _, prefix, _ in details.samples] == ["", "bat"]
    assert len(judge(fitted(), None, Part("☃")).details.samples) == 1


def test_bytes_are_shown_as_text_where_they_are_some() -> None:
    model = fitted("byte")
    judged = judge(model, Part(LongText(book())), Part(b"\xffbat " * 20))
    assert judged.scores[0].unit == "nats a byte"
    assert all(isinstance(text, str) for _, _, made in judged.details.samples for text in made)
