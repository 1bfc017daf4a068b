import numpy as np
import pytest

from recurra.errors import ArgumentError
from recurra.tasks.judging.scores import Score, bootstrap, error_score, number, share_score


def accuracy(value: float, **baselines: float) -> Score:
    return Score("accuracy", value, 1443, "texts", baselines)


def test_a_score_stands_on_one_line_beside_its_baselines() -> None:
    score = Score(
        "accuracy",
        0.812,
        1443,
        "texts",
        {"the most frequent class": 0.627, "TF-IDF + logistic regression": 0.809},
    )
    assert score.line() == (
        "accuracy 0.812 on 1,443 held-out texts; the most frequent class 0.627, "
        "TF-IDF + logistic regression 0.809"
    )
    assert score.best_baseline == ("TF-IDF + logistic regression", 0.809)
    assert "better than the best baseline, TF-IDF + logistic regression" in score.verdict()


def test_a_baseline_that_wins_is_said_to_win() -> None:
    score = accuracy(0.8, naive=0.9)
    assert score.gain == pytest.approx(-0.1)
    assert score.verdict() == "Naive wins, 0.900 against 0.800: use that."
    assert score.line().endswith("naive 0.900. Naive wins, 0.900 against 0.800: use that.")


def test_of_errors_the_lower_wins() -> None:
    lower = Score("error", 2.0, 10, baselines={"a": 3.0, "b": 2.5}, higher_is_better=False)
    assert lower.best_baseline == ("b", 2.5)
    assert lower.gain == 0.5
    assert "better" in lower.verdict()
    worse = Score("error", 2.6, 10, baselines={"a": 3.0, "b": 2.5}, higher_is_better=False)
    assert "B wins, 2.500 against 2.600" in worse.verdict()


def test_equal_scores_are_no_win() -> None:
    assert "no better than naive" in accuracy(0.5, naive=0.5).verdict()


def test_a_margin_that_holds_zero_may_be_chance() -> None:
    score = Score("accuracy", 0.81, 100, "texts", {"naive": 0.8}, margin=(-0.02, 0.04))
    assert "ahead of naive" in score.verdict()
    assert "may be chance" in score.line()
    behind = Score("accuracy", 0.79, 100, "texts", {"naive": 0.8}, margin=(-0.04, 0.02))
    assert "behind naive" in behind.verdict()


def test_without_a_baseline_there_is_nothing_to_compare() -> None:
    assert "nothing to compare" in accuracy(0.5).verdict()
    assert accuracy(0.5, naive=float("nan")).best_baseline is None


def test_shares_come_with_intervals_of_the_score_and_of_the_margin() -> None:
    right = np.arange(400) % 10 > 0
    plain = np.arange(400) % 10 > 4
    score = share_score("accuracy", right, {"plain": plain}, "texts", {"a part": right})
    assert score.value == pytest.approx(0.9)
    assert score.baselines == {"plain": pytest.approx(0.5)}
    assert score.parts == {"a part": pytest.approx(0.9)}
    assert score.interval is not None
    assert score.margin is not None
    assert score.interval[0] < 0.9 < score.interval[1]
    assert 0 < score.margin[0] < 0.4 < score.margin[1]


def test_the_margin_is_of_pairs_so_that_what_both_miss_does_not_count() -> None:
    right = np.arange(400) % 2 > 0
    plain = right.copy()
    plain[right.nonzero()[0][:30]] = False
    score = share_score("accuracy", right, {"plain": plain}, "texts")
    assert score.margin is not None
    assert score.margin[0] > 0.04  # the unpaired interval, of width 0.1, would hold zero
    errors = error_score("error", np.full(50, 2.0), {"plain": np.full(50, 3.0)}, "texts")
    assert errors.margin == (1.0, 1.0)


def test_the_interval_is_that_of_the_mean() -> None:
    x = np.random.default_rng(1).normal(size=400)
    found = bootstrap(x)
    assert found is not None
    half = 1.96 * x.std() / 20
    assert found[0] == pytest.approx(x.mean() - half, abs=0.02)
    assert found[1] == pytest.approx(x.mean() + half, abs=0.02)
    assert bootstrap(x) == found
    assert bootstrap([1.0]) is None
    with pytest.raises(ArgumentError, match=r"must be \(n,\)"):
        bootstrap(np.ones((2, 2)))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8124, "0.812"), (0.0, "0.000"), (0.00123, "0.00123"), (12345.6, "12,346"), (-0.5, "-0.500"),
     (float("nan"), "not a number")],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text
