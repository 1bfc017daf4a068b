"""Tensors whose first axis is not the batch: what all rows give together, and the batch second.

Neither can be written into a program, but code may hold them for a while: a condition is asked
for, and attention takes its sequences first. They are refused when more is done with them, with
the reason that is true then.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from recurra.program.trace_refusal import refusal
from recurra.program.trace_steps import Leaves
from recurra.program.trace_symbol import BatchSize, Row, Symbol, flat, replace
from recurra.program.trace_table import H, functions, name_of


class Whole(Symbol):
    """One number of all rows together; `why` says what it is."""

    why: str


class Turned(Symbol):
    """A row with the batch axis second: (n, B, ...) where the row is (B, n, ...)."""

    row: Row


def whole_of(recorder: Leaves, why: str) -> Whole:
    """Return a symbol for one number of all rows."""
    symbol: Whole = Tensor._make_subclass(Whole, recorder.base, True)
    symbol.recorder, symbol.why = recorder, why
    return symbol


def turned(recorder: Leaves, row: Row) -> Turned:
    """Return a row with its batch axis put second."""
    symbol: Turned = Tensor._make_subclass(Turned, recorder.base, True)
    symbol.recorder, symbol.row = recorder, row
    return symbol


DERIVATIVE = " is not traced; write the derivative itself, or a torch.autograd.Function"

# What records a call on turned rows, by the function that was called.
TURNED: dict[Any, Callable[..., Any]] = {}


def on_turned(*names: str) -> Callable[[H], H]:
    """Register what records torch's functions and methods of these names on turned rows."""

    def register(handler: H) -> H:
        for name in names:
            TURNED.update(dict.fromkeys(functions(name), handler))
        return handler

    return register


def call_elsewhere(
    rec: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], name: str, reads: Any
) -> Any:
    """Record or refuse a call with such tensors among its arguments."""
    given = flat((*args, *kwargs.values()))
    whole = next((a for a in given if isinstance(a, Whole)), None)
    if whole is None:
        if func in TURNED:
            result = TURNED[func](rec, *args, **kwargs)
            return result if torch.is_grad_enabled() else replace(result, _detached)
        raise refusal(
            f"{name_of(func)} of a tensor whose batch axis is not its first; keep the batch first"
        )
    if func is torch.autograd.grad:
        raise refusal(f"torch.autograd.grad inside the cell{DERIVATIVE}")
    if name in reads:
        raise refusal(f"{reads[name][0]} cannot be traced ({whole.why}){reads[name][1]}")
    if name == "__get__" and func.__self__.__name__ in ("shape", "dtype", "device", "ndim"):
        return func(torch.empty((), dtype=rec.dtype, device=rec.device))
    if any(isinstance(a, Row | BatchSize | Turned) for a in given):
        raise refusal(f"{whole.why}; name the dims of one row's features")
    return whole


def _detached(value: Any) -> Any:
    if isinstance(value, Turned):
        return turned(value.recorder, value.row.detach())  # type: ignore[arg-type]
    return value.detach() if isinstance(value, Row) else value


@on_turned("transpose", "swapaxes", "swapdims")
def transpose(rec: Any, x: Turned, dim0: int, dim1: int) -> Row:
    """Return the row as it was."""
    rank = len(x.row.trailing) + 1
    if {dim0 % rank, dim1 % rank} != {0, 1}:
        raise refusal("a transpose of a tensor whose batch axis is not its first")
    return x.row


@on_turned("squeeze")
def squeeze(rec: Any, x: Turned, dim: Any = None) -> Any:
    """Return a row without its axis of size 1 before the batch."""
    if dim != 0 or x.row.trailing[0] != 1:
        raise refusal("squeeze of a tensor whose batch axis is not its first")
    return x.row.squeeze(1)


@on_turned("__getitem__", "select")
def select(rec: Any, x: Turned, *index: Any) -> Any:
    """Return one position of the axis before the batch."""
    *dim, at = index
    if (dim and dim[0] != 0) or not isinstance(at, int):
        raise refusal("an index of a tensor whose batch axis is not its first")
    return x.row[:, at]


@on_turned("contiguous")
def unchanged(rec: Any, x: Turned, **_: Any) -> Turned:
    """Return the same features."""
    return turned(rec, x.row.contiguous())  # type: ignore[arg-type]


@on_turned("shape", "size")
def size(rec: Any, x: Turned, dim: int | None = None) -> Any:
    """Return the shape, or one of its sizes."""
    n, *others = x.row.trailing
    shape = torch.Size((n, rec.batch, *others))
    return shape if dim is None else shape[dim]


@on_turned("dim", "ndim")
def dim(rec: Any, x: Turned) -> int:
    """Return the number of dimensions."""
    return len(x.row.trailing) + 1


def _same(name: str) -> Any:
    return lambda rec, x: getattr(x.row, name)


for _name in ("dtype", "device", "requires_grad", "is_cpu", "is_nested", "is_cuda"):
    on_turned(_name)(_same(_name))
