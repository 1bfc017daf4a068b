"""Recording what looks at windows of an axis: pools, convolutions, unfolding.

A convolution is one product with a matrix, which torch makes of the weight once a call: what the
convolution gives for each unit vector. The matrix holds many zeros, so this is for short axes.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.program.trace_features import pad, positions_of
from recurra.program.trace_products import one_linear
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_reductions import mean, total
from recurra.program.trace_refusal import refusal
from recurra.program.trace_selection import extreme
from recurra.program.trace_shapes import axis_of
from recurra.program.trace_symbol import Leaf, Row
from recurra.program.trace_table import records
from recurra.program.trace_writer import count

LARGEST_MATRIX = 2**18


def many(value: Any, axes: int) -> tuple[int, ...]:
    """Return one number for each axis."""
    if isinstance(value, int):
        return (value,) * axes
    values = tuple(value)
    return values * axes if len(values) == 1 else values


def windows(
    rec: Recorder, x: Row, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> Row:
    """Return (..., positions, k) of each window's features for the last axes of x."""
    axes = len(kernel)
    first = len(x.trailing) - axes
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(n < span for n, span in zip(x.trailing[first:], spans, strict=True)):
        raise ValueError(f"windows of {tuple(spans)} in {x.trailing[first:]}")
    seen = np.lib.stride_tricks.sliding_window_view(
        positions_of(x), tuple(spans), tuple(range(first, len(x.trailing)))
    )
    seen = seen[(*[slice(None)] * first, *(slice(None, None, s) for s in stride))]
    inside: Any = (..., *(slice(None, None, d) for d in dilation))
    seen = seen[inside]
    return rec.arrange([x], seen.reshape(*seen.shape[: len(x.trailing)], -1))


def padded(rec: Recorder, x: Row, padding: Sequence[int], value: float) -> Row:
    """Return x with a number put before and behind its last axes."""
    if not any(padding):
        return x
    return pad(rec, x, [n for p in reversed(padding) for n in (p, p)], "constant", value)


def check_axes(x: Row, axes: int, what: str) -> None:
    """Refuse rows that are taken for the channels of one sequence."""
    if len(x.trailing) < axes:
        raise refusal(f"{what} along the batch axis, which mixes rows of the batch")


def average_maker(axes: int) -> Callable[..., Row]:
    """Return what records means of windows."""

    def average(
        rec: Recorder, x: Row, kernel_size: Any, stride: Any = None, padding: Any = 0,
        ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: Any = None,
    ) -> Row:  # fmt: skip
        check_axes(x, axes, "a pool")
        kernel, pads = many(kernel_size, axes), many(padding, axes)
        steps = many(stride if stride not in (None, ()) else kernel_size, axes)
        if ceil_mode or (any(pads) and not count_include_pad):
            raise refusal("an average of windows that are partly outside; pad with F.pad")
        seen = windows(rec, padded(rec, x, pads, 0.0), kernel, steps, (1,) * axes)
        if divisor_override:
            return rec.pointwise("div", total(rec, seen, -1), divisor_override)
        return mean(rec, seen, -1)

    return average


def largest_maker(axes: int) -> Callable[..., Row]:
    """Return what records the largest of windows."""

    def largest(
        rec: Recorder, x: Row, kernel_size: Any, stride: Any = None, padding: Any = 0,
        dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False,
    ) -> Row:  # fmt: skip
        check_axes(x, axes, "a pool")
        if ceil_mode or return_indices:
            raise refusal("a pool with ceil_mode or return_indices; leave them out")
        kernel, pads = many(kernel_size, axes), many(padding, axes)
        steps = many(stride if stride not in (None, ()) else kernel_size, axes)
        x = padded(rec, x, pads, -math.inf)
        seen = windows(rec, x, kernel, steps, many(dilation, axes))
        found: Row = extreme(rec, seen, -1, False, False)[0]
        return found

    return largest


for _axes in (1, 2, 3):
    records(f"avg_pool{_axes}d")(average_maker(_axes))
    records(f"max_pool{_axes}d")(largest_maker(_axes))


def adaptive_maker(axes: int, op: str) -> Callable[..., Row]:
    """Return what records the mean or the largest of so many windows."""

    def adaptive(rec: Recorder, x: Row, output_size: Any, return_indices: bool = False) -> Row:
        check_axes(x, axes, "a pool")
        sizes = x.trailing[len(x.trailing) - axes :]
        wanted = tuple(
            n if w is None else w for n, w in zip(sizes, many(output_size, axes), strict=True)
        )
        if any(n % w for n, w in zip(sizes, wanted, strict=True)) or return_indices:
            raise refusal(f"an adaptive pool of {sizes} into {wanted}, whose windows differ")
        kernel = tuple(n // w for n, w in zip(sizes, wanted, strict=True))
        seen = windows(rec, x, kernel, kernel, (1,) * axes)
        found: Row = (
            mean(rec, seen, -1) if op == "mean" else extreme(rec, seen, -1, False, False)[0]
        )
        return found

    return adaptive


for _axes in (1, 2, 3):
    records(f"adaptive_avg_pool{_axes}d")(adaptive_maker(_axes, "mean"))
    records(f"adaptive_max_pool{_axes}d")(adaptive_maker(_axes, "max"))


@records("unfold", spaces=(Tensor,))
def unfold(rec: Recorder, x: Row, dimension: int, size: int, step: int) -> Row:
    """Record windows of an axis, as an axis of their own behind all others."""
    seen = np.lib.stride_tricks.sliding_window_view(positions_of(x), size, axis_of(x, dimension))
    return rec.arrange([x], seen.take(range(0, seen.shape[axis_of(x, dimension)], step),
                                      axis_of(x, dimension)))  # fmt: skip


# Convolutions


def convolution_maker(function: Callable[..., Tensor], axes: int) -> Callable[..., Row]:
    """Return what records a convolution of torch's."""

    def convolve(
        rec: Recorder, x: Any, weight: Any, bias: Any = None, *others: Any, **named: Any
    ) -> Row:
        W, b = rec.lift(weight), None if bias is None else rec.lift(bias)
        if not (isinstance(x, Row) and isinstance(W, Leaf)):
            raise refusal("a convolution whose weight is no parameter")
        if len(x.trailing) != axes + 1:
            raise refusal(
                "a convolution along the batch axis, which mixes rows of the batch; it needs "
                f"(B, channels{', length' * axes})"
            )
        n = count(x.trailing)
        units = torch.eye(n, dtype=rec.dtype, device=rec.device).reshape(n, *x.trailing)
        seen: Any = rec.on_leaves(function, (rec.hold(units), W, None, *others), named)
        shape = tuple(seen.shape[1:])
        if n * count(shape) > LARGEST_MATRIX:
            raise refusal(
                f"a convolution of {x.trailing} to {shape}: as a product with a matrix of {n} × "
                f"{count(shape)}, mostly zeros, it is slower than torch's, in the loop"
            )
        matrix: Any = seen.reshape(n, -1).t()
        y = rec.row(shape, one_linear(rec, rec.materialise(x), matrix), x.kind)
        return y if b is None else rec.pointwise("add", y, b.reshape(-1, *[1] * axes))  # type: ignore[union-attr]

    return convolve


for _axes in (1, 2, 3):
    for _name in (f"conv{_axes}d", f"conv_transpose{_axes}d"):
        records(_name)(convolution_maker(getattr(torch, _name), _axes))
