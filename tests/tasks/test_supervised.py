"""Learning part by part: other random numbers for each, and no baseline where nothing is judged."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recurra import load
from recurra.tasks.classifying.classifier import SequenceClassifier
from recurra.tasks.classifying.regressor import SequenceRegressor
from recurra.tasks.filling.filler import BlankFiller
from recurra.tasks.supervised import SupervisedEstimator
from recurra.tasks.tagging.tagger import SequenceTagger
from recurra.tasks.writing.captioner import Captioner
from recurra.tasks.writing.translator import Translator
from recurra.training import Callback, Trainer

X = np.random.default_rng(0).normal(size=(24, 5))
y = np.arange(24) % 2
TASKS = [
    BlankFiller,
    Captioner,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTagger,
    Translator,
]


def small(task: type[SupervisedEstimator], **options: Any) -> Any:
    settings = {"hidden_size": 4, "embedding_size": 4, "epochs": 1, "random_state": 0}
    return task(**{**settings, **options})


class Dice(Callback):
    """Keeps the state of torch's random numbers at the beginning of each epoch."""

    def __init__(self) -> None:
        self.states: list[bytes] = []

    def on_epoch_begin(self, trainer: Trainer, number: int) -> None:
        self.states.append(torch.get_rng_state().numpy().tobytes())


def test_each_part_is_learned_with_random_numbers_of_its_own() -> None:
    first, again = Dice(), Dice()
    for dice in (first, again):
        model = small(SequenceClassifier, callbacks=[dice])
        for _ in range(4):
            model.partial_fit(X, y)
    assert len(set(first.states)) == 4
    assert first.states == again.states


@pytest.mark.parametrize("task", TASKS)
def test_without_a_part_held_out_there_is_no_baseline(
    task: type[SupervisedEstimator], tmp_path: Path
) -> None:
    model = small(task).partial_fit(X, y)
    again: Any = load(model.save(tmp_path / "model"))
    for begun in (model, again):
        assert math.isnan(begun.baseline_score_)
        assert math.isnan(getattr(begun, "left_baseline_score_", math.nan))
        assert getattr(begun, "baselines_", {}) == {}


@pytest.mark.parametrize("task", TASKS)
def test_a_baseline_of_fit_stays_when_learning_goes_on(task: type[SupervisedEstimator]) -> None:
    model = small(task).fit(X, y)
    before = model.baseline_score_
    assert math.isfinite(before)
    assert model.partial_fit(X, y).baseline_score_ == before
    # A fit begins anew, whatever was before.
    begun = small(task).partial_fit(X[:12], y[:12]).fit(X, y)
    assert begun.baseline_score_ == before
    assert np.array_equal(begun.predict(X), small(task).fit(X, y).predict(X))
