"""One loop over time: any cell, its state, lengths, resets and direction."""

from collections.abc import Callable, Iterator, Sized
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch.utils.checkpoint import checkpoint as rerun_in_backward

from recurra.backends import (
    State,
    Steps,
    check_dense,
    check_range,
    choose,
    current_backend,
    running_on,
)
from recurra.cells.cell import Cell
from recurra.errors import BackendError, RecurraError, ShapeError
from recurra.program.window import Window


def recur(
    cell: Cell,
    x: Tensor,
    state: State,
    *,
    lengths: Tensor | None = None,
    reset: Tensor | None = None,
    fresh: State | None = None,
    reverse: bool = False,
    checkpoint: int | None = None,
    window: Window | None = None,
    clip_states: float | None = None,
) -> tuple[Tensor, State]:
    """Run `cell` over time in one direction, on the backend that suits it.

    Args:
        cell: the equations of a step.
        x: (T, B, I).
        state: each (B, size), in the cell's order.
        lengths: (B,) whole numbers from 0 to T, as `check_lengths` returns them.
        reset: (T, B) bool; where true, a border lies between steps t - 1 and t, which no state
            crosses: going forward the row restarts before t, going backward before t - 1.
        fresh: each (B, size), the state a row restarts from; zeros if None.
        reverse: run from each row's own end to its beginning.
        checkpoint: steps of a segment that is run again in the backward pass instead of keeping
            what it needs; None keeps everything.
        window, clip_states: as `Steps` has them.

    Returns the outputs (T, B, O), zero past each row's end, and each row's last state.
    """
    restart = None
    T, B, _ = x.shape[-3:]
    if reset is not None:
        if lengths is not None:  # a border in the padding is none: the row has ended
            time = torch.arange(T, device=x.device).unsqueeze(1)
            reset = reset & (time < lengths)
        restart = torch.cat([reset[1:], reset.new_zeros(1, B)]) if reverse else reset
        fresh = tuple(torch.zeros_like(s) for s in state) if fresh is None else fresh
    steps = Steps(x, state, lengths, restart, fresh or (), reverse, window, clip_states)
    transformed = torch._C._functorch.peek_interpreter_stack() is not None
    if transformed and window is not None:
        raise BackendError(
            "truncate= cuts gradients, which torch.func's transforms cannot do: use "
            "torch.autograd, or build the layer without truncate=."
        )
    # torch's own checkpoints know no transforms of torch.func, whose gradients are the same anyway.
    if checkpoint is None or checkpoint >= T or not torch.is_grad_enabled() or transformed:
        return _run(cell, steps)
    return _run_in_segments(cell, steps, checkpoint)


def _run_in_segments(cell: Cell, steps: Steps, size: int) -> tuple[Tensor, State]:
    """Run segment after segment; only the states between them are kept for the backward pass."""
    xs = torch.split(steps.x, size)  # one node of the graph, where slices would make one each
    restarts = [None] * len(xs) if steps.restart is None else torch.split(steps.restart, size)
    outputs = [xs[0]] * len(xs)
    state = steps.state
    order = range(len(xs))
    for i in reversed(order) if steps.reverse else order:
        lengths = steps.lengths
        if lengths is not None:
            lengths = (lengths - i * size).clamp(0, xs[i].shape[0])
        part = replace(steps, x=xs[i], state=state, lengths=lengths, restart=restarts[i])
        options: dict[str, Any] = {}
        if steps.x.device.type == "cpu" and not torch.compiler.is_compiling():
            options = {"context_fn": _same_again, "preserve_rng_state": False}
        outputs[i], state = rerun_in_backward(
            _run_segment, cell, part, *part.state, use_reentrant=False, **options
        )
    return torch.cat(outputs), state


def _run_segment(cell: Cell, part: Steps, *state: Tensor) -> tuple[Tensor, State]:
    return _run(cell, replace(part, state=state))


def _same_again() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Return contexts of a segment's run and of its runs in the backward pass, which are the same.

    Random numbers are set back only where the segment has drawn some: another thread that draws
    meanwhile would get its own twice.
    """
    backend = current_backend()
    drawn: list[Tensor] = []

    @contextmanager
    def first() -> Iterator[None]:
        before = torch.get_rng_state()
        yield
        if not torch.equal(before, torch.get_rng_state()):
            drawn.append(before)

    @contextmanager
    def again() -> Iterator[None]:
        with running_on(backend), temporarily_clear_interpreter_stack(), ExitStack() as stack:
            if drawn:
                stack.enter_context(torch.random.fork_rng(devices=[]))
                torch.set_rng_state(drawn[0])
            yield

    return first(), _Reusable(again)


class _Reusable(AbstractContextManager[None]):
    """A context that is entered anew by every backward pass through one graph."""

    def __init__(self, make: Callable[[], AbstractContextManager[None]]) -> None:
        self._make = make
        self._entered: list[AbstractContextManager[None]] = []

    def __enter__(self) -> None:
        self._entered.append(self._make())
        self._entered[-1].__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        return self._entered.pop().__exit__(*error)


def _run(cell: Cell, steps: Steps) -> tuple[Tensor, State]:
    """Run the cell on the backend that suits it; errors from within our own cells are explained."""
    transformed = torch._C._functorch.peek_interpreter_stack() is not None
    if torch.compiler.is_compiling() or transformed:
        return choose(cell, steps)(cell, steps)
    try:
        return choose(cell, steps)(cell, steps)
    except RecurraError:
        raise
    except (RuntimeError, TypeError) as error:  # NotImplementedError is a RuntimeError
        home = type(cell).__module__  # what a user's own cell raises, the user should see
        if not home.startswith("recurra.cells.") or home == "recurra.cells.foreign":
            raise
        if "alloc" in str(error):  # memory is short
            raise
        shapes = ", ".join(f"{name} {_shape(w)}" for name, w in cell.named_parameters())
        raise ShapeError(
            f"{type(cell).__name__}({cell.input_size}, ...) cannot compute with the weights that "
            f"it has now ({shapes}): {error}"
        ) from error


def _shape(tensor: Tensor) -> str:
    return "nested" if tensor.is_nested else str(tuple(tensor.shape))


def check_lengths(lengths: object, T: int, B: int, device: torch.device) -> Tensor:
    """Return `lengths` as (B,) int64 on `device`.

    Raises `ShapeError` unless they are whole numbers from 0 to T, one for each row.
    """
    if not isinstance(lengths, Tensor):
        try:
            none = isinstance(lengths, Sized) and len(lengths) == 0
            lengths = torch.as_tensor(lengths, dtype=torch.int64 if none else None)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ShapeError(f"lengths must be whole numbers, got {lengths!r}.") from error
    check_dense("lengths", lengths)
    if lengths.dtype not in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        raise ShapeError(f"lengths must be whole numbers, got {lengths.dtype}.")
    if lengths.shape != (B,):
        raise ShapeError(
            f"lengths must be of ({B},), one for each row, got {tuple(lengths.shape)}."
        )
    if not torch.compiler.is_compiling():  # a graph's operation looks when it runs
        try:
            check_range(lengths, T)
        except ShapeError:
            raise
        except RuntimeError as error:  # those of meta and fake tensors
            raise ShapeError(f"the numbers in lengths cannot be read: {error}") from error
    return lengths.to(device=device, dtype=torch.int64)


def check_reset(
    reset: object, T: int, B: int, device: torch.device, batch_first: bool = False
) -> Tensor:
    """Return `reset` as (T, B) on `device`.

    Raises `ShapeError` unless it is a bool tensor of (T, B), or of (B, T) with `batch_first`.
    """
    if isinstance(reset, Tensor):
        check_dense("reset", reset)
    axes, wanted = ("(B, T)", (B, T)) if batch_first else ("(T, B)", (T, B))
    if not isinstance(reset, Tensor) or reset.dtype != torch.bool or reset.shape != wanted:
        got = f"{reset.dtype} of {tuple(reset.shape)}" if isinstance(reset, Tensor) else repr(reset)
        raise ShapeError(f"reset must be a bool tensor of {axes} = {wanted}, got {got}.")
    if reset.is_meta and device.type != "meta":
        raise ShapeError(f"reset is on meta, where it has no values, but x is on {device}.")
    return (reset.t() if batch_first else reset).to(device)


def same_dtype(a: Tensor, b: Tensor) -> bool:
    """Return whether `a` and `b` can be computed with: of one dtype, or under autocast."""
    if a.dtype == b.dtype:
        return True
    floating = a.is_floating_point() and b.is_floating_point()
    return floating and torch._C._is_any_autocast_enabled()
