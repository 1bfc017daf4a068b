"""The tasks as scikit-learn estimators: fit, score, save, load."""

from recurra.tasks.classifier import SequenceClassifier
from recurra.tasks.evaluation import LabelScore, mean_losses, score_labels
from recurra.tasks.generator import SequenceGenerator
from recurra.tasks.loading import load
from recurra.tasks.regressor import SequenceRegressor

__all__ = [
    "LabelScore",
    "SequenceClassifier",
    "SequenceGenerator",
    "SequenceRegressor",
    "load",
    "mean_losses",
    "score_labels",
]
