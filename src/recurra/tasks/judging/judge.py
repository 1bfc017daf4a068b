"""Judging a model of any task on examples it was not trained on, beside naive models."""

from collections.abc import Callable
from typing import Any

from recurra.errors import ArgumentError
from recurra.tasks.estimator import SequenceEstimator
from recurra.tasks.judging.judged import Judged, Part

__all__ = ["Judged", "Part", "judge"]


def judge(model: SequenceEstimator, train: Part | None, test: Part) -> Judged:
    """Return scores of a fitted model on `test`, beside those of naive models, and the details.

    Args:
        model: a classifier, regressor, tagger, translator, captioner, filler or generator.
        train: what it was trained on, for naive models to learn from; None leaves those out that
            need it.
        test: examples it was not trained on, with their targets.

    Raises `ArgumentError` for a model of another task, `DataError` for data it cannot read.
    """
    judges = _judges()
    for kind, judge_it in judges.items():
        if type(model).__name__ == kind:
            return judge_it(model, train, test)
    raise ArgumentError(
        f"a {type(model).__name__} cannot be judged; these can: {', '.join(judges)}."
    )


def _judges() -> dict[str, Callable[[Any, Part | None, Part], Judged]]:
    from recurra.tasks.judging import classes as judging_classes
    from recurra.tasks.judging import numbers as judging_numbers
    from recurra.tasks.judging import words as judging_words

    return {
        "SequenceClassifier": judging_classes.judge_classifier,
        "SequenceRegressor": judging_numbers.judge_regressor,
        "BlankFiller": judging_classes.judge_filler,
        "SequenceTagger": judging_words.judge_tagger,
        "Translator": judging_words.judge_translator,
        "Captioner": judging_words.judge_captioner,
        "SequenceGenerator": judging_words.judge_generator,
    }
