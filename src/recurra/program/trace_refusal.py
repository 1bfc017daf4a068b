"""Why a cell cannot be traced, in plain words, and where in the user's code."""

import os
import sys
import threading
from types import CodeType, FrameType, TracebackType

import torch

from recurra.errors import TraceError

_PYTHON = os.path.dirname(os.__file__)
_INSIDE = (os.path.dirname(torch.__file__), os.path.dirname(__file__), "<frozen")


class OverAllRowsError(Exception):
    """A sum or the like over all rows: it is refused only when it is used."""


class Refusals(threading.local):
    """The first refusal of the trace that runs in this thread.

    It is kept because the cell may catch what is raised and go on with something else.
    """

    first: TraceError | None = None
    outermost: CodeType | None = None


REFUSALS = Refusals()


def refusal(reason: str, line: tuple[str, int] | None = None) -> TraceError:
    """Return the error that says a reason, and the user's line that gave rise to it.

    line: the file and line, where they are not those that run now.
    """
    reason, line = reason_of_place() or (reason, line)
    error = TraceError(reason + place_of(line or line_of_caller()))
    if REFUSALS.first is None:
        REFUSALS.first = error
    return error


# What cannot be traced whatever is done there, by the part of torch that runs it.
_PLACES = {
    os.path.join("torch", "_functorch"): "torch.func (vmap, grad, jvp, ...) inside the cell is not "
    "traced; write the operation on the whole batch, or the derivative itself",
    os.path.join("torch", "_dynamo"): "the cell calls what torch.compile has compiled; call the "
    "function as it is, and compile the whole layer if that is wanted",
}
_INTERPRETER = "TorchScript interpreter"


def reason_of_place() -> tuple[str, tuple[str, int] | None] | None:
    """Return why nothing can be traced in the part of torch that runs now, and who called it."""
    found: tuple[str, tuple[str, int] | None] | None = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not REFUSALS.outermost:
        name = frame.f_code.co_filename
        here = next((reason for part, reason in _PLACES.items() if part in name), None)
        if here is not None:
            found = here, None
        elif found is not None and found[1] is None and not is_inside(frame):
            found = found[0], (name, frame.f_lineno)
        frame = frame.f_back
    return found


def reason_of_error(error: BaseException) -> str:
    """Return an error as a reason, of what is scripted in plain words."""
    if _INTERPRETER in str(error):
        return (
            "the cell calls what torch.jit.script has compiled, which is not traced; call the "
            "function as it is"
        )
    return f"{type(error).__name__}: {error}".split("\n")[0]


def place_of(line: tuple[str, int] | None) -> str:
    """Return a file and line as they stand behind a reason."""
    return "" if line is None else f" ({os.path.basename(line[0])}, line {line[1]})"


def is_inside(frame: FrameType) -> bool:
    """Return whether a frame is torch's, Python's or the tracer's own."""
    name = frame.f_code.co_filename
    pythons = name.startswith(_PYTHON) and "site-packages" not in name
    return pythons or name.startswith(_INSIDE)


def line_of_caller() -> tuple[str, int] | None:
    """Return file and line of the innermost frame that is the user's, now running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not REFUSALS.outermost:
        if not is_inside(frame):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def line_of_error(error: BaseException) -> tuple[str, int] | None:
    """Return file and line of the innermost frame that is the user's, of an error."""
    found = None
    step: TracebackType | None = error.__traceback__
    while step is not None:
        if not is_inside(step.tb_frame):
            found = step.tb_frame.f_code.co_filename, step.tb_lineno
        step = step.tb_next
    return found


def runs_in(file: str) -> bool:
    """Return whether something in a file of torch.nn's runs now."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not REFUSALS.outermost:
        if os.path.basename(frame.f_code.co_filename) == file and is_inside(frame):
            return True
        frame = frame.f_back
    return False
