import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra import SequenceGenerator, load
from recurra.errors import ArgumentError, DataError


def small(**options: Any) -> SequenceGenerator:
    settings = {
        "hidden_size": 24,
        "embedding_size": 4,
        "epochs": 15,
        "batch_size": 32,
        "learning_rate": 0.02,
        "dropout": 0.0,
        "random_state": 0,
    }
    return SequenceGenerator(**{**settings, **options})


def walks(n: int = 200, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Return series of 6 steps that rise or fall by 100 a step, with noise of 10."""
    rng = np.random.default_rng(seed)
    labels = ["up" if k % 2 else "down" for k in range(n)]
    sign = np.array([1 if label == "up" else -1 for label in labels])[:, None]
    steps = sign * 100 + rng.normal(scale=10, size=(n, 6))
    return 1000 + steps.cumsum(1), labels


@pytest.fixture(scope="module")
def fitted() -> SequenceGenerator:
    return small().fit(*walks())


def test_series_made_are_like_those_of_their_label(fitted: SequenceGenerator) -> None:
    for label, sign in (("up", 1), ("down", -1)):
        made = np.array(fitted.generate(condition=label, n=50, random_state=0))
        assert made.shape == (50, 6)
        steps = np.diff(made, axis=1)
        assert abs(steps.mean() - sign * 100) < 15
        assert steps.std() < 60


def test_series_go_on_from_a_beginning(fitted: SequenceGenerator) -> None:
    beginning = [1100.0, 1200.0, 1300.0]
    (made,) = fitted.generate(beginning, "up", random_state=1)
    np.testing.assert_allclose(made[:3], beginning)
    assert 1300 < made[3] < 1500
    assert fitted.generate(beginning, "up", random_state=1)[0].tolist() == made.tolist()


def test_the_likelihood_is_that_of_the_datas_own_units(fitted: SequenceGenerator) -> None:
    X, labels = walks(100, seed=1)
    known = fitted.score(X, labels)
    # Noise of deviation 10 has an entropy of 3.72 nats a step; no model is better in the mean.
    assert -4.6 < known < -3.6
    wrong = ["down" if label == "up" else "up" for label in labels]
    assert known > fitted.score(X, wrong) + 1
    one, other = fitted.score_samples(X, labels), fitted.score_samples(X, wrong)
    mixed = np.logaddexp(one, other) + np.log(0.5)  # the labels are there equally often
    np.testing.assert_allclose(fitted.score_samples(X), mixed)


def test_unequal_lengths_and_several_features_are_learned_with_their_end(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    series = [rng.normal([0, 50], size=(3 + k % 2, 2)) for k in range(120)]
    model = small(epochs=25).fit(series)
    made = model.generate(n=60, random_state=0)
    assert all(row.shape[1] == 2 for row in made)
    assert {3, 4} <= {len(row) for row in made}
    # Chance, with ends anywhere up to max_length, would be a few in a hundred.
    assert np.mean([len(row) in (3, 4) for row in made]) > 0.6
    assert abs(np.concatenate(made)[:, 1].mean() - 50) < 2
    again = load(model.save(tmp_path / "model"))
    assert isinstance(again, SequenceGenerator)
    drawn = (m.generate(n=5, random_state=3) for m in (again, model))
    assert all(map(np.array_equal, *drawn))
    assert np.array_equal(again.score_samples(series), model.score_samples(series))


def test_a_low_temperature_is_surer(fitted: SequenceGenerator) -> None:
    def spread(temperature: float) -> float:
        made = fitted.generate([1100.0], "up", 60, temperature=temperature, random_state=0)
        return float(np.array(made)[:, 1].std())

    assert spread(0.1) < 0.6 * spread(1.0)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: m.generate("S", "up"), "prefix='S' must be numbers for this model."),
        (lambda m: m.generate([1.0] * 6, "up"), "prefix has 6 steps; the longest series has 6."),
        (lambda m: m.generate([float("nan")], "up"), "prefix must be finite numbers (t, 1)"),
        (lambda m: m.generate(condition="sideways"), "condition='sideways' is not one of the 2"),
        (lambda m: m.generate(condition="up", top_k=3), "top_k and top_p choose among symbols"),
        (lambda m: m.lexicon_, "this model was fitted on numbers, which have no lexicon"),
        (
            lambda m: m.score(["a text"]),
            "X holds text, but SequenceGenerator was fitted on numbers",
        ),
        (
            lambda m: m.score(np.ones((2, 5))),
            "X has 5 features, but SequenceGenerator is expecting 6",
        ),
        (
            lambda m: m.fit(walks()[0], ["a"] * 200, condition=["a"] * 200),
            "two names for the labels",
        ),
        (lambda m: small().fit([np.ones(3), np.ones(0)]), "X, row 1: 0 steps; a series has 1 to"),
    ],
)
def test_what_cannot_be_is_refused(fitted: SequenceGenerator, call: Any, said: str) -> None:
    with pytest.raises((ArgumentError, DataError), match=re.escape(said)):
        call(fitted)
