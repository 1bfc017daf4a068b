"""Recording sums, means, norms and the like over features."""

import math
from collections.abc import Sequence
from typing import Any

import torch

from recurra.program.trace_features import joined, part, permuted
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_refusal import OverAllRowsError, refusal
from recurra.program.trace_shapes import axis_of, cast, detach
from recurra.program.trace_symbol import Row
from recurra.program.trace_table import records
from recurra.program.trace_writer import count


def axes_of(x: Row, dim: Any) -> tuple[int, ...]:
    """Return the trailing axes that a reduction works along."""
    if dim is None or dim == () or dim == []:
        raise OverAllRowsError
    if isinstance(dim, bool):
        raise refusal("a reduction whose first argument is no dim; name the arguments")
    dims = dim if isinstance(dim, tuple | list) else (dim,)
    return tuple(sorted({axis_of(x, d) for d in dims}))


def reduced(rec: Recorder, op: str, x: Row, axes: Sequence[int], keepdim: bool) -> Row:
    """Return the sum or the largest of some axes."""
    kept = [k for k in range(len(x.trailing)) if k not in axes]
    small = tuple(
        1 if k in axes else n for k, n in enumerate(x.trailing) if keepdim or k not in axes
    )
    size = count([x.trailing[k] for k in kept])
    x = rec.row(x.trailing, rec.materialise(x), x.kind)
    if size == count(x.trailing):
        return rec.row(small, x.value, x.kind)
    # Neighbouring axes are reduced where they are; others are brought together, at the end.
    inner = count(x.trailing[axes[-1] + 1 :])
    if axes[-1] - axes[0] >= len(axes):
        x, inner = permuted(rec, x, [*kept, *axes]), 1
    sides = {} if inner == 1 else {"inner": inner}
    return rec.row(small, rec.emit(op, (x.value,), size, groups=size // inner, **sides), x.kind)


def floating(rec: Recorder, x: Row, dtype: torch.dtype | None) -> Row:
    """Return x as the program's dtype, refusing to sum what is not of floating point."""
    x = cast(rec, x, dtype)
    if x.kind is not rec.dtype:
        raise refusal(f"a sum of {x.kind} values; write x.to(h.dtype) first")
    return x


@records("sum")
def total(
    rec: Recorder, x: Row, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
    axis: Any = None,
) -> Row:  # fmt: skip
    """Record the sum of features."""
    dim = axis if dim is None else dim
    x = floating(rec, x, dtype)
    return reduced(rec, "sum", x, axes_of(x, dim), keepdim)


@records("mean")
def mean(
    rec: Recorder, x: Row, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
    axis: Any = None,
) -> Row:  # fmt: skip
    """Record the mean of features."""
    dim = axis if dim is None else dim
    x = floating(rec, x, dtype)
    axes = axes_of(x, dim)
    number = count([x.trailing[k] for k in axes])
    return rec.pointwise("div", reduced(rec, "sum", x, axes, keepdim), number)


@records("amax")
def amax(rec: Recorder, x: Row, dim: Any = None, keepdim: bool = False) -> Row:
    """Record the largest feature; its gradient is shared among those that tie."""
    return reduced(rec, "amax", x, axes_of(x, dim), keepdim)


@records("amin")
def amin(rec: Recorder, x: Row, dim: Any = None, keepdim: bool = False) -> Row:
    """Record the smallest feature."""
    turned = rec.pointwise("neg", floating(rec, x, None))
    return rec.pointwise("neg", amax(rec, turned, dim, keepdim))


@records("any")
def any_of(rec: Recorder, x: Row, dim: Any = None, keepdim: bool = False) -> Row:
    """Record whether any feature holds."""
    return amax(rec, cast(rec, x, torch.bool), dim, keepdim)


@records("all")
def all_of(rec: Recorder, x: Row, dim: Any = None, keepdim: bool = False) -> Row:
    """Record whether all features hold."""
    return rec.pointwise("eq", amax(rec, rec.pointwise("eq", x, 0), dim, keepdim), 0)


def safe_root(rec: Recorder, x: Row) -> Row:
    """Return √x, with no gradient at 0, as torch's norm and std have none."""
    zero = rec.pointwise("eq", x, 0)
    root = rec.pointwise("sqrt", rec.pointwise("where", zero, 1.0, x))
    return rec.pointwise("where", zero, 0.0, root)


@records("var")
def var(
    rec: Recorder, x: Row, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *,
    correction: Any = None, axis: Any = None,
) -> Row:  # fmt: skip
    """Record the variance of features; unbiased unless it is said otherwise."""
    dim = axis if dim is None else dim
    axes = axes_of(x, dim)
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    number = count([x.trailing[k] for k in axes])
    apart = rec.pointwise("sub", x, mean(rec, x, dim, True))
    squares = reduced(rec, "sum", rec.pointwise("mul", apart, apart), axes, keepdim)
    return rec.pointwise("div", squares, max(number - correction, 0))


@records("std")
def std(rec: Recorder, x: Row, *args: Any, **kwargs: Any) -> Row:
    """Record the standard deviation of features."""
    return safe_root(rec, var(rec, x, *args, **kwargs))


@records("norm")
def norm(
    rec: Recorder, x: Row, p: Any = 2, dim: Any = None, keepdim: bool = False, out: Any = None,
    dtype: Any = None,
) -> Row:  # fmt: skip
    """Record the norm of features: of order 2, 1 or infinity."""
    x = floating(rec, x, dtype)
    if p in (2, "fro", None):
        axes = axes_of(x, dim)
        return safe_root(rec, reduced(rec, "sum", rec.pointwise("mul", x, x), axes, keepdim))
    if p == 1:
        return reduced(rec, "sum", rec.pointwise("abs", x), axes_of(x, dim), keepdim)
    if p == math.inf:
        return reduced(rec, "amax", rec.pointwise("abs", x), axes_of(x, dim), keepdim)
    raise refusal(f"a norm of order {p}")


@records("vector_norm", "norm", spaces=(torch.linalg,))
def vector_norm(
    rec: Recorder, x: Row, ord: Any = 2, dim: Any = None, keepdim: bool = False, **others: Any
) -> Row:
    """Record the norm of a vector of features."""
    if isinstance(dim, tuple | list) and len(dim) > 1:
        raise refusal("a norm of a matrix")
    return norm(rec, x, ord, dim, keepdim, **others)


@records("normalize")
def normalize(
    rec: Recorder, x: Row, p: Any = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None
) -> Row:
    """Record x over its norm, or over eps where that is larger."""
    length: Any = norm(rec, x, p, dim, True)
    return rec.pointwise("div", x, length.clamp_min(eps))


def shifted(rec: Recorder, x: Row, dim: int) -> tuple[Row, Row]:
    """Return x less its largest feature, and that; the shift has no gradient, nor needs one."""
    top = detach(rec, amax(rec, x, dim, True))
    return rec.pointwise("sub", x, top), top


def dtype_of(third: Any, dtype: torch.dtype | None) -> torch.dtype | None:
    """Return the dtype asked for: torch's softmax takes it third, F's has something else there."""
    return third if isinstance(third, torch.dtype) else dtype


@records("softmax", "_softmax")
def softmax(rec: Recorder, x: Row, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Row:
    """Record exp(x) over the sum of exp(x)."""
    x = floating(rec, x, dtype_of(_stacklevel, dtype))
    powers = rec.pointwise("exp", shifted(rec, x, dim)[0])
    return rec.pointwise("div", powers, total(rec, powers, dim, True))


@records("softmin")
def softmin(rec: Recorder, x: Row, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Row:
    """Record the softmax of -x."""
    return softmax(rec, rec.pointwise("neg", x), dim, _stacklevel, dtype)


@records("log_softmax", "_log_softmax")
def log_softmax(
    rec: Recorder, x: Row, dim: Any = None, _stacklevel: int = 3, dtype: Any = None
) -> Row:
    """Record x less the logarithm of the sum of exp(x)."""
    low, _ = shifted(rec, floating(rec, x, dtype_of(_stacklevel, dtype)), dim)
    sums = total(rec, rec.pointwise("exp", low), dim, True)
    return rec.pointwise("sub", low, rec.pointwise("log", sums))


@records("logsumexp")
def logsumexp(rec: Recorder, x: Row, dim: Any, keepdim: bool = False) -> Row:
    """Record the logarithm of the sum of exp(x)."""
    top: Any = amax(rec, x, dim, True)
    top = detach(rec, rec.pointwise("where", abs(top) == math.inf, 0.0, top))
    sums = total(rec, rec.pointwise("exp", rec.pointwise("sub", x, top)), dim, keepdim)
    return rec.pointwise("add", rec.pointwise("log", sums), top.reshape(rec.batch, *sums.trailing))


def running(rec: Recorder, op: str, x: Row, dim: int) -> Row:
    """Return running results of an op, in log₂ n rounds that each take in what lies so far back."""
    axis = axis_of(x, dim)
    n, back = x.trailing[axis], 1
    while back < n:
        head = part(rec, x, axis, 0, back)
        tail = rec.pointwise(op, part(rec, x, axis, back, n), part(rec, x, axis, 0, n - back))
        x = joined(rec, [head, tail], axis)
        back *= 2
    return x


@records("cumsum")
def cumsum(rec: Recorder, x: Row, dim: int, *, dtype: Any = None) -> Row:
    """Record running sums."""
    return running(rec, "add", floating(rec, x, dtype), dim)


@records("cumprod")
def cumprod(rec: Recorder, x: Row, dim: int, *, dtype: Any = None) -> Row:
    """Record running products."""
    return running(rec, "mul", floating(rec, x, dtype), dim)
