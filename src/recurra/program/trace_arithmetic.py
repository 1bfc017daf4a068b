"""Recording arithmetic, comparisons and choices, feature by feature."""

from typing import Any

import torch
from torch import Tensor

from recurra.program.trace_recorder import Recorder
from recurra.program.trace_refusal import refusal
from recurra.program.trace_symbol import Leaf, Row
from recurra.program.trace_table import Handler, records

_UNARY = {
    "neg": "neg negative",
    "abs": "abs absolute",
    "sign": "sign sgn",
    "exp": "exp",
    "expm1": "expm1",
    "log": "log",
    "log1p": "log1p",
    "sqrt": "sqrt",
    "rsqrt": "rsqrt",
    "reciprocal": "reciprocal",
    "exp2": "exp2",
    "log2": "log2",
    "log10": "log10",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "asin arcsin",
    "acos": "acos arccos",
    "atan": "atan arctan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "asinh": "asinh arcsinh",
    "acosh": "acosh arccosh",
    "atanh": "atanh arctanh",
    "floor": "floor",
    "ceil": "ceil",
    "trunc": "trunc fix",
    "sigmoid": "sigmoid expit",
    "erf": "erf",
}
_BINARY = {
    "maximum": "maximum",
    "minimum": "minimum",
    "fmod": "fmod",
    "remainder": "remainder __mod__",
    "atan2": "atan2 arctan2",
    "logaddexp": "logaddexp",
    "gt": "gt greater __gt__",
    "ge": "ge greater_equal __ge__",
    "lt": "lt less __lt__",
    "le": "le less_equal __le__",
    "eq": "eq __eq__",
    "ne": "ne not_equal __ne__",
}


def unary(op: str) -> Handler:
    """Return what records an op of one operand."""
    return lambda rec, x: rec.pointwise(op, x)


def binary(op: str) -> Handler:
    """Return what records an op of two operands."""
    return lambda rec, a, b: rec.pointwise(op, a, b)


for _op, _names in _UNARY.items():
    records(*_names.split())(unary(_op))
for _op, _names in _BINARY.items():
    records(*_names.split())(binary(_op))


def scaled(rec: Recorder, x: Any, alpha: Any) -> Any:
    """Return alpha·x."""
    return x if alpha == 1 else rec.pointwise("mul", x, alpha) if isinstance(x, Row) else x * alpha


@records("add", "__add__", "__radd__")
def add(rec: Recorder, a: Any, b: Any, *, alpha: Any = 1) -> Row:
    """Record a + alpha·b."""
    return rec.pointwise("add", a, scaled(rec, b, alpha))


@records("sub", "subtract", "__sub__")
def sub(rec: Recorder, a: Any, b: Any, *, alpha: Any = 1) -> Row:
    """Record a - alpha·b."""
    return rec.pointwise("sub", a, scaled(rec, b, alpha))


@records("rsub", "__rsub__")
def rsub(rec: Recorder, a: Any, b: Any, *, alpha: Any = 1) -> Row:
    """Record b - alpha·a."""
    return rec.pointwise("sub", b, scaled(rec, a, alpha))


@records("mul", "multiply", "__mul__", "__rmul__")
def mul(rec: Recorder, a: Any, b: Any) -> Row:
    """Record a·b."""
    return rec.pointwise("mul", a, b)


@records("div", "divide", "true_divide", "__div__", "__truediv__")
def div(rec: Recorder, a: Any, b: Any, *, rounding_mode: str | None = None) -> Row:
    """Record a / b."""
    if rounding_mode == "floor":
        return floor_divide(rec, a, b)
    quotient = rec.pointwise("div", a, b)
    return quotient if rounding_mode is None else rec.pointwise("trunc", quotient)


@records("floor_divide", "__floordiv__")
def floor_divide(rec: Recorder, a: Any, b: Any) -> Row:
    """Record the whole number of times b goes into a, downwards: exact, as torch has it."""
    a, b = (v.detach() if isinstance(v, Tensor) else v for v in (a, b))
    rest: Any = rec.pointwise("fmod", a, b)
    times: Any = rec.pointwise("div", rec.pointwise("sub", a, rest), b)
    over = (rest != 0) & rec.pointwise("ne", rest < 0, b < 0)
    times = rec.pointwise("where", over, times - 1, times)
    whole: Any = rec.pointwise("floor", times)
    whole = rec.pointwise("where", times - whole > 0.5, whole + 1, whole)
    if not isinstance(b, Tensor):
        return whole if b != 0 else rec.pointwise("div", a, b)
    return rec.pointwise("where", b == 0, rec.pointwise("div", a, b), whole)


@records("__rfloordiv__")
def rfloor_divide(rec: Recorder, a: Any, b: Any) -> Row:
    """Record the whole number of times a goes into b."""
    return floor_divide(rec, b, a)


@records("__rmod__")
def rmod(rec: Recorder, a: Any, b: Any) -> Row:
    """Record what a division of b by a leaves."""
    return rec.pointwise("remainder", b, a)


@records("round")
def rounded(rec: Recorder, x: Any, *, decimals: int = 0) -> Row:
    """Record the nearest whole number, halves to the even one; or so of a digit's."""
    if decimals == 0:
        return rec.pointwise("round", x)
    scale = 10.0 ** abs(decimals)
    up, down = ("mul", "div") if decimals > 0 else ("div", "mul")
    return rec.pointwise(down, rec.pointwise("round", rec.pointwise(up, x, scale)), scale)


@records("frac")
def frac(rec: Recorder, x: Any) -> Row:
    """Record x without its whole number."""
    return rec.pointwise("sub", x, rec.pointwise("trunc", x))


@records("__rdiv__", "__rtruediv__")
def rdiv(rec: Recorder, a: Any, b: Any) -> Row:
    """Record b / a."""
    return rec.pointwise("div", b, a)


@records("float_power")
def float_power(rec: Recorder, a: Any, b: Any) -> Row:
    """Record a to the power of b where torch computes it in the program's own dtype, float64."""
    if rec.dtype != torch.float64:
        raise refusal("torch.float_power computes in float64; write torch.pow")
    return power(rec, a, b)


@records("pow", "__pow__")
def power(rec: Recorder, a: Any, b: Any) -> Row:
    """Record a to the power of b."""
    if isinstance(b, int | float) and not isinstance(b, bool):
        if b == 2:
            return rec.pointwise("mul", a, a)
        if b == 1:
            return rec.pointwise("mul", a, 1)
        if b == 3:
            return rec.pointwise("mul", rec.pointwise("mul", a, a), a)
        if b == 0.5:
            return rec.pointwise("sqrt", a)
        if b == -1:
            return rec.pointwise("reciprocal", a)
    return rec.pointwise("pow", a, b)


@records("__rpow__")
def rpow(rec: Recorder, a: Any, b: Any) -> Row:
    """Record b to the power of a."""
    return rec.pointwise("pow", b, a)


@records("square")
def square(rec: Recorder, x: Any) -> Row:
    """Record x²."""
    return rec.pointwise("mul", x, x)


@records("positive", "__pos__")
def positive(rec: Recorder, x: Any) -> Row:
    """Return x itself."""
    return rec.row(x.trailing, x.value, x.kind)


@records("where")
def where(rec: Recorder, condition: Any, a: Any, b: Any) -> Row:
    """Record a where the condition holds, b elsewhere."""
    kind = condition.meta.dtype if isinstance(condition, Leaf) else None
    if isinstance(condition, Row):
        kind = condition.kind
    elif isinstance(condition, Tensor) and kind is None:
        kind = condition.dtype
    if kind is not torch.bool:
        raise refusal(f"torch.where with a condition of {kind}")
    return rec.pointwise("where", condition, a, b)


@records("masked_fill")
def masked_fill(rec: Recorder, x: Any, mask: Any, value: Any) -> Row:
    """Record the value where the mask holds, x elsewhere."""
    return where(rec, mask, value, x)


def bounded(rec: Recorder, x: Any, bound: Any, op: str) -> Any:
    """Return x, with `bound` in its place where `op` (lt or gt) says that x is beyond it."""
    if bound is None:
        return x
    beyond = rec.pointwise(op, x, bound)
    if isinstance(bound, Tensor):  # NaN bounds give NaN
        beyond = rec.pointwise("maximum", beyond, bound != bound)
    return rec.pointwise("where", beyond, bound, x)


@records("clamp", "clip", "clamp_min", "clamp_max")
def clamp(rec: Recorder, x: Any, min: Any = None, max: Any = None) -> Row:
    """Record x held between two bounds; gradients pass where x is not beyond them."""
    result: Row = bounded(rec, bounded(rec, x, min, "lt"), max, "gt")
    return result


@records("clamp_max")
def clamp_max(rec: Recorder, x: Any, max: Any) -> Row:
    """Record x held below a bound."""
    return clamp(rec, x, None, max)


@records("lerp")
def lerp(rec: Recorder, start: Any, end: Any, weight: Any) -> Row:
    """Record the way from start to end, from the nearer one, as torch does: weight 1 is end."""
    if isinstance(weight, Tensor):
        near = abs(weight) < 0.5
        origin = rec.pointwise("where", near, start, end)
        weight = torch.where(near, weight, weight - 1)
    else:
        origin, weight = (start, weight) if abs(weight) < 0.5 else (end, weight - 1)
    return rec.pointwise("add", origin, weight * (end - start))


@records("addcmul")
def addcmul(rec: Recorder, x: Any, a: Any, b: Any, *, value: Any = 1) -> Row:
    """Record x + value·a·b."""
    return add(rec, x, a * b, alpha=value)


@records("addcdiv")
def addcdiv(rec: Recorder, x: Any, a: Any, b: Any, *, value: Any = 1) -> Row:
    """Record x + value·a/b."""
    return add(rec, x, a / b, alpha=value)
