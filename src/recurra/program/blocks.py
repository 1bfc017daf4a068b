"""Ops on a row's features as blocks of numbers: sums over an axis, copies, transposes, products.

A row is flat; the attributes say how it is seen. `inner` features lie together: features along an
axis that is not the last are `inner` apart.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from recurra.program.program import Attribute
from recurra.program.shapes import Shape, expect
from recurra.program.term import Term, apply

Array = npt.NDArray[Any]
Gradients = tuple[Term | None, ...]


# Shapes


def groups_shape(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return (g·inner,) for (g·k·inner,): g groups of k."""
    (shape,) = shapes
    groups, inner = int(attributes["groups"]), int(attributes.get("inner", 1))
    fits = len(shape) == 1 and groups > 0 and inner > 0 and shape[0] % (groups * inner) == 0
    expect(fits, f"features that split into {groups} groups of {inner} side by side", shapes)
    return (groups * inner,)


def spread_shape(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return (g·times·inner,) for (g·inner,)."""
    (shape,) = shapes
    times, inner = int(attributes["times"]), int(attributes.get("inner", 1))
    fits = len(shape) == 1 and times > 0 and inner > 0 and shape[0] % inner == 0
    expect(fits, f"features to repeat {times} times, {inner} together", shapes)
    return (shape[0] * times,)


def transpose_shape(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return (n,) for (n,): each block of (height, width, inner) becomes (width, height, inner)."""
    (shape,) = shapes
    block = int(attributes["height"]) * int(attributes["width"]) * int(attributes.get("inner", 1))
    fits = len(shape) == 1 and block > 0 and shape[0] % block == 0
    expect(fits, f"features in blocks of {block}", shapes)
    return shape


def matmul_shape(shapes: Sequence[Shape], attributes: Mapping[str, Attribute]) -> Shape:
    """Return (g·m·n,) for a (g·m·k,) and b (g·k·n,): a product of each of g pairs of matrices."""
    a, b = shapes
    groups, m, n = (int(attributes[name]) for name in ("groups", "height", "width"))
    fits = len(a) == len(b) == 1 and min(groups, m, n) > 0 and a[0] % (groups * m) == 0
    fits = fits and a[0] // (groups * m) * n * groups == b[0]
    expect(fits, f"{groups} pairs of matrices ({m}, k) and (k, {n})", shapes)
    expect(attributes.get("turned", "") in ("", "a", "b"), "a or b turned", shapes)
    return (groups * m * n,)


# Meanings


def in_groups(x: Array, groups: int, inner: int) -> Array:
    """Return x (..., g·k·inner) as (..., g, k, inner)."""
    return x.reshape(*x.shape[:-1], groups, -1, inner)


def flat(x: Array, axes: int) -> Array:
    """Return x with its last `axes` axes as one."""
    return x.reshape(*x.shape[:-axes], -1)


def total(x: Array, groups: int, inner: int = 1) -> Array:
    """Return the sum of each group."""
    return flat(in_groups(x, groups, inner).sum(-2), 2)


def largest(x: Array, groups: int, inner: int = 1) -> Array:
    """Return the largest of each group."""
    return flat(in_groups(x, groups, inner).max(-2), 2)


def spread(x: Array, times: int, inner: int = 1) -> Array:
    """Return every `inner` features several times, one copy behind the other."""
    return flat(np.repeat(x.reshape(*x.shape[:-1], -1, 1, inner), times, -2), 3)


def transpose(x: Array, height: int, width: int, inner: int = 1) -> Array:
    """Return every block (height, width, inner) as (width, height, inner)."""
    return flat(x.reshape(*x.shape[:-1], -1, height, width, inner).swapaxes(-3, -2), 4)


def matmul(a: Array, b: Array, groups: int, height: int, width: int, turned: str = "") -> Array:
    """Return the product of every pair of matrices; the turned one is stored transposed."""
    k = a.shape[-1] // (groups * height)
    a = a.reshape(*a.shape[:-1], groups, *((k, height) if turned == "a" else (height, k)))
    b = b.reshape(*b.shape[:-1], groups, *((width, k) if turned == "b" else (k, width)))
    a, b = a.swapaxes(-1, -2) if turned == "a" else a, b.swapaxes(-1, -2) if turned == "b" else b
    return flat(a @ b, 3)


# Derivatives


def sides(inner: int) -> dict[str, Attribute]:
    """Return the attribute `inner`, none where it is 1."""
    return {} if inner == 1 else {"inner": inner}


def derive_sum(d: Term, y: Term, x: Term, groups: int, inner: int = 1) -> Gradients:
    """Return each group's gradient for all its features."""
    return (apply("spread", d, times=x.value.size // y.value.size, **sides(inner)),)


def derive_amax(d: Term, y: Term, x: Term, groups: int, inner: int = 1) -> Gradients:
    """Return the gradient of the largest of each group, shared among those that tie."""

    def each(v: Term) -> Term:
        return apply("spread", v, times=x.value.size // y.value.size, **sides(inner))

    tops = apply("eq", x, each(y))
    count = apply("sum", tops, groups=groups, **sides(inner))
    kept = apply("where", tops, each(d), 0.0)
    return (kept / each(count),)


def derive_spread(d: Term, y: Term, x: Term, times: int, inner: int = 1) -> Gradients:
    """Return the sum of the gradients of each feature's copies."""
    return (apply("sum", d, groups=x.value.size // inner, **sides(inner)),)


def derive_transpose(
    d: Term, y: Term, x: Term, height: int, width: int, inner: int = 1
) -> Gradients:
    """Return the gradient turned back."""
    return (apply("transpose", d, height=width, width=height, **sides(inner)),)


def derive_matmul(
    d: Term, y: Term, a: Term, b: Term, groups: int, height: int, width: int, turned: str = ""
) -> Gradients:
    """Return dy·bᵀ and aᵀ·dy, each stored as its operand is."""
    k = a.value.size // (groups * height)

    def product(left: Term, right: Term, m: int, n: int, turned: str) -> Term:
        return apply("matmul", left, right, groups=groups, height=m, width=n, **_turned(turned))

    if turned == "a":  # y = aᵀ·b
        return product(b, d, k, height, "b"), product(a, d, k, width, "")
    if turned == "b":  # y = a·bᵀ
        return product(d, b, height, k, ""), product(d, a, width, k, "a")
    return product(d, b, height, k, "b"), product(a, d, k, width, "a")


def _turned(which: str) -> dict[str, Attribute]:
    return {"turned": which} if which else {}


Derivative = Callable[..., Gradients]
