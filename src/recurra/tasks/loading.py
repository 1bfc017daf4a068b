"""A saved model of any task."""

import os
from typing import TYPE_CHECKING

from torch import nn

from recurra.errors import ModelFileError
from recurra.tasks.classifying.classifier import SequenceClassifier
from recurra.tasks.classifying.regressor import SequenceRegressor
from recurra.tasks.filling.filler import BlankFiller
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.saving.files import shown
from recurra.tasks.saving.folder import read_model
from recurra.tasks.tagging.tagger import SequenceTagger
from recurra.tasks.writing.captioner import Captioner
from recurra.tasks.writing.translator import Translator

if TYPE_CHECKING:
    from recurra.tasks.estimator import SequenceEstimator

TASKS: dict[str, type["SequenceEstimator"]] = {
    task.__name__: task
    for task in (
        BlankFiller,
        Captioner,
        Forecaster,
        SequenceClassifier,
        SequenceGenerator,
        SequenceRegressor,
        SequenceTagger,
        Translator,
    )
}


def load(
    path: str | os.PathLike[str], *, cell: type[nn.Module] | None = None
) -> "SequenceEstimator":
    """Return the estimator that `save` wrote to the folder `path`.

    No code is run and no pickle read: weights are safetensors, the rest is checked JSON.

    Args:
        path: the folder.
        cell: the class of the cell, for a model whose cell was the user's own.

    Raises `ModelFileError` when the folder is missing, damaged or of a newer version.
    """
    saved = read_model(path)
    if saved.config.task not in TASKS:
        raise ModelFileError(
            f"{saved.path}: holds a model for the task {shown(saved.config.task, 40)!r}, which "
            f"this version does not know; it knows {', '.join(TASKS)}."
        )
    return TASKS[saved.config.task].restore(saved, cell)
