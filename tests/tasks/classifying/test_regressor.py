from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra import SequenceRegressor, load
from recurra.errors import DataError


def small(**options: Any) -> SequenceRegressor:
    settings = {"hidden_size": 12, "epochs": 30, "learning_rate": 0.02, "random_state": 0}
    return SequenceRegressor(**{**settings, **options})


def sums(n: int = 120, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Return series of unequal lengths and, in other units, their sums."""
    rng = np.random.default_rng(seed)
    series = [rng.uniform(size=rng.integers(2, 8)) for _ in range(n)]
    return series, np.array([1000 + 50 * row.sum() for row in series])


@pytest.fixture(scope="module")
def fitted() -> SequenceRegressor:
    return small().fit(*sums())


def test_it_learns_a_sum_in_the_targets_own_units(fitted: SequenceRegressor) -> None:
    X, y = sums(60, seed=1)
    assert fitted.score(X, y) > 0.95
    assert fitted.baseline_score_ < 0.05
    assert np.abs(fitted.predict(X) - y).mean() < 15


def test_several_numbers_are_learned_at_once() -> None:
    X, y = sums()
    both = np.column_stack([y, -y / 7])
    model = small(epochs=15).fit(X, both)
    assert model.predict(X).shape == (120, 2)
    assert model.score(X, both) > 0.9


def test_saved_and_loaded_it_predicts_the_same(fitted: SequenceRegressor, tmp_path: Path) -> None:
    X, _ = sums(20, seed=2)
    again = load(fitted.save(tmp_path / "model"))
    assert isinstance(again, SequenceRegressor)
    assert np.array_equal(again.predict(X), fitted.predict(X))


def test_texts_are_read_too() -> None:
    texts = [f"{'very ' * (k % 4)}good thing {k}" for k in range(80)]
    model = small(embedding_size=8).fit(texts, [k % 4 for k in range(80)])
    assert model.score(texts, [k % 4 for k in range(80)]) > 0.8


def test_a_constant_target_is_predicted() -> None:
    X, _ = sums(30)
    assert np.abs(small(epochs=5).fit(X, [7.0] * 30).predict(X) - 7.0).max() < 0.5


@pytest.mark.parametrize(
    ("y", "said"),
    [
        ([1.0, np.nan], "y, row 1: Input y contains NaN"),
        ([1.0, np.inf], "y, row 1: Input y contains infinity"),
        (["1", "x"], "y: numbers were expected"),
        ([[1.0, 2.0], [1.0]], "unequal lengths|numbers"),
        ([[[1.0]], [[2.0]]], r"y must be numbers \(n,\) or \(n, O\)"),
        ([], "y must be numbers"),
        ([1 + 1j, 2], "Complex data not supported"),
    ],
)
def test_targets_that_are_no_numbers_are_refused(y: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        small().fit([[1.0, 2.0], [2.0, 3.0]], y)
