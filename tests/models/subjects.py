"""Tiny models of every task, and what each is asked: all later versions must load them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

import recurra
from recurra.tasks.estimator import SequenceEstimator

VERSIONS = ("0.1.0",)  # each that was released, and the one that is made


class Leaky(nn.Module):
    """A cell of a user's own: h' = h / 2 + tanh(W x + b)."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.state_sizes = {"h": hidden_size}
        self.read = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Step once."""
        h = 0.5 * h + self.read(x).tanh()
        return h, (h,)


@dataclass(frozen=True)
class Subject:
    """A model to be made, what it is asked, and how: `ask` returns what JSON can hold."""

    make: Callable[[], SequenceEstimator]
    inputs: Any
    ask: Callable[[Any, Any], Any]
    cell: type[nn.Module] | None = None


_WORDS = ("gut", "böse", "so", "na ja")
_TEXTS = [f"{_WORDS[k % 4]} {_WORDS[k // 4 % 4]} {'xyz'[k % 3]}" for k in range(24)]
_LABELS = ["ja" if "gut" in text else "nein" for text in _TEXTS]
_SMALL: dict[str, Any] = {"hidden_size": 4, "epochs": 2, "batch_size": 8, "random_state": 0}
_READING: dict[str, Any] = {"tokens": "char", "embedding_size": 4}
_SERIES = np.sin(np.arange(24 * 5) * 0.7).reshape(24, 5).round(6)


def _probabilities(model: Any, X: Any) -> Any:
    return model.predict_proba(X).tolist()


def _forecasts(model: Any, X: Any) -> Any:
    return [model.predict(X).tolist(), model.predict_quantiles(X).tolist()]


def _written(model: Any, X: Any) -> Any:
    return [model.predict(X), model.score(X, _TEXTS[: len(X)])]


def _generated(model: Any, X: Any) -> Any:
    names, labels = X
    return [model.score(names, labels), model.generate("", labels[0], 3, random_state=0)]


SUBJECTS = {
    "SequenceClassifier": Subject(
        lambda: recurra.SequenceClassifier(**_SMALL, **_READING).fit(_TEXTS, _LABELS),
        ["gut so", "böse", ""],
        _probabilities,
    ),
    "SequenceRegressor": Subject(
        lambda: recurra.SequenceRegressor(**_SMALL).fit(_SERIES, _SERIES.sum(1)),
        [[0.1, 0.2, 0.3, 0.4, 0.5], [1.0, 0.0, -1.0, 0.0, 1.0]],
        lambda model, X: model.predict(np.array(X)).tolist(),
    ),
    "SequenceTagger": Subject(
        lambda: recurra.SequenceTagger(**_SMALL, **_READING).fit(
            [text.split() for text in _TEXTS], [[word[0] for word in t.split()] for t in _TEXTS]
        ),
        [["gut", "so"], ["x"]],
        lambda model, X: [row.tolist() for row in model.predict_proba(X)],
    ),
    "Translator": Subject(
        lambda: recurra.Translator(**_SMALL, **_READING, cell="gru").fit(_TEXTS, _TEXTS[::-1]),
        ["gut so", "böse"],
        _written,
    ),
    "Captioner": Subject(
        lambda: recurra.Captioner(**_SMALL, embedding_size=4).fit(_SERIES, _LABELS),
        _SERIES[:2].tolist(),
        lambda model, X: [list(model.predict(np.array(X))), model.score(np.array(X), ["ja"] * 2)],
    ),
    "BlankFiller": Subject(
        lambda: recurra.BlankFiller(**_SMALL, **_READING, choices=("gut", "so")).fit(_TEXTS),
        ["__ na", "böse __ x"],
        _probabilities,
    ),
    "SequenceGenerator": Subject(
        lambda: recurra.SequenceGenerator(**_SMALL, embedding_size=4).fit(_TEXTS, _LABELS),
        [["gut so", "böse x"], ["ja", "nein"]],
        _generated,
    ),
    "Forecaster": Subject(
        lambda: recurra.Forecaster(**_SMALL, window=4, horizon=2).fit(
            {"a": _SERIES.ravel()[:30], "b": _SERIES.ravel()[30:60]}
        ),
        {"a": [0.1, 0.5, 0.3, 0.2, 0.9, 0.4]},
        _forecasts,
    ),
    "own-cell": Subject(
        lambda: recurra.SequenceClassifier(**_SMALL, **_READING, cell=Leaky).fit(_TEXTS, _LABELS),
        ["gut so", "böse"],
        _probabilities,
        Leaky,
    ),
}
