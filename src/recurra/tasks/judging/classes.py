"""Judging what tells classes apart: classifiers and fillers of blanks."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.data.inputs import read_inputs
from recurra.networks.bag import BesideBag
from recurra.tasks.classifying.classifier import SequenceClassifier
from recurra.tasks.filling.filler import BlankFiller
from recurra.tasks.judging.judged import ClassDetails, Judged, Mistake, Part, short
from recurra.tasks.judging.naive import linear_name, linear_predictions
from recurra.tasks.judging.scores import Score, share_score
from recurra.tasks.tagging.scores import TagScore
from recurra.tasks.targets import read_labels

_MISTAKES = 20
_PARTS = {"the network alone": (1.0, 0.0), "the bag of words alone": (0.0, 1.0)}


def judge_classifier(model: SequenceClassifier, train: Part | None, test: Part) -> Judged:
    """Judge a classifier beside the most frequent class and a linear model, and its parts alone."""
    y = read_labels(test.y)
    inputs = read_inputs(test.X)
    p = model.predict_proba(test.X)
    predicted = model.classes_[p.argmax(1)]
    frequent = model.classes_[model.class_shares_.argmax()]
    plain = {"the most frequent class": np.full(len(y), frequent)}
    if train is not None:
        plain[linear_name(inputs, "logistic regression")] = linear_predictions(
            train.X, train.y, test.X, classes=True
        )
    parts = {}
    if isinstance(model.network_, BesideBag):
        for name, mix in _PARTS.items():
            with _mixed(model.network_, mix):
                parts[name] = model.predict(test.X)
    noun = "texts" if inputs.kind == "text" else "sequences"
    scores = class_scores(y, predicted, plain, noun, parts)
    details = class_details(model.classes_, y, p, [short(row) for row in inputs.rows])
    return Judged(scores, details)


def judge_filler(model: BlankFiller, train: Part | None, test: Part) -> Judged:
    """Judge a filler of blanks beside the most frequent word, and the one after the same words."""
    y = read_labels(test.y)
    p = model.predict_proba(test.X)
    frequent = model.classes_[model.class_shares_.argmax()]
    plain = {"the most frequent word": np.full(len(y), frequent)}
    if train is not None:
        plain["the word most frequent after the same beginning"] = _after_the_left(
            train, test, frequent, model.blank
        )
        plain[linear_name(read_inputs(test.X), "logistic regression")] = linear_predictions(
            train.X, train.y, test.X, classes=True
        )
    scores = class_scores(y, model.classes_[p.argmax(1)], plain, "blanks")
    return Judged(scores, class_details(model.classes_, y, p, [short(row) for row in test.X]))


def class_scores(
    y: NDArray[Any],
    predicted: NDArray[Any],
    plain: dict[str, NDArray[Any]],
    noun: str,
    parts: dict[str, NDArray[Any]] | None = None,
) -> list[Score]:
    """Return accuracy and macro F1 of predictions (n,) beside those of naive models."""
    others = parts or {}
    accuracy = share_score(
        "accuracy",
        predicted == y,
        {name: guess == y for name, guess in plain.items()},
        noun,
        {name: guess == y for name, guess in others.items()},
    )
    macro = Score(
        "macro F1",
        macro_f1(y, predicted),
        len(y),
        noun,
        {name: macro_f1(y, guess) for name, guess in plain.items()},
        {name: macro_f1(y, guess) for name, guess in others.items()},
    )
    return [accuracy, macro]


def macro_f1(y: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Return the mean F1 of the classes that are there: all classes weigh the same."""
    scores = []
    for one in np.unique(y):
        right = int(((predicted == one) & (y == one)).sum())
        scores.append(TagScore.of(one, right, int((predicted == one).sum()), int((y == one).sum())))
    return float(np.mean([score.f1 for score in scores]))


def class_details(
    classes: NDArray[Any], y: NDArray[Any], p: NDArray[np.float64], shown: Sequence[str]
) -> ClassDetails:
    """Return confusion, scores by class and mistakes for probabilities p (n, C).

    A label that the model never learned counts as a class of its own, which is never predicted.
    """
    names = classes.tolist()
    names += [label for label in np.unique(y).tolist() if label not in set(names)]
    place = {label: k for k, label in enumerate(names)}
    true = np.array([place[label] for label in y.tolist()])
    said = p.argmax(1)
    confusion = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(confusion, (true, said), 1)
    per_class = [
        TagScore.of(
            label, int(confusion[k, k]), int(confusion[:, k].sum()), int(confusion[k].sum())
        )
        for k, label in enumerate(names)
    ]
    wrong = np.flatnonzero(true != said)
    order = wrong[np.argsort(-p[wrong, said[wrong]], kind="stable")][:_MISTAKES]
    mistakes = [
        Mistake(shown[k], str(names[true[k]]), str(names[said[k]]), float(p[k, said[k]]))
        for k in order.tolist()
    ]
    return ClassDetails([str(name) for name in names], confusion, per_class, mistakes, len(wrong))


@contextmanager
def _mixed(network: BesideBag, factors: tuple[float, float]) -> Iterator[None]:
    """Run a block with other factors of the network's two parts."""
    kept = network.mix.clone()
    try:
        network.mix.copy_(torch.tensor(factors))
        yield
    finally:
        network.mix.copy_(kept)


def _after_the_left(train: Part, test: Part, frequent: Any, blank: str) -> NDArray[Any]:
    """Return for each blank the word that came most after the same beginning in training."""
    counts: dict[Any, dict[Any, int]] = {}
    for row, word in zip(train.X, train.y, strict=True):
        words = counts.setdefault(_left(row, blank), {})
        words[word] = words.get(word, 0) + 1
    likeliest = {left: max(words, key=words.__getitem__) for left, words in counts.items()}
    return np.array([likeliest.get(_left(row, blank), frequent) for row in test.X])


def _left(row: Any, blank: str) -> Any:
    if isinstance(row, str):
        return row.partition(blank)[0].casefold()
    if isinstance(row, list):
        return tuple(row[: row.index(blank)]) if blank in row else tuple(row)
    return np.asarray(row).tobytes()
