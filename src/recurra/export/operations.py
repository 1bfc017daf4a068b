"""Every op of a program in ONNX: one row an op, as `recurra.program.reference` means it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


def reduced(op: str) -> Writer:
    """Return a writer that reduces each group of consecutive features."""

    def write(c: Call) -> str:
        groups = int(c.attributes["groups"])
        x = c.shaped(c.inputs[0], groups, c.sizes[0] // groups)
        return c.add(op, x, c.graph.numbers(-1), keepdims=0)

    return write


def spread(c: Call) -> str:
    """Write each feature several times, one beside the other."""
    times = int(c.attributes["times"])
    x = c.shaped(c.inputs[0], c.sizes[0], 1)
    return c.shaped(c.add("Expand", x, c.graph.numbers(times)), c.sizes[0] * times)


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
    "add": named("Add"),
    "sub": named("Sub"),
    "mul": named("Mul"),
    "div": named("Div"),
    "maximum": named("Max"),
    "minimum": named("Min"),
    "pow": named("Pow"),
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
    "copy": named("Identity"),
    "detach": named("Identity"),
}
