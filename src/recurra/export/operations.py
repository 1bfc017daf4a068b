"""Every op of a program in ONNX: one row an op, as `recurra.program.reference` means it."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra.export.graph import Graph


@dataclass(frozen=True)
class Call:
    """One instruction as it is written.

    graph: where it goes; inputs: its operands' names; sizes: the features of each (0 for a
    constant); attributes: the instruction's; dtype: of the numbers; lead: how many axes stand
    before the features.
    """

    graph: Graph
    inputs: Sequence[str]
    sizes: Sequence[int]
    attributes: Mapping[str, Any]
    dtype: Any
    lead: int

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node."""
        return self.graph.add(op, *inputs, **attributes)

    def number(self, value: float) -> str:
        """Return a constant of the numbers' type."""
        return self.graph.constant(np.array(value, self.dtype))

    def shaped(self, x: str, *last: int) -> str:
        """Return x with other axes for its features."""
        return self.add("Reshape", x, self.graph.numbers(*[0] * self.lead, *last))


Writer = Callable[[Call], str]


def named(op: str) -> Writer:
    """Return a writer of the node that means just this op."""
    return lambda c: c.add(op, *c.inputs)


def compared(op: str) -> Writer:
    """Return a writer of a comparison, which gives 1 or 0."""
    return lambda c: c.graph.cast(c.add(op, *c.inputs), c.dtype)


def sign(c: Call) -> str:
    """Write the sign, 0 of NaN."""
    (x,) = c.inputs
    return c.add("Where", c.add("IsNaN", x), c.number(0), c.add("Sign", x))


def expm1(c: Call) -> str:
    """Write tanh(x/2)·(exp(x) + 1), which near 0 loses nothing as exp(x) - 1 does."""
    (x,) = c.inputs
    half = c.add("Tanh", c.add("Mul", x, c.number(0.5)))
    return c.add("Mul", half, c.add("Add", c.add("Exp", x), c.number(1)))


def log1p(c: Call) -> str:
    """Write ln(1 + x) with the error of 1 + x divided out (Goldberg, 1991, theorem 4)."""
    (x,) = c.inputs
    u = c.add("Add", x, c.number(1))
    log = c.add("Log", u)
    right = c.add("Mul", log, c.add("Div", x, c.add("Sub", u, c.number(1))))
    small = c.add("Equal", u, c.number(1))
    return c.add("Where", small, x, c.add("Where", c.add("IsInf", u), log, right))


def trunc(c: Call) -> str:
    """Write x towards 0; -0 stays."""
    (x,) = c.inputs
    up, down = c.add("Ceil", x), c.add("Floor", x)
    return c.add("Where", c.add("Less", x, c.number(0)), up, down)


def remainder(c: Call) -> str:
    """Write what a division leaves, with the sign of the divisor."""
    a, b = c.inputs
    zero = c.number(0)
    rest = c.add("Mod", a, b, fmod=1)
    other = c.add("Xor", c.add("Less", rest, zero), c.add("Less", b, zero))
    nothing = c.add("Equal", rest, zero)
    return c.add("Where", c.add("And", other, c.add("Not", nothing)), c.add("Add", rest, b), rest)


def negative(c: Call, x: str) -> str:
    """Write whether a number has a sign: 1 / -0 has one, too."""
    zero = c.number(0)
    zero_below = c.add("Less", c.add("Reciprocal", x), zero)
    return c.add("Or", c.add("Less", x, zero), c.add("And", c.add("Equal", x, zero), zero_below))


def atan2(c: Call) -> str:
    """Write the angle of a point: atan of |a| / |b|, put into its quarter."""
    a, b = c.inputs
    high, wide = c.add("Abs", a), c.add("Abs", b)
    equal = c.add("Equal", high, wide)  # 0 / 0 and two infinities have no quotient
    one = c.add("Where", c.add("Equal", high, c.number(0)), c.number(0), c.number(1))
    angle = c.add("Atan", c.add("Where", equal, one, c.add("Div", high, wide)))
    left = c.add("Sub", c.number(math.pi), angle)
    angle = c.add("Where", negative(c, b), left, angle)
    return c.add("Where", negative(c, a), c.add("Neg", angle), angle)


def logaddexp(c: Call) -> str:
    """Write max(a, b) + ln(1 + exp(-|a - b|))."""
    a, b = c.inputs
    apart = c.add("Neg", c.add("Abs", c.add("Sub", a, b)))
    apart = c.add("Where", c.add("Equal", a, b), c.number(0), apart)
    tail = log1p(replace(c, inputs=(c.add("Exp", apart),)))
    return c.add("Add", c.add("Max", a, b), tail)


def relu(c: Call) -> str:
    """Write 0 below 0, x elsewhere: NaN stays."""
    (x,) = c.inputs
    return c.add("Where", c.add("Less", x, c.number(0)), c.number(0), x)


def where(c: Call) -> str:
    """Write a where c is not 0, b elsewhere."""
    condition, a, b = c.inputs
    return c.add("Where", c.add("Equal", condition, c.number(0)), b, a)


def take(c: Call) -> str:
    """Write features start..stop."""
    start, stop = (c.graph.numbers(int(c.attributes[name])) for name in ("start", "stop"))
    return c.add("Slice", c.inputs[0], start, stop, c.graph.numbers(-1))


def inner(c: Call) -> int:
    """Return how many features lie together."""
    return int(c.attributes.get("inner", 1))


def reduced(op: str) -> Writer:
    """Return a writer that reduces each group of features."""

    def write(c: Call) -> str:
        groups = int(c.attributes["groups"])
        x = c.shaped(c.inputs[0], groups, c.sizes[0] // (groups * inner(c)), inner(c))
        return c.shaped(c.add(op, x, c.graph.numbers(-2), keepdims=0), groups * inner(c))

    return write


def spread(c: Call) -> str:
    """Write each feature several times, one beside the other."""
    times = int(c.attributes["times"])
    x = c.shaped(c.inputs[0], c.sizes[0] // inner(c), 1, inner(c))
    return c.shaped(c.add("Expand", x, c.graph.numbers(times, 1)), c.sizes[0] * times)


def turned(c: Call, x: str, axes: int, a: int, b: int) -> str:
    """Write two of the last axes swapped, for a value with `axes` axes of features."""
    order = list(range(c.lead + axes))
    order[c.lead + a], order[c.lead + b] = order[c.lead + b], order[c.lead + a]
    return c.add("Transpose", x, perm=order)


def transpose(c: Call) -> str:
    """Write each block (height, width, inner) as (width, height, inner)."""
    height, width = int(c.attributes["height"]), int(c.attributes["width"])
    count = c.sizes[0] // (height * width * inner(c))
    x = c.shaped(c.inputs[0], count, height, width, inner(c))
    return c.shaped(turned(c, x, 4, 1, 2), c.sizes[0])


def matmul(c: Call) -> str:
    """Write the products of pairs of matrices."""
    groups, m, n = (int(c.attributes[name]) for name in ("groups", "height", "width"))
    k, which = c.sizes[0] // (groups * m), c.attributes.get("turned", "")
    a = c.shaped(c.inputs[0], groups, *((k, m) if which == "a" else (m, k)))
    b = c.shaped(c.inputs[1], groups, *((n, k) if which == "b" else (k, n)))
    a, b = (
        turned(c, a, 3, 1, 2) if which == "a" else a,
        turned(c, b, 3, 1, 2) if which == "b" else b,
    )
    return c.shaped(c.add("MatMul", a, b), groups * m * n)


OPERATIONS: dict[str, Writer] = {
    "neg": named("Neg"),
    "abs": named("Abs"),
    "sign": sign,
    "exp": named("Exp"),
    "expm1": expm1,
    "log": named("Log"),
    "log1p": log1p,
    "sqrt": named("Sqrt"),
    "rsqrt": lambda c: c.add("Reciprocal", c.add("Sqrt", *c.inputs)),
    "reciprocal": named("Reciprocal"),
    "sin": named("Sin"),
    "cos": named("Cos"),
    "tanh": named("Tanh"),
    "sigmoid": named("Sigmoid"),
    "relu": relu,
    "erf": named("Erf"),
    "exp2": lambda c: c.add("Pow", c.number(2), *c.inputs),
    "log2": lambda c: c.add("Mul", c.add("Log", *c.inputs), c.number(1 / math.log(2))),
    "log10": lambda c: c.add("Mul", c.add("Log", *c.inputs), c.number(1 / math.log(10))),
    "tan": named("Tan"),
    "asin": named("Asin"),
    "acos": named("Acos"),
    "atan": named("Atan"),
    "sinh": named("Sinh"),
    "cosh": named("Cosh"),
    "asinh": named("Asinh"),
    "acosh": named("Acosh"),
    "atanh": named("Atanh"),
    "floor": named("Floor"),
    "ceil": named("Ceil"),
    "trunc": trunc,
    "round": named("Round"),
    "add": named("Add"),
    "sub": named("Sub"),
    "mul": named("Mul"),
    "div": named("Div"),
    "maximum": named("Max"),
    "minimum": named("Min"),
    "pow": named("Pow"),
    "fmod": lambda c: c.add("Mod", *c.inputs, fmod=1),
    "remainder": remainder,
    "atan2": atan2,
    "logaddexp": logaddexp,
    "gt": compared("Greater"),
    "ge": compared("GreaterOrEqual"),
    "lt": compared("Less"),
    "le": compared("LessOrEqual"),
    "eq": compared("Equal"),
    "ne": lambda c: c.graph.cast(c.add("Not", c.add("Equal", *c.inputs)), c.dtype),
    "where": where,
    "linear": named("MatMul"),  # W is handed over transposed
    "linear_t": named("MatMul"),
    "slice": take,
    "concat": lambda c: c.graph.join(c.inputs, -1),
    "sum": reduced("ReduceSum"),
    "amax": reduced("ReduceMax"),
    "spread": spread,
    "transpose": transpose,
    "matmul": matmul,
    "copy": named("Identity"),
    "detach": named("Identity"),
}
