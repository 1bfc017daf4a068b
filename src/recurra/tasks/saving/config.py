"""What config.json holds, and the form it must have.

Its last entry is the SHA-256 of all its bytes, with 64 zeros in place of that itself; the
checksums of the other files stand in it, so that it vouches for them.
"""

import hashlib
import json
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from recurra.errors import ModelFileError
from recurra.tasks.saving.files import as_json, opened, parse_json, read_file, shown
from recurra.version import __version__

FORMAT, FORMAT_VERSION = "recurra-model", 1
CONFIG, WEIGHTS, HISTORY, CARD = "config.json", "model.safetensors", "history.json", "README.md"
# Bytes at most; beyond the weights a file of ours has some kilobytes.
MOST = {CONFIG: 64 * 2**20, WEIGHTS: sys.maxsize, HISTORY: 512 * 2**20, CARD: 2**20}
_ZEROS = "0" * 64
_SEAL = re.compile(rb'"sha256": "([0-9a-f]{64})"\n\}\n\Z')
_MAYBE_UNKNOWN = ("score", "loss", "scores", "baselines")  # ends of names: these may be NaN

Digest = Annotated[str, pydantic.Field(pattern="^[0-9a-f]{64}$")]
Count = Annotated[int, pydantic.Field(ge=0)]


class Record(pydantic.BaseModel):
    """A record of a file: no other keys than these, no other types."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)


class Judgement(Record):
    """A score on examples that were held out, beside naive models' on the same.

    `recurra.tasks.judging.scores.Score` says what each is; verdict: it, in a sentence; ahead:
    whether the model is better than all of them, and hardly by chance.
    """

    name: str
    value: float
    examples: Count
    noun: str
    unit: str = ""
    higher_is_better: bool = True
    baselines: dict[str, float] = {}
    verdict: str = ""
    ahead: bool = True


class About(Record):
    """What is known of how a model came to be; nothing in it is needed to use the model.

    examples, validation: how many different examples it learned from, and how many of those held
    out chose the epoch; None where that was not counted. unit: what its loss is measured in.
    data: the name of the table, digest: that file's SHA-256; columns: by their roles; split: how a
    part of the table was held out to judge the model; settings: what else reading it needs;
    scores: on that part, the main one first.
    """

    examples: Count | None = None
    validation: Count | None = None
    unit: str = ""
    data: str = ""
    digest: Digest | Literal[""] = ""
    columns: dict[str, str | list[str]] = {}
    split: dict[str, str | int | float] = {}
    settings: dict[str, bool | int | float | str | list[str] | None] = {}
    scores: list[Judgement] = []


class FileSum(Record):
    """A file's size in bytes, and its SHA-256."""

    size: Count
    sha256: Digest

    @classmethod
    def of(cls, content: bytes) -> "FileSum":
        """Return those of a content."""
        return cls(size=len(content), sha256=hashlib.sha256(content).hexdigest())


class Config(Record):
    """The task, its parameters, what `fit` learned beside the weights, and the other files."""

    format: Literal["recurra-model"] = "recurra-model"
    version: Annotated[int, pydantic.Field(ge=1, le=FORMAT_VERSION)] = FORMAT_VERSION
    recurra: str = __version__
    task: str
    parameters: dict[str, Any]
    fitted: dict[str, Any]
    about: About
    files: dict[str, FileSum]
    sha256: Digest = _ZEROS

    @pydantic.model_validator(mode="after")
    def _agree(self) -> "Config":
        if self.files.keys() != {WEIGHTS, HISTORY, CARD}:
            raise ValueError(f"files must be {WEIGHTS}, {HISTORY} and {CARD}")
        _must_be_finite(self.fitted, "fitted")
        return self

    def to_bytes(self) -> bytes:
        """Return the content of the file, with its checksum."""
        return sealed(self.model_dump())


def read_config(folder: Path) -> Config:
    """Read and check a folder's config; raises `ModelFileError`."""
    file = folder / CONFIG
    content = read_file(file, MOST[CONFIG])
    record = parse_json(content, file)
    version = record.get("version")
    if type(version) is int and version > FORMAT_VERSION and record.get("format") == FORMAT:
        raise ModelFileError(
            f"{file}: written by a newer Recurra ({shown(record.get('recurra'), 40)}, format "
            f"{shown(version, 20)}); this one is {__version__}, format {FORMAT_VERSION}."
        )
    seal = _SEAL.search(content)
    if seal is None or seal[1] != _checksum(_unsealed(content, seal)):
        raise ModelFileError(f"{file}: damaged or edited, its checksum does not fit.")
    try:
        return Config.model_validate(record)
    except pydantic.ValidationError as error:
        raise ModelFileError(f"{file}: damaged, {first_fault(error)}.") from None
    except RecursionError:
        raise ModelFileError(f"{file}: damaged, lists in lists too deep.") from None


def sealed(record: Mapping[str, Any]) -> bytes:
    """Return a record as the content of config.json, with its checksum."""
    rest = {name: value for name, value in record.items() if name != "sha256"}
    content = as_json({**rest, "sha256": _ZEROS})
    seal = _SEAL.search(content)
    assert seal is not None
    return content[: seal.start(1)] + _checksum(content) + content[seal.end(1) :]


def first_fault(error: pydantic.ValidationError) -> str:
    """Return where the first of a record's faults is, and what it is."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return shown(f"{where}: {first['msg']}" if where else first["msg"])


def is_model(folder: Path) -> bool:
    """Return whether a folder is a model, be it whole, damaged or of another version."""
    try:
        with opened(folder / CONFIG, sys.maxsize) as (file, _):
            start = file.read(1000)
    except ModelFileError:
        return False
    return f'"format": {json.dumps(FORMAT)}'.encode() in start


def _unsealed(content: bytes, seal: re.Match[bytes]) -> bytes:
    return content[: seal.start(1)] + _ZEROS.encode() + content[seal.end(1) :]


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _must_be_finite(value: Any, name: str) -> None:
    """Raise `ValueError` for a number that is none, but for scores: those may be unknown."""
    if name.endswith(_MAYBE_UNKNOWN):
        return
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}, where a finite number belongs")
    if isinstance(value, Mapping):
        for key, part in value.items():
            _must_be_finite(part, key)
    elif isinstance(value, list):
        for part in value:
            _must_be_finite(part, name)
