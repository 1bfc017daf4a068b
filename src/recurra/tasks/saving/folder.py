"""A model's folder, written and read: config.json, model.safetensors, history.json, README.md.

Nothing in it is code, and nothing names code: a task is looked up among our own, a cell of the
user's is only ever the class that the caller passes.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic
from torch import Tensor

from recurra.durable import replacing_folder, standing_folder, write_synced
from recurra.errors import ModelFileError
from recurra.tasks.saving.config import (
    CARD,
    CONFIG,
    HISTORY,
    MOST,
    WEIGHTS,
    About,
    Config,
    FileSum,
    first_fault,
    is_model,
    read_config,
)
from recurra.tasks.saving.files import as_json, parse_json, read_file
from recurra.tasks.saving.weights import read_weights

_TRIES = 10


@dataclass(frozen=True)
class Saved:
    """A saved model, read and checked but not yet built."""

    path: Path
    config: Config
    tensors: dict[str, Tensor]
    history: dict[str, Any]


def write_model(
    path: str | os.PathLike[str],
    *,
    task: str,
    parameters: Mapping[str, Any],
    fitted: Mapping[str, Any],
    about: About,
    tensors: Mapping[str, Tensor],
    history: Mapping[str, Any],
    card: str,
) -> Path:
    """Write a model folder and return its absolute path.

    An earlier model at `path` is replaced; anything else there is left, with a `ModelFileError`.
    Raises `OSError`, which names the file, where the disk refuses; what was there is then as it
    was.
    """
    path = Path(path).absolute()
    check_place(path)
    contents: dict[str, bytes] = {
        WEIGHTS: _as_safetensors(tensors),
        HISTORY: as_json(history),
        CARD: card.encode("utf-8", "replace"),
    }
    try:
        config = Config(
            task=task,
            # As they will be read back: JSON has lists where Python has tuples.
            parameters=json.loads(as_json(parameters)),
            fitted=json.loads(as_json(fitted)),
            about=about,
            files={name: FileSum.of(content) for name, content in contents.items()},
        )
    except pydantic.ValidationError as error:
        raise ModelFileError(f"{path}: cannot be saved, {first_fault(error)}.") from None
    files: dict[str, bytes] = {CONFIG: config.to_bytes(), **contents}
    _check_sizes(path, files)
    # Through a link to the folder it stands for.
    with replacing_folder(Path(os.path.realpath(path))) as made:
        for name, content in files.items():
            write_synced(made / name, content)
    return path


def read_model(path: str | os.PathLike[str]) -> Saved:
    """Read and check the folder that `write_model` wrote; raises `ModelFileError`.

    One that another program replaces in the meantime is read anew: files of two models do not fit.
    """
    for _ in range(_TRIES):
        folder = find_model(path)
        number = _number(folder)
        try:
            return _read(folder)
        except ModelFileError:
            if _number(folder) == number:
                raise
    raise ModelFileError(f"{folder}: other models are saved there faster than one can be read.")


def _read(folder: Path) -> Saved:
    config = read_config(folder)
    tensors = read_weights(folder / WEIGHTS, config.files[WEIGHTS])
    history = parse_json(read_whole(folder, HISTORY, config), folder / HISTORY)
    return Saved(folder, config, tensors, history)


def find_model(path: str | os.PathLike[str]) -> Path:
    """Return a model's folder: where it is, or aside if a save over it was cut off.

    Raises `ModelFileError` where there is none.
    """
    path = Path(path).absolute()
    try:
        folder = standing_folder(path)
        if folder.is_dir():
            return folder
        what = "is a file, not a model folder" if path.exists() else "no such model folder"
    except (OSError, ValueError) as error:  # a name too long; with a NUL
        what = f"cannot be read, {getattr(error, 'strerror', None) or error}"
    raise ModelFileError(f"{path}: {what}.")


def read_whole(folder: Path, name: str, config: Config) -> bytes:
    """Return a file's content; raises `ModelFileError` unless it is the one that was saved."""
    file, wanted = folder / name, config.files[name]
    content = read_file(file, MOST[name])
    if FileSum.of(content) != wanted:
        raise ModelFileError(f"{file}: damaged, its checksum is not the config's.")
    return content


def _number(folder: Path) -> int:
    """Return what tells a folder from another of the same name, 0 where there is none."""
    try:
        return folder.stat().st_ino
    except OSError:
        return 0


def check_place(path: Path) -> None:
    """Raise `ModelFileError` where something else than a model would be replaced."""
    empty_or_none = not path.exists() or (path.is_dir() and not any(path.iterdir()))
    if not empty_or_none and not is_model(path):
        raise ModelFileError(f"{path}: is there already and is no model; it was left as it is.")


def _check_sizes(path: Path, files: Mapping[str, bytes]) -> None:
    """Raise `ModelFileError` for files that would be refused for their size."""
    for name, content in files.items():
        if len(content) > MOST[name]:
            raise ModelFileError(
                f"{path / name}: {len(content):,} bytes, and at most {MOST[name]:,} are read: it "
                "was not saved."
            )


def _as_safetensors(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors as a file; weights that are tied are written twice."""
    import safetensors.torch

    apart: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        apart[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return safetensors.torch.save(apart)
