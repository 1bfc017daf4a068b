"""Recording functions that are made of others, with torch's values and gradients."""

import math
from typing import Any

from torch import Tensor

from recurra.program.trace_arithmetic import clamp
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_refusal import refusal
from recurra.program.trace_symbol import Row
from recurra.program.trace_table import records


def plain(value: Any) -> Any:
    """Return a value without gradients."""
    return value.detach() if isinstance(value, Tensor) else value


@records("hypot")
def hypot(rec: Recorder, a: Any, b: Any) -> Any:
    """Record the root of a² + b², by way of its larger part so that no square overflows."""
    high: Any = rec.pointwise("maximum", abs(plain(a)), abs(plain(b)))
    high = rec.pointwise("where", (high > 0) & (high < math.inf), high, 1.0)
    a, b = rec.pointwise("div", a, high), rec.pointwise("div", b, high)
    squares: Any = rec.pointwise("add", a * a, b * b)
    return rec.pointwise("mul", rec.pointwise("sqrt", squares), high)


def negative(rec: Recorder, x: Any) -> Any:
    """Return whether x has a minus sign; -0 has one, NaN none."""
    x = plain(x)
    return (x < 0) | ((x == 0) & (rec.pointwise("reciprocal", x) < 0))


@records("signbit")
def signbit(rec: Recorder, x: Any) -> Any:
    """Record whether x has a minus sign."""
    return negative(rec, x)


@records("copysign")
def copysign(rec: Recorder, x: Any, y: Any) -> Any:
    """Record x with the sign of y."""
    size = abs(x)
    if isinstance(y, Row):
        return rec.pointwise("where", negative(rec, y), -size, size)
    if isinstance(y, Tensor):
        raise refusal("torch.copysign with the sign of a parameter")
    return size if math.copysign(1, y) > 0 else -size


@records("logit")
def logit(rec: Recorder, x: Any, eps: float | None = None) -> Any:
    """Record ln(x / (1 - x)), of x held between eps and 1 - eps."""
    x = x if eps is None else clamp(rec, x, eps, 1 - eps)
    return rec.pointwise("log", x / (1 - x))


def times_logarithm(rec: Recorder, op: str, x: Any, y: Any, zero: Any) -> Any:
    """Return x·op(y), and 0 without gradients where x is 0 and op(y) is not finite."""
    whole = zero | (y == math.inf)
    nothing = (plain(x) == 0) & whole
    safe = rec.pointwise("where", nothing, 1.0, y)
    return rec.pointwise("mul", x, rec.pointwise(op, safe))


@records("xlogy")
def xlogy(rec: Recorder, x: Any, y: Any) -> Any:
    """Record x·ln y, and 0 where x is 0."""
    if not isinstance(y, Row):
        return rec.pointwise("mul", x, y.log() if isinstance(y, Tensor) else math.log(y))
    return times_logarithm(rec, "log", x, y, plain(y) <= 0)


@records("xlog1py")
def xlog1py(rec: Recorder, x: Any, y: Any) -> Any:
    """Record x·ln(1 + y), and 0 where x is 0."""
    if not isinstance(y, Row):
        return rec.pointwise("mul", x, y.log1p() if isinstance(y, Tensor) else math.log1p(y))
    return times_logarithm(rec, "log1p", x, y, plain(y) <= -1)


@records("deg2rad")
def deg2rad(rec: Recorder, x: Any) -> Any:
    """Record degrees as radians."""
    return rec.pointwise("mul", x, math.pi / 180)


@records("rad2deg")
def rad2deg(rec: Recorder, x: Any) -> Any:
    """Record radians as degrees."""
    return rec.pointwise("mul", x, 180 / math.pi)


@records("sinc")
def sinc(rec: Recorder, x: Any) -> Any:
    """Record sin(πx) / (πx), and 1 at 0."""
    zero = x == 0
    z: Any = rec.pointwise("mul", rec.pointwise("where", zero, 1.0, x), math.pi)
    return rec.pointwise("where", zero, 1.0, rec.pointwise("sin", z) / z)


@records("logaddexp2")
def logaddexp2(rec: Recorder, a: Any, b: Any) -> Any:
    """Record the logarithm to base 2 of 2^a + 2^b."""
    two = math.log(2)
    return rec.pointwise("div", rec.pointwise("logaddexp", a * two, b * two), two)


@records("fmax")
def fmax(rec: Recorder, a: Any, b: Any) -> Any:
    """Record the larger of two, a where they are equal, the other one where one is NaN."""
    return rec.pointwise("where", (a >= b) | (b != b), a, b)


@records("fmin")
def fmin(rec: Recorder, a: Any, b: Any) -> Any:
    """Record the smaller of two, a where they are equal, the other one where one is NaN."""
    return rec.pointwise("where", (a <= b) | (b != b), a, b)


@records("heaviside")
def heaviside(rec: Recorder, x: Any, values: Any) -> Any:
    """Record 0 below 0, 1 above, and a value at 0."""
    x = plain(x)
    above = rec.pointwise("where", x > 0, 1.0, 0.0, kind=x.kind)
    return rec.pointwise("where", x == 0, plain(values), above)


@records("isposinf")
def isposinf(rec: Recorder, x: Any) -> Any:
    """Record whether x is infinite and above 0."""
    return rec.pointwise("eq", x, math.inf)


@records("isneginf")
def isneginf(rec: Recorder, x: Any) -> Any:
    """Record whether x is infinite and below 0."""
    return rec.pointwise("eq", x, -math.inf)
