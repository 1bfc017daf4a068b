import numpy as np
import pytest

from recurra.data.examples import Examples, fingerprint


def examples(inputs: list[object], targets: list[object], weights: list[float]) -> Examples:
    return Examples(inputs, targets, np.array(weights, dtype=np.float64))


def as_rows(given: Examples) -> list[tuple[object, object, float]]:
    return list(zip(given.inputs, given.targets, given.weights.tolist(), strict=True))


def test_a_row_that_is_there_twice_weighs_twice() -> None:
    twice = examples(["a", "b", "a"], [1, 2, 1], [1, 1, 1]).distinct()
    heavy = examples(["b", "a"], [2, 1], [1, 2]).distinct()
    assert as_rows(twice) == as_rows(heavy)
    assert sorted(as_rows(twice)) == [("a", 1, 2.0), ("b", 2, 1.0)]


def test_the_same_input_with_another_target_is_another_example() -> None:
    assert len(examples(["a", "a"], [1, 2], [1, 1]).distinct()) == 2


def test_what_weighs_nothing_is_gone() -> None:
    assert as_rows(examples(["a", "b"], [1, 2], [0, 3]).distinct()) == [("b", 2, 3.0)]


def test_the_order_is_the_seeds_and_not_the_rows() -> None:
    inputs: list[object] = [f"text {k}" for k in range(30)]
    ones = [1.0] * 30
    there = examples(inputs, inputs, ones)
    back = examples(inputs[::-1], inputs[::-1], ones)
    assert there.distinct(3).inputs == back.distinct(3).inputs
    assert there.distinct(3).inputs != there.distinct(4).inputs


def test_a_split_keeps_equal_inputs_together_and_loses_nothing() -> None:
    inputs: list[object] = [k // 2 for k in range(40)]
    learned, held = examples(inputs, list(range(40)), [1.0] * 40).split(0.25, seed=1)
    assert len(held) == 10
    assert not set(learned.inputs) & set(held.inputs)
    assert sorted([*learned.targets, *held.targets]) == list(range(40))


def test_strata_give_their_own_shares_and_what_is_there_once_is_learned() -> None:
    classes = ["often"] * 40 + ["seldom"] * 10 + ["once"]
    rows = examples(list(range(51)), list(classes), [1.0] * 51)
    learned, held = rows.split(0.2, strata=classes)
    assert sorted(held.targets) == ["often"] * 8 + ["seldom"] * 2
    assert "once" in learned.targets


def test_nothing_is_held_out_for_a_fraction_of_0() -> None:
    learned, held = examples(["a", "b"], [1, 2], [1, 1]).split(0.0)
    assert (len(learned), len(held)) == (2, 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ab", "ac"),
        (["ab", "c"], ["a", "bc"]),
        ([["a"], "b"], ["a", ["b"]]),
        (1, "1"),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (np.zeros(2), np.zeros(2, dtype=np.float32)),
        (None, "None"),
    ],
)
def test_different_contents_have_different_fingerprints(one: object, other: object) -> None:
    assert fingerprint(one) != fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", 1), ["a", 1]),
        (np.array([0.0]), np.array([-0.0])),
        (np.int64(3), 3),
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
        (np.array(["x", None], dtype=object), ["x", None]),
        ("\ud800", "\ud800"),
    ],
)
def test_equal_contents_have_equal_fingerprints(one: object, other: object) -> None:
    assert fingerprint(one) == fingerprint(other)


def test_a_split_is_the_same_in_any_order_of_the_rows() -> None:
    inputs: list[object] = [f"text {k}" for k in range(30)]
    there = examples(inputs, inputs, [1.0] * 30).split(0.3, seed=2)[1]
    back = examples(inputs[::-1], inputs[::-1], [1.0] * 30).split(0.3, seed=2)[1]
    assert set(there.inputs) == set(back.inputs)
