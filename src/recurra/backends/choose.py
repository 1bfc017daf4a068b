"""Which backend runs a cell: the fastest that gives the right numbers."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, Token
from functools import cache, partial
from threading import Lock
from types import TracebackType
from typing import Protocol

import torch
from torch import Tensor

from recurra.backends import eager, forks, kernels, records, window
from recurra.backends.memory import odd
from recurra.backends.prepare import Prepared, obstacle, prepare
from recurra.backends.steps import State, SteppedCell, Steps
from recurra.errors import ArgumentError, BackendError, RecurraError, RecurraWarning

try:
    from recurra.backends import native, stepping
except ImportError:  # installed where there was no compiler
    native = None  # type: ignore[assignment]
    forks.watch()

Place = tuple[object, str | None, str | None, object]  # `stepping` says what each part is
Run = Callable[[SteppedCell, Steps], tuple[Tensor, State]]

BACKENDS = ("auto", "native", "eager", "torch")


class _Setting:
    """A default; `instead` is the one that holds again once a block has claimed this one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.instead: _Setting | None = None


_default = _Setting("auto")
_lock = Lock()
_within: ContextVar[str | None] = ContextVar("recurra_backend", default=None)


class use_backend:  # noqa: N801 - reads as the verb it is, like torch.no_grad
    """Set the backend: as a plain call for the whole process, under `with` for the block only.

    - "auto": the fastest that can run the cell;
    - "native": the cell's own equations in Recurra's compiled core, forward and backward;
    - "eager": a loop of the cell's own code, for any cell;
    - "torch": torch's own kernels (oneDNN, cuDNN), for the cells they have.

    A block holds for its own thread. Raises `ArgumentError` for another name.
    """

    def __init__(self, name: str) -> None:
        global _default
        if name not in BACKENDS:
            raise ArgumentError(f"backend={name!r} is not known; take one of {BACKENDS}.")
        with _lock:
            self._before = _standing()
            self._setting = _default = _Setting(name)
        self._token: Token[str | None] | None = None

    def __enter__(self) -> None:
        """Confine the setting to the block."""
        # Another thread may have built on the setting by now: it is withdrawn, not overwritten.
        self._setting.instead = self._before
        self._token = _within.set(self._setting.name)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Return to the setting before the block."""
        assert self._token is not None
        _within.reset(self._token)


@contextmanager
def running_on(name: str) -> Iterator[None]:
    """Run on the backend that `current_backend` once told, in the block and this thread only."""
    token = _within.set(name)
    try:
        yield
    finally:
        _within.reset(token)


def current_backend() -> str:
    """Return the name that `use_backend` set, here and now."""
    return _within.get() or _standing().name


def _standing() -> _Setting:
    setting = _default
    while setting.instead is not None:
        setting = setting.instead
    return setting


def choose(cell: SteppedCell, steps: Steps) -> Run:
    """Return the function that runs `cell`.

    Raises `BackendError` when the backend that was asked for by name cannot.
    """
    if torch.compiler.is_compiling():
        assert steps.window is None, "a graph cannot be cut off: the layer leaves it to Python"
        if not native:
            return eager.run
        from recurra.backends import operator  # torch.compile's parts are slow to import

        return operator.run
    strange = odd(cell, steps)
    if records.is_recording():
        return records.run
    name = current_backend()
    loop = run_odd if strange else eager.run if steps.window is None else window.run
    if name == "eager":
        return loop
    if name != "torch":
        prepared = strange or native_or_reason(cell, steps)
        if isinstance(prepared, Prepared) and (
            name == "native" or left_to_the_loop(prepared, cell, steps) is None
        ):
            return partial(native.run_cell, prepared)
        if name == "native":
            raise BackendError(f"the backend 'native' cannot run this: {prepared}. Use 'auto'.")
    why = strange or kernels.refusal(cell, steps)
    if why is None:
        return kernels.run
    if name == "torch":
        raise BackendError(f"the backend 'torch' cannot run this: {why}. Use 'auto' or 'eager'.")
    return loop


def run_odd(cell: SteppedCell, steps: Steps) -> tuple[Tensor, State]:
    """Run the loop over a tensor that has operations of its own, which may know the loop's."""
    loop = eager.run if steps.window is None else window.run
    try:
        return loop(cell, steps)
    except RecurraError:
        raise
    except (RuntimeError, TypeError, AssertionError) as error:  # NotImplementedError is the first
        raise BackendError(f"{odd(cell, steps)}, and the loop fails: {error}") from error


def native_or_reason(cell: SteppedCell, steps: Steps) -> Prepared | str:
    """Return the cell's program for the machine, or why the machine cannot run it."""
    if not native:
        _say_once_that_there_is_no_core()
        return "Recurra was installed without its compiled core"
    return obstacle(cell, steps) or prepare(cell, steps.x.dtype)


def left_to_the_loop(prepared: Prepared, cell: SteppedCell, steps: Steps) -> str | None:
    """Return why the loop runs a cell that the machine could run, None where it does not.

    Gradients that are cut off go through the loop several times, so there the machine is faster.
    """
    if steps.window is not None:
        return None
    tensors = (steps.x, *steps.state, *cell.parameters())  # type: ignore[attr-defined]
    gradients = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    return prepared.faster_loop(gradients, gradients and steps.x.requires_grad)


class Steppers(Protocol):
    """What pushes a stack of cells along a stream."""

    def hold(self, steps: int) -> bool:
        """Return whether nothing has changed since, as far as a push of `steps` looks."""
        ...

    def push(self, x: Tensor) -> Tensor:
        """Return the outputs for x: (B, O) for one step (B, I), (T, B, O) for (T, B, I), T > 0."""
        ...


def steppers(
    cells: Sequence[SteppedCell], states: Sequence[Sequence[Tensor]], places: Sequence[Place]
) -> Steppers | None:
    """Return what pushes `cells` and their states, or None where only calls will do.

    states: each cell's, each (B, size), contiguous; every push reads and writes them.
    places: what the cells were found by, whose change ends the steppers.
    """
    return stepping.steppers(cells, states, places) if native else None


def steppers_may_run() -> bool:
    """Return whether a call, here and now, would come to the machine."""
    return (
        not torch._C._len_torch_dispatch_stack()
        and torch._C._get_tracing_state() is None
        and not (torch._C._is_any_autocast_enabled() and torch.is_autocast_enabled("cpu"))
        and current_backend() in ("auto", "native")
        and not records.is_recording()
    )


@cache
def _say_once_that_there_is_no_core() -> None:
    warnings.warn(
        "Recurra was installed without its compiled core, which a C++ compiler builds: "
        "cells run as loops in torch, right but slower.",
        RecurraWarning,
        stacklevel=2,
    )
