"""Which family each task is of."""

from typing import Any

from recurra.errors import ArgumentError
from recurra.serve.families.classes import Classes
from recurra.serve.families.family import Family
from recurra.serve.families.numbers import Numbers
from recurra.serve.families.sequences import Sequences
from recurra.serve.families.series import SeriesAhead
from recurra.serve.families.tags import Tags
from recurra.serve.families.writing import Pictures, Texts
from recurra.serve.settings import Settings

FAMILIES: dict[str, type[Family]] = {
    "BlankFiller": Classes,
    "Captioner": Pictures,
    "Forecaster": SeriesAhead,
    "SequenceClassifier": Classes,
    "SequenceGenerator": Sequences,
    "SequenceRegressor": Numbers,
    "SequenceTagger": Tags,
    "Translator": Texts,
}


def family_of(model: Any, settings: Settings) -> Family:
    """Return what answers for a fitted estimator; raises `ArgumentError` for anything else."""
    for kind in type(model).__mro__:
        if kind.__name__ in FAMILIES:
            return FAMILIES[kind.__name__](model, settings)
    raise ArgumentError(f"a {type(model).__name__} is none of Recurra's estimators: fit one.")
