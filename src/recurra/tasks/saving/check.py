"""A saved model checked file by file, for who wants to know what is there and what is wrong."""

import os
from dataclasses import dataclass
from pathlib import Path

from recurra.errors import ModelFileError
from recurra.tasks.saving.config import (
    CARD,
    CONFIG,
    HISTORY,
    MOST,
    WEIGHTS,
    Config,
    FileSum,
    read_config,
)
from recurra.tasks.saving.files import parse_json, read_file
from recurra.tasks.saving.folder import find_model, read_whole
from recurra.tasks.saving.weights import read_weights


@dataclass(frozen=True)
class FileCheck:
    """One file of a model.

    size: in bytes, None where there is none; state: "right", "edited" (the card: that is allowed),
    "missing", "damaged" or, where the config does not say, "unknown"; fault: what is wrong, "".
    """

    name: str
    size: int | None
    state: str
    fault: str = ""


@dataclass(frozen=True)
class Check:
    """A saved model, checked.

    config: None where it is damaged; card: its text, "" where there is none; fault: the first
    that keeps the model from being loaded, "" for none.
    """

    path: Path
    config: Config | None
    files: tuple[FileCheck, ...]
    card: str
    fault: str


def check_model(path: str | os.PathLike[str]) -> Check:
    """Check the files of a saved model; raises `ModelFileError` where there is no such folder."""
    folder = find_model(path)
    config, fault = None, ""
    try:
        config = read_config(folder)
    except ModelFileError as error:
        fault = str(error)
    files = [_checked(folder, CONFIG, config, fault)]
    files += [_checked(folder, name, config) for name in (WEIGHTS, HISTORY)]
    content, card = _card(folder, config)
    first = next((file.fault for file in files if file.fault), "")
    return Check(folder, config, (*files, card), content, first)


def _checked(folder: Path, name: str, config: Config | None, fault: str = "") -> FileCheck:
    """Check a file that is needed, of which the `fault` may be known."""
    size = _size(folder / name)
    if config is None and not fault:
        return FileCheck(name, size, "missing" if size is None else "unknown")
    try:
        if config is not None and name == WEIGHTS:
            read_weights(folder / name, config.files[name])
        elif config is not None and name == HISTORY:
            parse_json(read_whole(folder, name, config), folder / name)
    except ModelFileError as error:
        fault = str(error)
    state = "right" if not fault else "missing" if size is None else "damaged"
    return FileCheck(name, size, state, fault)


def _card(folder: Path, config: Config | None) -> tuple[str, FileCheck]:
    """Return the card, which may be changed or gone without harm, and its check."""
    size = _size(folder / CARD)
    try:
        content = read_file(folder / CARD, MOST[CARD])
    except ModelFileError:
        return "", FileCheck(CARD, size, "missing")
    same = config is not None and FileSum.of(content) == config.files[CARD]
    state = "unknown" if config is None else "right" if same else "edited"
    return content.decode("utf-8", "replace"), FileCheck(CARD, size, state)


def _size(file: Path) -> int | None:
    try:
        return file.lstat().st_size
    except OSError:
        return None
