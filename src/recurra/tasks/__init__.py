"""The tasks as scikit-learn estimators: fit, score, save, load."""

from recurra.tasks.classifying.classifier import SequenceClassifier
from recurra.tasks.classifying.regressor import SequenceRegressor
from recurra.tasks.filling.filler import BlankFiller
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.generating.evaluation import LabelScore, mean_losses, score_labels
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.judging.judge import judge
from recurra.tasks.judging.judged import Judged, Part
from recurra.tasks.judging.scores import Score
from recurra.tasks.loading import load
from recurra.tasks.tagging.tagger import SequenceTagger
from recurra.tasks.writing.captioner import Captioner
from recurra.tasks.writing.translator import Translator

__all__ = [
    "BlankFiller",
    "Captioner",
    "Forecaster",
    "Judged",
    "LabelScore",
    "Part",
    "Score",
    "SequenceClassifier",
    "SequenceGenerator",
    "SequenceRegressor",
    "SequenceTagger",
    "Translator",
    "judge",
    "load",
    "mean_losses",
    "score_labels",
]
