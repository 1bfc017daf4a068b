"""Labels that all parts together have, said before the first."""

from typing import Any

import numpy as np
import pytest

from recurra.errors import DataError
from recurra.tasks.classifying.classifier import SequenceClassifier
from recurra.tasks.filling.filler import BlankFiller
from recurra.tasks.labelled import LabelEstimator
from recurra.tasks.tagging.tagger import SequenceTagger

X = np.random.default_rng(0).normal(size=(24, 5))
y = np.arange(24) % 2
TASKS = [BlankFiller, SequenceClassifier, SequenceTagger]


def small(task: type[LabelEstimator]) -> Any:
    return task(hidden_size=4, embedding_size=4, epochs=1, random_state=0)


@pytest.mark.parametrize("task", TASKS)
def test_labels_that_come_later_are_known_from_the_beginning(task: type[LabelEstimator]) -> None:
    model = small(task).partial_fit(X, y, classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.class_shares_.tolist() == [0.5, 0.5, 0.0]
    model.partial_fit(X, y + 1)
    with pytest.raises(DataError, match="y: 3 is none of the"):
        model.partial_fit(X, y + 2)


@pytest.mark.parametrize("task", TASKS)
def test_labels_of_a_part_that_was_refused_are_forgotten(task: type[LabelEstimator]) -> None:
    model = small(task)
    with pytest.raises(DataError, match="NaN"):
        model.partial_fit(X * np.nan, y, classes=[0, 1, 2])
    assert model.fit(X, y).classes_.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (BlankFiller, "y holds only one class, 5: there is nothing to choose among."),
        (SequenceClassifier, "y holds only one class, 5: there is nothing to tell apart."),
        (SequenceTagger, "y holds only one class of tag, 5: there is nothing to tell apart."),
    ],
)
def test_one_label_alone_is_refused(task: type[LabelEstimator], said: str) -> None:
    for learn in (small(task).fit, small(task).partial_fit):
        with pytest.raises(DataError) as refused:
            learn(X, np.full(24, 5))
        assert str(refused.value) == said
    with pytest.raises(DataError, match="only one class"):
        small(task).partial_fit(X, y, classes=[5])
