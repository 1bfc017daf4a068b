"""The tasks as scikit-learn estimators: fit, score, save, load."""

from recurra.tasks.evaluation import LabelScore, mean_losses, score_labels
from recurra.tasks.generator import SequenceGenerator
from recurra.tasks.loading import load

__all__ = ["LabelScore", "SequenceGenerator", "load", "mean_losses", "score_labels"]
