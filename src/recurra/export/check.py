"""Holds an exported file to the model it came from, in onnxruntime, before it is kept."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ExportError, MissingDependencyError
from recurra.export.subject import Subject

# Batch and time; how many pieces a word and terms a text has at most.
SIZES = ({"B": 3, "T": 5, "K": 4, "P": 6}, {"B": 1, "T": 9, "K": 2, "P": 3})
LIMITS = {"float32": 1e-4, "float64": 1e-9}  # of the largest number in an output, at least of 1


@dataclass(frozen=True)
class Checked:
    """How far a file and its model were apart.

    difference: the largest, in units of the largest number of its output (at least 1);
    limit: what was allowed; sizes: the batches and times it was run at.
    """

    difference: float
    limit: float
    sizes: tuple[dict[str, int], ...]


def check_file(path: Path, subject: Subject, limit: float) -> Checked:
    """Run the file and the model on the same random inputs at several sizes.

    Raises `ExportError` where they differ by more than the limit, or the file does not run.
    """
    worst = 0.0
    try:
        session = open_session(path)
        for sizes in SIZES:
            feeds = subject.draw(np.random.default_rng(0), sizes)
            found = session.run(None, feeds)
            wanted = subject.run(feeds)
            for port, mine, theirs in zip(subject.graph.outputs, found, wanted, strict=True):
                apart = difference(mine, theirs)
                if not apart <= limit:
                    shown = ", ".join(f"{axis} = {n}" for axis, n in sizes.items() if axis in "BT")
                    raise ExportError(
                        f"the exported {port.name!r} is {apart:.3g} from the model's at {shown}, "
                        f"where {limit:.0e} is allowed: the file was not kept."
                    )
                worst = max(worst, apart)
    except ExportError:
        raise
    except Exception as error:  # onnxruntime's own have no common base
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        reason = str(error).split("\n")[0]
        raise ExportError(f"onnxruntime cannot run the export: {reason}") from error
    return Checked(worst, limit, SIZES)


def difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Return the largest difference of two arrays, in units of b's largest number, at least 1.

    It is infinite where shapes or types differ, or where one has a NaN or infinity that the other
    has not.
    """
    if a.shape != b.shape or a.dtype != b.dtype:
        return float("inf")
    finite = np.isfinite(a) & np.isfinite(b)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return float("inf")
    if not finite.any():
        return 0.0
    apart = np.abs(a[finite].astype(np.float64) - b[finite]).max()
    return float(apart / max(1.0, np.abs(b[finite]).max()))


def open_session(path: Path) -> Any:
    """Return a session of onnxruntime; raises `MissingDependencyError` without it."""
    try:
        onnxruntime: Any = import_module("onnxruntime")
    except ImportError as error:
        raise MissingDependencyError(
            "an export is checked by the package onnxruntime: pip install 'recurra[export]'."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
