"""Models by the task they are for, and where they are kept."""

import hashlib
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.errors import ModelFileError

if TYPE_CHECKING:
    from recurra.tasks.estimator import SequenceEstimator
    from recurra.tasks.judging.judged import Judged
    from recurra.tasks.saving.config import Judgement

# By the command's name: the estimator, and what --quick changes.
TASKS: dict[str, tuple[str, dict[str, Any]]] = {
    "classify": ("SequenceClassifier", {"hidden_size": 32, "epochs": 3}),
    "regress": ("SequenceRegressor", {"hidden_size": 32, "epochs": 5}),
    "tag": ("SequenceTagger", {"hidden_size": 32, "epochs": 3}),
    "translate": ("Translator", {"hidden_size": 64, "epochs": 3}),
    "caption": ("Captioner", {"hidden_size": 64, "epochs": 3}),
    "fill": ("BlankFiller", {"hidden_size": 32, "epochs": 3}),
    "generate": ("SequenceGenerator", {"hidden_size": 64, "epochs": 3}),
    "forecast": ("Forecaster", {"hidden_size": 16, "epochs": 3}),
}


def estimator_of(task: str) -> type["SequenceEstimator"]:
    """Return the estimator's class of a task."""
    found: type[SequenceEstimator] = getattr(import_module("recurra"), TASKS[task][0])
    return found


def load_model(folder: Path) -> tuple["SequenceEstimator", str]:
    """Return a saved model and the name of its task; raises `ModelFileError`."""
    from recurra.tasks.loading import load

    model = load(folder)
    return model, next(task for task, (kind, _) in TASKS.items() if kind == type(model).__name__)


def save_judged(model: "SequenceEstimator", folder: Path, judged: "Judged") -> None:
    """Save a model again, with its scores on the part held out; raises `OSError`."""
    model.save(folder, about={"scores": [_record(score) for score in judged.scores]})


def _record(score: Any) -> "Judgement":
    """Return a score as a model's folder holds it."""
    from recurra.tasks.saving.config import Judgement

    return Judgement(
        name=score.name,
        value=score.value,
        examples=score.examples,
        noun=score.noun,
        unit=score.unit,
        higher_is_better=score.higher_is_better,
        baselines=dict(score.baselines),
        verdict=score.verdict(),
        ahead=not score.baselines or (score.gain > 0 and score.is_clear),
    )


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_folder(folder: Path) -> bool:
    """Return whether a model is there already; raises `ModelFileError` where none can be put.

    Asked before training, so that nothing is learned that cannot be kept.
    """
    from recurra.tasks.saving.folder import check_place

    folder = folder.absolute()
    try:
        check_place(folder)
        there = folder.exists()
        above = folder.parent
        while not above.exists():
            above = above.parent
    except OSError as error:
        raise ModelFileError(f"{folder}: {error.strerror or error}.") from None
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise ModelFileError(f"{folder}: a model cannot be written there; give --model FOLDER.")
    return there and any(folder.iterdir())
