"""Recording activations: each as its equation, with torch's values and gradients at the kinks.

Where a branch is not taken, its operand is replaced by 0 first, so that no gradient of 0 · inf
comes out of it.
"""

import math
from typing import Any

from recurra.program.trace_recorder import Recorder
from recurra.program.trace_refusal import refusal
from recurra.program.trace_symbol import Leaf, Row
from recurra.program.trace_table import records


def functional(inplace: bool) -> None:
    """Refuse an activation that overwrites its operand."""
    if inplace:
        raise refusal("inplace=True changes a tensor in place; leave it out")


@records("relu")
def relu(rec: Recorder, x: Any, inplace: bool = False) -> Row:
    """Record max(x, 0)."""
    functional(inplace)
    return rec.pointwise("relu", x)


@records("hardtanh")
def hardtanh(
    rec: Recorder, x: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Row:
    """Record x between two bounds, with no gradient on the bounds."""
    functional(inplace)
    below = rec.pointwise("le", x, min_val)
    above = rec.pointwise("ge", x, max_val)
    inside = rec.pointwise("where", above, max_val, x)
    return rec.pointwise("where", below, min_val, inside)


@records("relu6")
def relu6(rec: Recorder, x: Any, inplace: bool = False) -> Row:
    """Record x between 0 and 6."""
    return hardtanh(rec, x, 0.0, 6.0, inplace)


@records("hardsigmoid")
def hardsigmoid(rec: Recorder, x: Any, inplace: bool = False) -> Row:
    """Record (x + 3) / 6 between 0 and 1."""
    functional(inplace)
    return rec.pointwise("div", relu6(rec, x + 3), 6)


@records("hardswish")
def hardswish(rec: Recorder, x: Any, inplace: bool = False) -> Row:
    """Record x times the hard sigmoid of x."""
    functional(inplace)
    return rec.pointwise("div", x * relu6(rec, x + 3), 6)


@records("leaky_relu")
def leaky_relu(rec: Recorder, x: Any, negative_slope: float = 0.01, inplace: bool = False) -> Row:
    """Record x, times a slope where it is not above 0."""
    functional(inplace)
    return rec.pointwise("where", x > 0, x, x * negative_slope)


@records("rrelu")
def rrelu(
    rec: Recorder,
    x: Any,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Row:
    """Record the leaky ReLU of the mean slope; refuse slopes drawn at random."""
    if training:
        raise refusal("rrelu draws its slopes at random in training")
    return leaky_relu(rec, x, (lower + upper) / 2, inplace)


@records("prelu")
def prelu(rec: Recorder, x: Any, weight: Any) -> Row:
    """Record x, times a learned slope (one, or one per feature) where it is not above 0."""
    slope = weight
    if isinstance(weight, Leaf) and weight.meta.numel() > 1:
        slope = weight.reshape(-1, *[1] * (len(x.trailing) - 1))
    return rec.pointwise("where", x > 0, x, slope * x)


@records("threshold")
def threshold(rec: Recorder, x: Any, threshold: float, value: float, inplace: bool = False) -> Row:
    """Record x where it is above a threshold, a value elsewhere."""
    functional(inplace)
    return rec.pointwise("where", x <= threshold, value, x)


def exponential(rec: Recorder, x: Any, slope: float, scale: float, rate: float) -> Row:
    """Return slope·x above 0 (and at NaN) and scale·(exp(rate·x) - 1) elsewhere."""
    bends = x <= 0
    lower = rec.pointwise("where", bends, x, 0.0)
    bent = rec.pointwise("expm1", lower if rate == 1 else lower * rate) * scale
    return rec.pointwise("where", bends, bent, x if slope == 1 else x * slope)


@records("elu")
def elu(rec: Recorder, x: Any, alpha: float = 1.0, inplace: bool = False) -> Row:
    """Record x above 0 and alpha·(exp(x) - 1) elsewhere."""
    functional(inplace)
    return exponential(rec, x, 1.0, alpha, 1.0)


@records("selu")
def selu(rec: Recorder, x: Any, inplace: bool = False) -> Row:
    """Record the scaled ELU of self-normalising networks."""
    functional(inplace)
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return exponential(rec, x, scale, alpha * scale, 1.0)


@records("celu")
def celu(rec: Recorder, x: Any, alpha: float = 1.0, inplace: bool = False) -> Row:
    """Record x above 0 and alpha·(exp(x/alpha) - 1) elsewhere."""
    functional(inplace)
    return exponential(rec, x, 1.0, alpha, 1.0 / alpha)


@records("softplus")
def softplus(rec: Recorder, x: Any, beta: float = 1.0, threshold: float = 20.0) -> Row:
    """Record ln(1 + exp(beta·x)) / beta, and x itself where beta·x is above the threshold."""
    z = x if beta == 1 else x * beta
    large = z > threshold
    soft = rec.pointwise("log1p", rec.pointwise("exp", rec.pointwise("where", large, 0.0, z)))
    return rec.pointwise("where", large, x, soft if beta == 1 else soft / beta)


@records("logsigmoid")
def logsigmoid(rec: Recorder, x: Any) -> Row:
    """Record ln σ(x)."""
    tail: Any = rec.pointwise("log1p", rec.pointwise("exp", -abs(x)))
    return rec.pointwise("sub", rec.pointwise("minimum", x, 0), tail)


@records("gelu")
def gelu(rec: Recorder, x: Any, approximate: str = "none") -> Row:
    """Record x·Φ(x), exactly or with the tanh that comes near it."""
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
        return rec.pointwise("mul", 0.5 * x, 1 + rec.pointwise("tanh", inner))
    cdf = 1 + rec.pointwise("erf", x * math.sqrt(0.5))
    return rec.pointwise("mul", x * 0.5, cdf)


@records("silu")
def silu(rec: Recorder, x: Any, inplace: bool = False) -> Row:
    """Record x·σ(x)."""
    functional(inplace)
    return rec.pointwise("mul", x, rec.pointwise("sigmoid", x))


@records("mish")
def mish(rec: Recorder, x: Any, inplace: bool = False) -> Row:
    """Record x·tanh(softplus(x))."""
    functional(inplace)
    return rec.pointwise("mul", x, rec.pointwise("tanh", softplus(rec, x)))


@records("softsign")
def softsign(rec: Recorder, x: Any) -> Row:
    """Record x / (1 + |x|)."""
    return rec.pointwise("div", x, abs(x) + 1)


@records("tanhshrink")
def tanhshrink(rec: Recorder, x: Any) -> Row:
    """Record x - tanh(x)."""
    return rec.pointwise("sub", x, rec.pointwise("tanh", x))


@records("softshrink")
def softshrink(rec: Recorder, x: Any, lambd: float = 0.5) -> Row:
    """Record x moved towards 0 by lambd, at most to it."""
    lower = rec.pointwise("where", x < -lambd, x + lambd, x * 0)
    return rec.pointwise("where", x > lambd, x - lambd, lower)


@records("hardshrink")
def hardshrink(rec: Recorder, x: Any, lambd: float = 0.5) -> Row:
    """Record x where it is farther than lambd from 0, and 0 elsewhere."""
    near = (x >= -lambd) & (x <= lambd)
    return rec.pointwise("where", near, 0.0, x)


@records("glu")
def glu(rec: Recorder, x: Any, dim: int = -1) -> Row:
    """Record the first half times σ of the second."""
    a, b = x.chunk(2, dim)
    return rec.pointwise("mul", a, rec.pointwise("sigmoid", b))


@records("nan_to_num")
def nan_to_num(
    rec: Recorder,
    x: Any,
    nan: float | None = 0.0,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Row:
    """Record x with NaN and infinities replaced."""
    from torch import finfo

    high = finfo(rec.dtype).max if posinf is None else posinf
    low = finfo(rec.dtype).min if neginf is None else neginf
    x = rec.pointwise("where", x != x, nan or 0.0, x)
    x = rec.pointwise("where", rec.pointwise("eq", x, math.inf), high, x)
    return rec.pointwise("where", rec.pointwise("eq", x, -math.inf), low, x)
