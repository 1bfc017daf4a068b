"""Models by the task they are for, and where they are kept."""

import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.errors import ModelFileError

if TYPE_CHECKING:
    from recurra.tasks.estimator import SequenceEstimator

# By the command's name: the module, the class, and what --quick changes.
TASKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "classify": ("classifying.classifier", "SequenceClassifier", {"hidden_size": 32, "epochs": 3}),
    "regress": ("classifying.regressor", "SequenceRegressor", {"hidden_size": 32, "epochs": 5}),
    "tag": ("tagging.tagger", "SequenceTagger", {"hidden_size": 32, "epochs": 3}),
    "translate": ("writing.translator", "Translator", {"hidden_size": 64, "epochs": 3}),
    "caption": ("writing.captioner", "Captioner", {"hidden_size": 64, "epochs": 3}),
    "fill": ("filling.filler", "BlankFiller", {"hidden_size": 32, "epochs": 3}),
    "generate": ("generating.generator", "SequenceGenerator", {"hidden_size": 64, "epochs": 3}),
    "forecast": ("forecasting.forecaster", "Forecaster", {"hidden_size": 16, "epochs": 3}),
}
MEMORY = "columns.json"


def estimator_of(task: str) -> type["SequenceEstimator"]:
    """Return the estimator's class of a task."""
    module, name, _ = TASKS[task]
    found: type[SequenceEstimator] = getattr(import_module(f"recurra.tasks.{module}"), name)
    return found


@dataclass(frozen=True)
class Memory:
    """What the commands remember of a model beside it, in columns.json.

    task: as `recurra train` has it; columns: by their roles; data: the name of the table it was
    trained on, digest: that file's SHA-256; split: how its held-out part was drawn; settings: what
    else reading the table needs.
    """

    task: str
    columns: dict[str, Any]
    data: str = ""
    digest: str = ""
    split: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write it into the model's folder, whole or not at all."""
        part = folder / f".{MEMORY}.{secrets.token_hex(6)}.part"
        try:
            part.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n")
            os.replace(part, folder / MEMORY)
        finally:
            part.unlink(missing_ok=True)


def load_model(folder: Path) -> tuple["SequenceEstimator", Memory]:
    """Return a saved model and what is remembered of it; raises `ModelFileError`."""
    from recurra.tasks.loading import load

    model = load(folder)
    task = next(task for task, (_, kind, _) in TASKS.items() if kind == type(model).__name__)
    return model, _memory(folder, task)


def _memory(folder: Path, task: str) -> Memory:
    """Return what is remembered; of a model saved from Python nothing but its task is."""
    path = folder / MEMORY
    if not path.exists():
        return Memory(task, {})
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        memory = Memory(**record)
        sound = (
            all(isinstance(part, dict) for part in (memory.columns, memory.split, memory.settings))
            and all(_is_name(column) for column in memory.columns.values())
            and isinstance(memory.digest, str)
        )
    except (ValueError, TypeError, OSError, RecursionError) as error:
        raise ModelFileError(f"{path}: damaged, {error}; delete it to name columns anew.") from None
    if not sound or memory.task != task:
        raise ModelFileError(f"{path}: damaged, or of another model; delete it to go on without.")
    return memory


def _is_name(column: Any) -> bool:
    names = column if isinstance(column, list) else [column]
    return all(isinstance(name, str) for name in names)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_folder(folder: Path) -> bool:
    """Return whether a model is there already; raises `ModelFileError` where none can be put.

    Asked before training, so that nothing is learned that cannot be kept.
    """
    folder = folder.absolute()
    try:
        there = folder.exists()
        if there and not (
            folder.is_dir() and ((folder / "config.json").is_file() or not any(folder.iterdir()))
        ):
            raise ModelFileError(f"{folder}: is there already and is no model; it is left alone.")
        above = folder.parent
        while not above.exists():
            above = above.parent
    except OSError as error:
        raise ModelFileError(f"{folder}: {error.strerror or error}.") from None
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        raise ModelFileError(f"{folder}: a model cannot be written there; give --model FOLDER.")
    return there and any(folder.iterdir())
