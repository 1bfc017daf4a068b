"""Traces `torch.autograd.Function`: its forward for the values, its backward for the gradients."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd import function as autograd

from recurra.program.program import Instruction, Value
from recurra.program.trace_refusal import refusal
from recurra.program.trace_symbol import Leaf, Row, Symbol, replace
from recurra.program.trace_writer import count

if TYPE_CHECKING:
    from recurra.program.trace_recorder import Recorder


class Running(threading.local):
    """The recorder of the trace that runs in this thread."""

    recorder: "Recorder | None" = None


RUNNING = Running()
_SHARED: Any = autograd._SingleLevelFunction
_LOCK = threading.Lock()
_uses = 0


@contextmanager
def watched(recorder: "Recorder") -> Iterator[None]:
    """Have `Function.apply`, called in this thread on symbols, come to the recorder.

    All classes of Functions call the `apply` of one class of torch's. It is the only place that
    also sees an `apply` that was taken from its class before.
    """
    global _uses
    before, RUNNING.recorder = RUNNING.recorder, recorder
    with _LOCK:
        _uses += 1
        _SHARED.apply = classmethod(_apply)
    try:
        yield
    finally:
        RUNNING.recorder = before
        with _LOCK:
            _uses -= 1
            if not _uses:
                del _SHARED.apply


def _apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
    recorder = RUNNING.recorder
    kinds = {type(arg) for arg in args}
    if recorder is not None and Row in kinds:
        watch = sys.getprofile()  # of the cell's own code, which what follows is not
        with profiled(None):
            return applied(recorder, cls, args, watch)
    if recorder is not None and Leaf in kinds:
        # On tensors without numbers, unseen by the trace: it is called anew at every call.
        with torch._C.DisableTorchFunction(), profiled(None):
            return recorder.on_leaves(cls.apply, args, kwargs)
    return super(_SHARED, cls).apply(*args, **kwargs)


class Context:
    """What stands for the `ctx` of a Function while its forward and backward are recorded."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.saved_tensors: tuple[Any, ...] = ()
        self.materialize_grads = True
        self.non_differentiable: tuple[Any, ...] = ()

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """Return the saved tensors, by their old name."""
        return self.saved_tensors

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors."""
        self.saved_tensors = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Do nothing: forward-mode derivatives go to the loop."""

    def mark_dirty(self, *tensors: Any) -> None:
        """Refuse a Function that writes into what it is given."""
        raise refusal("a torch.autograd.Function that writes into its inputs; return a new tensor")

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Note which results have no gradient."""
        self.non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Note what stands for a gradient that does not arrive; it is never asked for."""


@contextmanager
def profiled(look: Any) -> Iterator[None]:
    """Have what runs in this thread looked at by another, or by none."""
    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(before)


def applied(rec: "Recorder", cls: Any, args: tuple[Any, ...], watch: Any = None) -> Any:
    """Record a Function: its result is what its forward gives, its gradient what its backward."""
    foreign = [isinstance(a, Tensor) and not isinstance(a, Symbol) for a in args]
    args = tuple(rec.lift(a) if other else a for a, other in zip(args, foreign, strict=True))
    needs = tuple(
        a.kind.is_floating_point
        if isinstance(a, Row)
        else isinstance(a, Leaf) and a.meta.requires_grad
        for a in args
    )
    ctx = Context(needs)
    gradients = torch.is_grad_enabled()
    with torch.enable_grad(), profiled(watch):
        if cls.setup_context is not _SHARED.setup_context:
            result = cls.forward(*args)
            cls.setup_context(ctx, args, result)
        else:
            result = cls.forward(ctx, *args)
    many = isinstance(result, tuple | list)
    results = list(result) if many else [result]
    open_ends = [
        k
        for k, r in enumerate(results)
        if isinstance(r, Row)
        and r.kind is rec.dtype
        and not any(r is other for other in ctx.non_differentiable)
    ]
    if len(open_ends) > 1:
        raise refusal(
            f"{cls.__name__} gives {len(open_ends)} tensors with gradients; a program knows "
            "torch.autograd.Functions of one result"
        )
    for k, r in enumerate(results):
        if not isinstance(r, Row):
            raise refusal(f"{cls.__name__} gives a tensor that is the same for all rows")
        fresh = rec.row(r.trailing, r.value, r.kind)
        if k in open_ends and gradients:
            results[k] = with_backward(rec, cls, ctx, args, r, k, len(results), watch)
        elif rec.builder.values[r.value].rows:
            results[k] = fresh.detach()
    return type(result)(results) if many else results[0]


def with_backward(
    rec: "Recorder",
    cls: Any,
    ctx: Context,
    args: tuple[Any, ...],
    y: Row,
    which: int,
    of: int,
    watch: Any,
) -> Row:
    """Return a result of a Function with the gradients that its backward gives."""
    size, value = count(y.trailing), rec.materialise(y)
    hold_constant(ctx, args, y)
    arriving = rec.builder.add(Value((size,), "result", True))
    number = sum(i.op == "arriving" for i in rec.builder.instructions)
    named = (("number", number), ("size", size))
    rec.builder.instructions.append(Instruction("arriving", (), arriving, named))
    d = rec.row(y.trailing, arriving, y.kind)
    others = torch.zeros_like(y) if ctx.materialize_grads else None
    with torch.set_grad_enabled(not once_only(cls)), profiled(watch):
        given = cls.backward(ctx, *(d if k == which else others for k in range(of)))
    given = given if isinstance(given, tuple | list) else (given,)
    if len(given) < len(args) or any(g is not None for g in given[len(args) :]):
        raise refusal(f"{cls.__name__}.backward gives {len(given)} gradients of {len(args)} inputs")
    operands, results = [], []
    for x, dx in zip(args, given, strict=False):
        if dx is None or not isinstance(x, Row | Leaf):
            continue
        if isinstance(x, Leaf):
            if x.meta.requires_grad:
                raise refusal(f"{cls.__name__}.backward gives the gradient of a parameter")
            continue
        if not isinstance(dx, Row) or dx.trailing != x.trailing:
            raise refusal(f"{cls.__name__}.backward gives no gradient of the shape of its input")
        operands.append(rec.materialise(x))
        results.append(rec.materialise(dx))
    inputs = (value, *operands, arriving, *results)
    return rec.row(y.trailing, rec.emit("own_backward", inputs, size), y.kind)


def once_only(cls: Any) -> bool:
    """Return whether a Function's backward is marked `once_differentiable`."""
    code = getattr(cls.backward, "__code__", None)
    return code is not None and code.co_filename == autograd.__file__


def hold_constant(ctx: Context, args: tuple[Any, ...], y: Row) -> None:
    """Cut the gradients of what forward kept: to torch all but inputs and results are numbers."""
    free = [*(a for a in args if isinstance(a, Row)), y]

    def cut(value: Any) -> Any:
        if isinstance(value, Row) and not any(value is one for one in free):
            return value.detach()
        return value

    for name, value in vars(ctx).items():
        setattr(ctx, name, replace(value, cut))
