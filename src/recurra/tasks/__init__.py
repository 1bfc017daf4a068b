"""The tasks as scikit-learn estimators: fit, score, save, load."""

from recurra.tasks.blank import BlankFiller
from recurra.tasks.captioner import Captioner
from recurra.tasks.classifier import SequenceClassifier
from recurra.tasks.evaluation import LabelScore, mean_losses, score_labels
from recurra.tasks.forecaster import Forecaster
from recurra.tasks.generator import SequenceGenerator
from recurra.tasks.loading import load
from recurra.tasks.regressor import SequenceRegressor
from recurra.tasks.tagger import SequenceTagger
from recurra.tasks.translator import Translator

__all__ = [
    "BlankFiller",
    "Captioner",
    "Forecaster",
    "LabelScore",
    "SequenceClassifier",
    "SequenceGenerator",
    "SequenceRegressor",
    "SequenceTagger",
    "Translator",
    "load",
    "mean_losses",
    "score_labels",
]
