"""A model as a folder: config.json, model.safetensors, history.json.

Nothing in it is code. The folder appears whole or not at all: it is written beside its place
and then renamed.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pydantic
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from recurra.durable import sync_folder, write_synced
from recurra.errors import ModelFileError
from recurra.version import __version__

FORMAT_VERSION = 1
CONFIG, WEIGHTS, HISTORY = "config.json", "model.safetensors", "history.json"
_MAX_JSON = 64 * 2**20  # bytes; a config of ours is some kilobytes


class Config(pydantic.BaseModel):
    """What config.json holds: the task, its parameters, what `fit` learned beside the weights.

    The SHA-256 checksums are those of the two other files and of this record itself without its
    own: whatever is damaged, nothing else is loaded in its place.
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    format: Literal["recurra-model"]
    version: int
    recurra: str
    task: str
    parameters: dict[str, Any]
    fitted: dict[str, Any]
    weights_sha256: str
    history_sha256: str
    sha256: str = ""

    def checksum(self) -> str:
        """Return the checksum of all that stands here, but for the checksum."""
        record = self.model_dump(exclude={"sha256"})
        return _sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode())


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
    tensors: Mapping[str, Tensor],
    history: Mapping[str, Any],
) -> Path:
    """Write a model folder and return its absolute path.

    An earlier model at `path` is replaced; anything else there is left, with a `ModelFileError`.
    """
    path = Path(path).absolute()
    if path.exists() and not _replaceable(path):
        raise ModelFileError(f"{path}: is there already and is no model; it was left as it is.")
    weights = safetensors.torch.save({k: v.detach().cpu().contiguous() for k, v in tensors.items()})
    record = _as_json(dict(history))
    config = Config(
        format="recurra-model",
        version=FORMAT_VERSION,
        recurra=__version__,
        task=task,
        parameters=dict(parameters),
        fitted=dict(fitted),
        weights_sha256=_sha256(weights),
        history_sha256=_sha256(record),
    )
    # As it will be read back: JSON has lists where Python has tuples.
    config = Config.model_validate(json.loads(_as_json(config.model_dump())))
    config = config.model_copy(update={"sha256": config.checksum()})
    files = {CONFIG: _as_json(config.model_dump()), WEIGHTS: weights, HISTORY: record}
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        for name, content in files.items():
            write_synced(beside / name, content)
        beside.chmod(0o755)
        sync_folder(beside)
        _move_into_place(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return path


def read_model(path: str | os.PathLike[str]) -> Saved:
    """Read and check the folder that `write_model` wrote; raises `ModelFileError`."""
    path = Path(path).absolute()
    if not path.is_dir():
        what = "is a file, not a model folder" if path.exists() else "no such model folder"
        raise ModelFileError(f"{path}: {what}.")
    record = _read_json(path / CONFIG)
    version = record.get("version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path / CONFIG}: written by a newer Recurra ({record.get('recurra')}, format "
            f"{version}); this one is {__version__}, format {FORMAT_VERSION}."
        )
    try:
        config = Config.model_validate(record)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ModelFileError(f"{path / CONFIG}: damaged, {where}: {first['msg']}.") from None
    if config.checksum() != config.sha256:
        raise ModelFileError(f"{path / CONFIG}: damaged or edited, its checksum does not fit.")
    weights, history = _read_bytes(path / WEIGHTS), _read_bytes(path / HISTORY)
    for name, content, wanted in (
        (WEIGHTS, weights, config.weights_sha256),
        (HISTORY, history, config.history_sha256),
    ):
        if _sha256(content) != wanted:
            raise ModelFileError(f"{path / name}: damaged, its checksum is not the config's.")
    try:
        tensors = safetensors.torch.load(weights)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelFileError(f"{path / WEIGHTS}: damaged, {error}.") from None
    return Saved(path, config, tensors, _parse_json(history, path / HISTORY))


def _replaceable(path: Path) -> bool:
    return path.is_dir() and ((path / CONFIG).is_file() or not any(path.iterdir()))


def _move_into_place(beside: Path, path: Path) -> None:
    if path.exists():
        # A folder cannot replace a folder that is not empty: the old one steps aside first.
        aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old."))
        path.rename(aside / path.name)
        try:
            beside.rename(path)
        except OSError:
            (aside / path.name).rename(path)
            raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    else:
        beside.rename(path)
    sync_folder(path.parent)


def _as_json(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, indent=1, allow_nan=True).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{file}: cannot be read, {error.strerror}.") from None


def _read_json(file: Path) -> dict[str, Any]:
    if file.is_file() and file.stat().st_size > _MAX_JSON:
        raise ModelFileError(f"{file}: damaged, larger than {_MAX_JSON // 2**20} MiB.")
    return _parse_json(_read_bytes(file), file)


def _parse_json(content: bytes, file: Path) -> dict[str, Any]:
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{file}: damaged, {error}.") from None
    if not isinstance(record, dict):
        raise ModelFileError(f"{file}: damaged, a JSON object was expected.")
    return record
