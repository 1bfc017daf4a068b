import numpy as np
import pytest

from recurra.data.examples import Examples
from recurra.tasks.writing.naive import by_distance, by_runs, most_frequent, naive_scores
from recurra.tasks.writing.targets import Target


def examples(inputs: list[object], targets: list[Target], weights: list[float]) -> Examples:
    return Examples(inputs, targets, np.array(weights))


def test_the_most_frequent_target_weighs_most_under_its_condition() -> None:
    train = examples(
        list("abcd"),
        [Target(["x"], "1"), Target(["y"], "1"), Target(["y"], "1"), Target(["z"], "2")],
        [5, 2, 2, 1],
    )
    assert most_frequent(train) == {"1": ("x",), "2": ("z",)}


def test_each_naive_way_is_scored_by_what_it_writes_exactly() -> None:
    train = examples(
        ["kitten", "kitchen", "dog"], [Target(["A"]), Target(["B"]), Target(["B"])], [1, 1, 1]
    )
    judged = examples(
        ["kittens", "dogs", ["B"]], [Target(["A"]), Target(["B"]), Target(["B"])], [1, 1, 2]
    )
    scores = naive_scores(train, judged, by_runs, copies=True)
    assert scores["the most frequent target"] == 0.75
    assert scores["the nearest input's target"] >= 0.5
    assert scores["the input itself"] == 0.5
    assert "the input itself" not in naive_scores(train, judged, by_runs, copies=False)


def test_the_nearest_is_of_the_same_condition() -> None:
    train = examples(["ab", "xy"], [Target(["1"], "one"), Target(["2"], "two")], [1, 1])
    judged = examples(["ab", "ab"], [Target(["2"], "two"), Target(["1"], "one")], [1, 1])
    scores = naive_scores(train, judged, by_runs, copies=False)
    assert scores["the nearest input's target"] == 1.0


def test_runs_of_symbols_say_how_alike_texts_are() -> None:
    near = by_runs(["abcd", "dcba", "wxyz"])(["abcx"])[0]
    assert near.argmax() == 0
    assert by_runs(["abcd"])(["abcd"])[0, 0] == pytest.approx(1)


def test_arrays_are_near_by_their_distance() -> None:
    draw = np.random.default_rng(0)
    known = [draw.normal(size=(4, 2)) for _ in range(30)]
    asked = [draw.normal(size=(4, 2)) for _ in range(10)]
    nearness = by_distance(known)(asked)
    distances = np.array([[((a - b) ** 2).sum() for b in known] for a in asked])
    assert (nearness.argmax(1) == distances.argmin(1)).all()
    assert by_distance(known)([np.zeros((9, 2)), np.zeros((0, 2))]).shape == (2, 30)
