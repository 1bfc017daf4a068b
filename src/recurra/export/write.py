"""Models as ONNX files: written beside their place, checked in onnxruntime, then renamed."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from recurra.durable import sync_folder, write_synced
from recurra.errors import ArgumentError, ArgumentTypeError
from recurra.export.check import LIMITS, Checked, check_file
from recurra.export.graph import Port
from recurra.export.layer import layer_subject
from recurra.export.stack import DROP_INS
from recurra.export.subject import Subject
from recurra.layers import Recurrent
from recurra.version import __version__


@dataclass(frozen=True)
class Exported:
    """What was written.

    path: the ONNX file; notes: the JSON file beside it, how to feed it; inputs, outputs: of the
    graph; checked: how far it is from the model; bytes: the file's size.
    """

    path: Path
    notes: Path
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    checked: Checked
    bytes: int


def export_onnx(
    model: Any, path: str | os.PathLike[str], *, streaming: bool = False, lengths: bool = False
) -> Exported:
    """Write a layer or a fitted estimator as an ONNX file, and beside it in JSON how to feed it.

    Any cell that can be traced is written from its equations: what does not depend on the state as
    products over all steps, the rest as the body of a `Scan`. Batch and time may have any size
    from 1. The file is run in onnxruntime at two sizes beside the model before it is kept.

    Args:
        model: a `recurra.Recurrent`, `RNN`, `LSTM` or `GRU`, or a fitted estimator.
        path: the file; its suffix is replaced by .json for the other one. Files there are replaced.
        streaming: whether the state goes in and out, so that a stream can be run in pieces; not
            for what reads backwards in time.
        lengths: for a layer, whether each row's steps are an input (B,); estimators that read
            whole sequences always take them.

    Returns what was written. Raises `ExportError` where the model cannot be exported or the file
    does not compute the same, `ArgumentError` where no file can be at `path`,
    `MissingDependencyError` without onnx or onnxruntime.
    """
    path = _checked_path(Path(path).absolute())
    subject = _subject(model, streaming, lengths)
    notes = _notes(subject, streaming)
    with _part(path) as part:
        data = subject.graph.model(subject.about, {"notes": path.with_suffix(".json").name})
        write_synced(part, data)
        checked = check_file(part, subject, _limit(subject))
        notes["sha256"] = hashlib.sha256(data).hexdigest()
        notes["check"] = {"difference": checked.difference, "limit": checked.limit}
        beside = path.with_suffix(".json")
        with _part(beside) as other:
            text = json.dumps(notes, ensure_ascii=False, indent=1) + "\n"
            write_synced(other, text.encode())
            os.replace(other, beside)
        os.replace(part, path)
    sync_folder(path.parent)
    graph = subject.graph
    return Exported(path, beside, tuple(graph.inputs), tuple(graph.outputs), checked, len(data))


def _checked_path(path: Path) -> Path:
    """Return the path; raises `ArgumentError` where no file can be."""
    if path.suffix.lower() != ".onnx":
        raise ArgumentError(f"{path}: the file's name must end in .onnx.")
    if not path.parent.is_dir():
        raise ArgumentError(f"{path}: there is no folder {path.parent}.")
    if path.is_dir() or path.with_suffix(".json").is_dir():
        raise ArgumentError(f"{path}: there is a folder where a file is to be.")
    return path


def _subject(model: Any, streaming: bool, lengths: bool) -> Subject:
    if isinstance(model, (Recurrent, *DROP_INS)):
        return layer_subject(model, streaming=streaming, lengths=lengths)
    if isinstance(model, nn.Module) or not hasattr(model, "get_params"):
        raise ArgumentTypeError(
            "model must be a recurra.Recurrent, RNN, LSTM or GRU, or a fitted estimator, got "
            f"{type(model).__name__}."
        )
    from recurra.export.estimators import estimator_subject

    return estimator_subject(model, streaming=streaming)


def _limit(subject: Subject) -> float:
    # A network of float32 may have outputs of float64.
    floats = [p.dtype for p in subject.graph.outputs if np.issubdtype(p.dtype, np.floating)]
    wide = subject.notes.get("numbers", min(map(str, floats)))
    return LIMITS[wide]


def _notes(subject: Subject, streaming: bool) -> dict[str, Any]:
    def described(port: Port) -> dict[str, Any]:
        return {
            "name": port.name,
            "dtype": port.type_name,
            "axes": list(port.axes),
            "about": port.about,
        }

    return {
        "format": "recurra-onnx",
        "version": 1,
        "recurra": __version__,
        "about": subject.about,
        "streaming": streaming,
        "inputs": [described(port) for port in subject.graph.inputs],
        "outputs": [described(port) for port in subject.graph.outputs],
        **subject.notes,
    }


@contextmanager
def _part(path: Path) -> Iterator[Path]:
    """Give a place beside `path` for a file that is not whole yet; what is left there goes."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)
