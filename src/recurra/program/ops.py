"""The op table: what each op is called, the shape it gives, what it means, its derivative."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from recurra.errors import ProgramError
from recurra.program import blocks
from recurra.program.shapes import (
    ShapeRule,
    concat_shape,
    first_shape,
    linear_shape,
    linear_t_shape,
    outer_shape,
    same,
    slice_shape,
    zeros_shape,
)
from recurra.program.term import Term, apply

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Op:
    """One row of the table.

    name: what instructions call it.
    arity: how many operands it takes, None for any number.
    shape: the result's shape from the operands' shapes and the attributes; raises ProgramError.
    meaning: the result from NumPy arrays (features last, (n, k) for a matrix) and attributes.
    derive: the gradient of each operand (None where there is none) from the result's gradient,
        the result and the operands; None if the op stands for a sum, which is never derived.
    place: "any" part of a program, on "rows" only, or in "sums" only.
    """

    name: str
    arity: int | None
    shape: ShapeRule
    meaning: Callable[..., Array]
    derive: Callable[..., tuple[Term | None, ...]] | None
    place: Literal["any", "rows", "sums"] = "any"

    @property
    def pointwise(self) -> bool:
        """Return whether every feature of the result depends on the same feature alone."""
        return self.shape is same and self.place == "any"


def find_op(name: str) -> Op:
    """Return the op called `name`; raises ProgramError if the table has none."""
    if name not in OPS:
        raise ProgramError(f"there is no op {name!r}; the ops are {', '.join(OPS)}")
    return OPS[name]


# Meanings that NumPy does not have under one name.

error_function = np.vectorize(math.erf, otypes=[float])


def relu(x: Array) -> Array:
    """Return 0 where x is below 0, x elsewhere: NaN and -0 stay."""
    return np.where(x < 0, 0.0, x)


def where(c: Array, a: Array, b: Array) -> Array:
    """Return a where c is not 0 (NaN is not), b elsewhere."""
    return np.where(np.not_equal(c, 0), a, b)


def sign(x: Array) -> Array:
    """Return -1, 0 or 1, and 0 for NaN, as torch does."""
    return np.where(np.isnan(x), 0.0, np.sign(x))


def remainder(a: Array, b: Array) -> Array:
    """Return what a division leaves, with the sign of b, as torch has it."""
    rest = np.fmod(a, b)
    return np.where((rest != 0) & ((rest < 0) != (b < 0)), rest + b, rest)


def part(x: Array, start: int, stop: int, axis: int = -1) -> Array:
    """Return start..stop of an axis."""
    return np.moveaxis(np.moveaxis(x, axis, 0)[start:stop], 0, axis)


def join(*parts: Array, axis: int = -1) -> Array:
    """Return the parts behind one another; their leading axes are broadcast."""
    if axis != -1:
        return np.concatenate(parts, axis)
    lead = np.broadcast_shapes(*(x.shape[:-1] for x in parts))
    return np.concatenate([np.broadcast_to(x, (*lead, x.shape[-1])) for x in parts], -1)


def rows_of(x: Array) -> Array:
    """Return x (..., n) as (rows, n)."""
    return x.reshape(-1, x.shape[-1])


# Derivatives that take more than a line. At kinks and ties they give what torch gives, and they
# select where they can rather than multiply by 0, which would make NaN of an infinity.


def halve_ties(d: Term, loses: Term, ties: Term) -> Term:
    """Return the gradient of one operand of a maximum: none if it loses, half if it ties."""
    return apply("where", loses, 0.0, apply("where", ties, d * 0.5, d))


def derive_extreme(d: Term, y: Term, a: Term, b: Term, a_loses: str, b_loses: str) -> Any:
    """Return the gradients of a maximum or minimum, given the comparison in which each loses."""
    ties = apply("eq", a, b)
    return (
        halve_ties(d, apply(a_loses, a, b), ties),
        halve_ties(d, apply(b_loses, a, b), ties),
    )


def derive_pow(d: Term, y: Term, a: Term, b: Term) -> tuple[Term | None, ...]:
    """Return b·a^(b-1)·d and a^b·ln(a)·d, with none where b is 0, nor for b at 0^b."""
    if b.number is not None:
        if b.number == 0:
            return None, None
        return d * (b * (a if b.number == 2 else apply("pow", a, b - 1))), None
    to_a = apply("where", apply("eq", b, 0), 0.0, d * (b * apply("pow", a, b - 1)))
    flat = apply("eq", a, 0) * apply("ge", b, 0)
    return to_a, apply("where", flat, 0.0, d * (y * apply("log", a)))


def derive_atan2(d: Term, y: Term, a: Term, b: Term) -> tuple[Term | None, ...]:
    """Return d·b / (a² + b²) and -d·a / (a² + b²), and 0 where both are 0."""
    square = a * a + b * b
    each = apply("where", apply("eq", square, 0), 0.0, d / square)
    return each * b, -each * a


def derive_slice(d: Term, y: Term, x: Term) -> tuple[Term | None, ...]:
    """Raise: where a slice lies is only known to the instruction (see differentiate)."""
    raise ProgramError("the gradients of slices are assembled, not derived one by one")


def none_of(count: int) -> Callable[..., tuple[Term | None, ...]]:
    """Return a derivative that gives no gradient to any of `count` operands."""
    return lambda *_: (None,) * count


TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)

# d is the gradient of the result y, and a derivative gives one gradient per operand.
# fmt: off
ROWS = (
    # pointwise, one operand
    Op("neg", 1, same, np.negative, lambda d, y, x: (-d,)),
    Op("abs", 1, same, np.abs, lambda d, y, x: (d * apply("sign", x),)),
    Op("sign", 1, same, sign, none_of(1)),
    Op("exp", 1, same, np.exp, lambda d, y, x: (d * y,)),
    Op("expm1", 1, same, np.expm1, lambda d, y, x: (d * apply("exp", x),)),
    Op("log", 1, same, np.log, lambda d, y, x: (d / x,)),
    Op("log1p", 1, same, np.log1p, lambda d, y, x: (d / (x + 1),)),
    Op("sqrt", 1, same, np.sqrt, lambda d, y, x: (d / (2 * y),)),
    Op("rsqrt", 1, same, lambda x: 1 / np.sqrt(x), lambda d, y, x: (-0.5 * d * (y * y * y),)),
    Op("reciprocal", 1, same, lambda x: 1 / x, lambda d, y, x: (-d * (y * y),)),
    Op("sin", 1, same, np.sin, lambda d, y, x: (d * apply("cos", x),)),
    Op("cos", 1, same, np.cos, lambda d, y, x: (-d * apply("sin", x),)),
    Op("tanh", 1, same, np.tanh, lambda d, y, x: (d * (1 - y * y),)),
    Op("sigmoid", 1, same, lambda x: 1 / (1 + np.exp(-x)), lambda d, y, x: (d * ((1 - y) * y),)),
    Op("relu", 1, same, relu, lambda d, y, x: (apply("where", apply("le", y, 0), 0.0, d),)),
    Op("erf", 1, same, error_function,
       lambda d, y, x: (d * (TWO_OVER_ROOT_PI * apply("exp", -(x * x))),)),
    Op("exp2", 1, same, np.exp2, lambda d, y, x: (d * y * math.log(2),)),
    Op("log2", 1, same, np.log2, lambda d, y, x: (d / (x * math.log(2)),)),
    Op("log10", 1, same, np.log10, lambda d, y, x: (d / (x * math.log(10)),)),
    Op("tan", 1, same, np.tan, lambda d, y, x: (d * (1 + y * y),)),
    Op("asin", 1, same, np.arcsin, lambda d, y, x: (d * apply("rsqrt", 1 - x * x),)),
    Op("acos", 1, same, np.arccos, lambda d, y, x: (-d * apply("rsqrt", 1 - x * x),)),
    Op("atan", 1, same, np.arctan, lambda d, y, x: (d / (x * x + 1),)),
    Op("sinh", 1, same, np.sinh, lambda d, y, x: (d * apply("cosh", x),)),
    Op("cosh", 1, same, np.cosh, lambda d, y, x: (d * apply("sinh", x),)),
    Op("asinh", 1, same, np.arcsinh, lambda d, y, x: (d * apply("rsqrt", x * x + 1),)),
    Op("acosh", 1, same, np.arccosh, lambda d, y, x: (d * apply("rsqrt", x * x - 1),)),
    Op("atanh", 1, same, np.arctanh, lambda d, y, x: (d / (1 - x * x),)),
    Op("floor", 1, same, np.floor, none_of(1)),
    Op("ceil", 1, same, np.ceil, none_of(1)),
    Op("trunc", 1, same, np.trunc, none_of(1)),
    Op("round", 1, same, np.rint, none_of(1)),
    # pointwise, two operands
    Op("add", 2, same, np.add, lambda d, y, a, b: (d, d)),
    Op("sub", 2, same, np.subtract, lambda d, y, a, b: (d, -d)),
    Op("mul", 2, same, np.multiply, lambda d, y, a, b: (d * b, d * a)),
    Op("div", 2, same, np.true_divide, lambda d, y, a, b: (d / b, -d * (y / b))),
    Op("maximum", 2, same, np.maximum,
       lambda d, y, a, b: derive_extreme(d, y, a, b, a_loses="lt", b_loses="gt")),
    Op("minimum", 2, same, np.minimum,
       lambda d, y, a, b: derive_extreme(d, y, a, b, a_loses="gt", b_loses="lt")),
    Op("pow", 2, same, np.power, derive_pow),
    Op("fmod", 2, same, np.fmod,
       lambda d, y, a, b: (d, -d * apply("trunc", a / b))),
    Op("remainder", 2, same, remainder,
       lambda d, y, a, b: (d, -d * apply("floor", a / b))),
    Op("atan2", 2, same, np.arctan2, derive_atan2),
    Op("logaddexp", 2, same, np.logaddexp,
       lambda d, y, a, b: (d / (1 + apply("exp", b - a)), d / (1 + apply("exp", a - b)))),
    Op("gt", 2, same, np.greater, none_of(2)),
    Op("ge", 2, same, np.greater_equal, none_of(2)),
    Op("lt", 2, same, np.less, none_of(2)),
    Op("le", 2, same, np.less_equal, none_of(2)),
    Op("eq", 2, same, np.equal, none_of(2)),
    Op("ne", 2, same, np.not_equal, none_of(2)),
    # pointwise, three operands
    Op("where", 3, same, where,
       lambda d, y, c, a, b: (None, apply("where", c, d, 0.0), apply("where", c, 0.0, d))),
    # features
    Op("linear", 2, linear_shape, lambda x, W: x @ W.T,
       lambda d, y, x, W: (apply("linear_t", d, W), apply("outer", d, x)), "rows"),
    Op("linear_t", 2, linear_t_shape, lambda y, W: y @ W,
       lambda d, x, y, W: (apply("linear", d, W), apply("outer", y, d)), "rows"),
    Op("slice", 1, slice_shape, part, derive_slice),
    Op("concat", None, concat_shape, join, derive_slice),
    Op("sum", 1, blocks.groups_shape, blocks.total, blocks.derive_sum, "rows"),
    Op("amax", 1, blocks.groups_shape, blocks.largest, blocks.derive_amax, "rows"),
    Op("spread", 1, blocks.spread_shape, blocks.spread, blocks.derive_spread, "rows"),
    Op("transpose", 1, blocks.transpose_shape, blocks.transpose, blocks.derive_transpose, "rows"),
    Op("matmul", 2, blocks.matmul_shape, blocks.matmul, blocks.derive_matmul, "rows"),
    Op("copy", 1, same, np.copy, lambda d, y, x: (d,)),
    Op("detach", 1, same, np.copy, none_of(1)),
    Op("zeros", 0, zeros_shape, lambda size: np.zeros(size), none_of(0), "rows"),
    # gradients of a cell's own (see own_backward.py): they are followed, not derived
    Op("arriving", 0, zeros_shape, lambda size, number: np.zeros(size), none_of(0), "rows"),
    Op("own_backward", None, first_shape, lambda v, *others: v, derive_slice, "rows"),
    # sums over every row and step
    Op("outer", 2, outer_shape, lambda dy, x: rows_of(dy).T @ rows_of(x), None, "sums"),
    Op("total", 1, same, lambda d: rows_of(d).sum(0), None, "sums"),
)
# fmt: on
OPS: dict[str, Op] = {op.name: op for op in ROWS}
