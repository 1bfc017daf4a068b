"""Judging models of each task beside naive ones."""

import random

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, r2_score

from recurra.errors import ArgumentError
from recurra.networks.bag import BesideBag
from recurra.tasks.classifying.classifier import SequenceClassifier
from recurra.tasks.classifying.regressor import SequenceRegressor
from recurra.tasks.filling.filler import BlankFiller
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.judging.classes import class_details, macro_f1
from recurra.tasks.judging.judge import judge
from recurra.tasks.judging.judged import ClassDetails, NumberDetails, Part, WrittenDetails, short
from recurra.tasks.judging.naive import linear_predictions, summaries
from recurra.tasks.judging.numbers import r_squared
from recurra.tasks.judging.series import judge_walk, walk_over
from recurra.tasks.tagging.tagger import SequenceTagger
from recurra.tasks.writing.translator import Translator


def ordered_texts(n: int, seed: int) -> Part:
    """Texts whose words do not tell the class: only their order does."""
    draw = random.Random(seed)
    X, y = [], []
    for _ in range(n):
        label = draw.choice(("good", "bad"))
        first, last = ("bad", "good") if label == "good" else ("good", "bad")
        X.append(f"{draw.choice('klmn')} was {first} but now it is {last} {draw.choice('pqrs')}")
        y.append(label)
    return Part(X, y)


@pytest.fixture(scope="module")
def classifier() -> SequenceClassifier:
    part = ordered_texts(300, 0)
    small = SequenceClassifier("gru", 16, epochs=6, random_state=0, learning_rate=1e-2)
    return small.fit(part.X, part.y)


def test_a_classifier_stands_beside_majority_and_a_linear_model(
    classifier: SequenceClassifier,
) -> None:
    train, test = ordered_texts(300, 0), ordered_texts(60, 1)
    judged = judge(classifier, train, test)
    accuracy, macro = judged.scores
    assert accuracy.name == "accuracy"
    assert accuracy.value == classifier.score(test.X, test.y)
    assert accuracy.value > 0.9
    frequent = max(("bad", "good"), key=train.y.count)
    assert accuracy.baselines["the most frequent class"] == test.y.count(frequent) / 60
    plain = linear_predictions(train.X, train.y, test.X, classes=True)
    name = "TF-IDF + logistic regression"
    assert accuracy.baselines[name] == np.mean(plain == np.array(test.y))
    assert accuracy.baselines[name] < 0.8
    assert accuracy.is_clear
    predicted = classifier.predict(test.X)
    assert macro.value == pytest.approx(f1_score(test.y, predicted, average="macro"))


def test_the_parts_of_a_classifier_are_judged_alone_and_left_as_they_were(
    classifier: SequenceClassifier,
) -> None:
    test = ordered_texts(60, 1)
    assert isinstance(classifier.network_, BesideBag)
    classifier.network_.mix.copy_(torch.tensor([0.75, 0.5]))
    before = classifier.predict_proba(test.X)
    mix = classifier.mix_
    accuracy = judge(classifier, None, test).scores[0]
    assert set(accuracy.parts) == {"the network alone", "the bag of words alone"}
    assert classifier.mix_ == mix
    assert np.array_equal(classifier.predict_proba(test.X), before)
    assert "TF-IDF + logistic regression" not in accuracy.baselines  # nothing to learn from


def test_confusion_counts_and_the_surest_mistakes_come_first() -> None:
    classes = np.array(["a", "b"])
    y = np.array(["a", "a", "b", "b", "c"])
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.05, 0.95]])
    found = class_details(classes, y, p, ["u", "v", "w", "x", "z"])
    assert isinstance(found, ClassDetails)
    assert found.classes == ["a", "b", "c"]  # one that was never learned, too
    assert found.confusion.tolist() == [[1, 1, 0], [1, 1, 0], [0, 1, 0]]
    assert [(m.shown, m.true, m.predicted) for m in found.mistakes] == [
        ("z", "c", "b"), ("v", "a", "b"), ("w", "b", "a"),
    ]  # fmt: skip
    assert [m.probability for m in found.mistakes] == [0.95, 0.8, 0.6]
    assert found.whole == 3
    predicted = classes[p.argmax(1)]
    expected = f1_score(y, predicted, average="macro", labels=["a", "b", "c"], zero_division=0)
    assert macro_f1(y, predicted) == pytest.approx(expected)


def test_a_regressor_stands_beside_the_mean_and_a_linear_model() -> None:
    draw = random.Random(0)
    numbers = [draw.randint(0, 9) for _ in range(120)]
    part = Part([f"a house with {n} rooms" for n in numbers], np.array(numbers) * 3.0)
    model = SequenceRegressor("gru", 8, epochs=2, random_state=0).fit(part.X, part.y)
    error, share = judge(model, part, part).scores
    predicted = model.predict(part.X)
    assert error.value == pytest.approx(np.abs(predicted - part.y).mean())
    assert not error.higher_is_better
    plain = np.abs(model.target_mean_[0] - part.y).mean()
    assert error.baselines["the training mean"] == pytest.approx(plain)
    assert "TF-IDF + ridge regression" in error.baselines
    assert share.value == pytest.approx(r2_score(part.y, predicted))
    details = judge(model, None, part).details
    assert isinstance(details, NumberDetails)
    errors = [abs(true - said) for _, true, said in details.worst]
    assert errors == sorted(errors, reverse=True)
    assert np.isnan(r_squared(np.ones(3), np.ones(3)))


def test_numbers_are_summed_up_for_the_linear_model() -> None:
    rows = [np.array([[1.0], [3.0]]), np.zeros((0, 1))]
    assert summaries(rows).tolist() == [[2, 1, 1, 3, 3], [0, 0, 0, 0, 0]]
    X = np.array([[0.0, 0.1], [5.0, 5.1]] * 10)
    assert linear_predictions(X, ["low", "high"] * 10, X[:2], classes=True).tolist() == [
        "low", "high",
    ]  # fmt: skip


def test_texts_without_a_word_are_read_by_letters() -> None:
    X = ["a", "b"] * 10
    assert linear_predictions(X, ["x", "y"] * 10, ["b"], classes=True).tolist() == ["y"]


def test_a_tagger_stands_beside_the_most_frequent_tags_and_spans_are_scored() -> None:
    X = [["to", name, "today"] for name in ("Rome", "Oslo", "Bern", "Nice")] * 5
    y = [["O", "B-place", "O"]] * 20
    model = SequenceTagger("gru", 8, epochs=1, random_state=0).fit(X, y)
    accuracy, spans = judge(model, Part(X, y), Part(X, y)).scores
    assert accuracy.value == pytest.approx(model.score(X, y))
    assert accuracy.examples == 60
    assert accuracy.baselines == {"each word's most frequent tag": 1.0}
    assert spans.name == "F1 of spans"
    assert spans.baselines == {"each word's most frequent tag": 1.0}


def test_a_translator_stands_beside_copying_and_its_neighbours() -> None:
    X = [f"{k:02d}" for k in range(40)]
    part = Part(X, [text[::-1] for text in X])
    model = Translator("gru", 8, epochs=1, random_state=0).fit(part.X, part.y)
    test = part.select(range(10))
    judged = judge(model, part, test)
    assert judged.scores[0].value == model.score(test.X, test.y)
    naive = judged.scores[0].baselines
    assert naive["the input itself"] == pytest.approx(0.1)  # 00
    assert naive["the nearest input's target"] == 1.0  # it is there itself
    assert [score.name for score in judged.scores] == ["exact match", "chrF", "BLEU"]
    assert isinstance(judged.details, WrittenDetails)
    assert len(judged.details.alignments) == 4
    assert {row.shown for row in judged.details.rows} == set(test.X)


def test_a_filler_stands_beside_what_the_left_tells() -> None:
    X = [f"I am __ {end}" for end in ("hungry", "hungry, so I eat")] * 20
    y = ["not", "very"] * 20
    model = BlankFiller("gru", 8, epochs=1, random_state=0).fit(X, y)
    accuracy = judge(model, Part(X, y), Part(X, y)).scores[0]
    assert accuracy.baselines["the word most frequent after the same beginning"] == 0.5
    assert accuracy.baselines["TF-IDF + logistic regression"] == 1.0


def test_a_generator_stands_beside_counted_pairs() -> None:
    X = [a + b for a in "bdkl" for b in ("ana", "ino", "ulu")]
    labels = ["x", "y"] * 6
    model = SequenceGenerator("gru", 8, epochs=1, random_state=0).fit(X, labels)
    part = Part(X, condition=labels)
    loss, share = judge(model, part, part).scores
    assert loss.value == pytest.approx(-model.score(X, labels))
    assert loss.unit == "nats a character"
    assert loss.gain == pytest.approx(loss.baselines["counted pairs of characters"] - loss.value)
    assert 0 <= share.value <= 1


def test_a_walk_forward_stands_beside_naive_forecasts() -> None:
    series = np.sin(np.arange(120) * 0.5)
    model = Forecaster("gru", 4, window=8, horizon=2, epochs=1, random_state=0, seasonality=12)
    back = model.backtest(series)
    judged = judge_walk(back)
    own, *others = back.scores()
    assert judged.scores[0].value == own.mae
    assert judged.scores[0].baselines == {one.model: one.mae for one in others}
    assert any(score.name == "coverage of 90 % intervals" for score in judged.scores)
    model.fit(series)
    walk = walk_over(model, model._series(series))
    assert walk.series[0].ends.tolist() == list(range(8, 119))
    later, _ = model.walk(model._series(series), [np.array([50])])
    assert np.allclose(walk.series[0].made["model"][0][42], later[0])


def test_what_cannot_be_judged_is_named() -> None:
    with pytest.raises(ArgumentError, match="a Forecaster cannot be judged; these can: Sequence"):
        judge(Forecaster(), None, Part([]))


def test_inputs_are_shown_short() -> None:
    assert short("a" * 300) == "a" * 200 + "…"
    assert short(["a", "b"]) == "a b"
    assert short(np.arange(3.0)) == "0, 1, 2"
    assert short(np.arange(30.0)).endswith("7, ... (30 numbers)")
