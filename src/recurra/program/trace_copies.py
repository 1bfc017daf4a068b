"""Recording copies of features: broadcasts, repetitions, parameters put beside rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from recurra.program.trace_features import positions_of
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_refusal import refusal
from recurra.program.trace_shapes import as_row, axis_of, shape_of, sizes_of
from recurra.program.trace_symbol import BatchSize, Leaf, Row
from recurra.program.trace_table import records
from recurra.program.trace_writer import broadcast


def expanded(rec: Recorder, x: Any, sizes: Sequence[Any]) -> Row:
    """Return a row or parameter copied along its axes of size 1."""
    if not (isinstance(sizes[0], BatchSize) or (isinstance(x, Row) and sizes[0] == -1)):
        raise refusal(f"a tensor expanded to {tuple(sizes)}, whose first axis is not the batch")
    if not isinstance(x, Row):
        shape = rec.without_batch(x, len(sizes) - 1)
        shape = (*[1] * (len(sizes) - 1 - len(shape)), *shape)
        trailing = filled(shape, sizes[1:])
        kind = x.meta.dtype
        return rec.row(
            trailing, rec.vector(x, trailing), rec.dtype if kind.is_floating_point else kind
        )
    if len(sizes) != len(x.trailing) + 1:
        raise refusal("an axis put before the batch axis")
    trailing = filled(x.trailing, sizes[1:])
    return rec.row(trailing, rec.fit(x, broadcast([x.trailing, trailing])), x.kind)


def filled(shape: Sequence[int], sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the sizes, those of -1 as they are in `shape`."""
    return tuple(n if size == -1 else int(size) for n, size in zip(shape, sizes, strict=True))


@records("expand", "broadcast_to", batch=True)
def expand(rec: Recorder, x: Any, *sizes: Any, **named: Any) -> Row:
    """Record a row or a parameter copied along its axes of size 1."""
    x = rec.lift(x)
    return expanded(rec, x, sizes_of(sizes or tuple(named.values())))


@records("expand_as")
def expand_as(rec: Recorder, x: Any, other: Any) -> Row:
    """Record a row or a parameter copied to the shape of another."""
    return expanded(rec, rec.lift(x), shape_of(rec, as_row(rec, other)))


@records("broadcast_tensors")
def broadcast_tensors(rec: Recorder, *tensors: Any) -> list[Row]:
    """Record several tensors copied to their common shape."""
    operands = [rec.lift(x) for x in sizes_of(tensors)]
    rows = [x for x in operands if isinstance(x, Row)]
    axes = len(rows[0].trailing)
    shapes = [rec.without_batch(x, axes) for x in operands if isinstance(x, Leaf)]
    sizes = (rec.batch, *broadcast([*(x.trailing for x in rows), *shapes]))
    return [expanded(rec, x, sizes) for x in operands]


@records("repeat", "tile", batch=True)
def repeat(rec: Recorder, x: Any, *times: Any, **named: Any) -> Row:
    """Record copies of a row's features, or of a parameter for every row."""
    times = sizes_of(times or tuple(named.values()))
    x = rec.lift(x)
    if isinstance(x, Row):
        if len(times) != len(x.trailing) + 1 or isinstance(times[0], BatchSize) or times[0] != 1:
            raise refusal("repeat along the batch axis")
        return rec.arrange([x], np.tile(positions_of(x), times[1:]))
    if not isinstance(times[0], BatchSize):
        raise refusal("repeat by the size of the batch along another axis")
    leaf: Any = x
    if leaf.meta.dim() == len(times):
        leaf = rec.call(Tensor.squeeze, (leaf, 0), {})
    leaf = rec.call(Tensor.repeat, (leaf, *times[1:]), {}) if len(times) > 1 else leaf
    return expanded(rec, leaf, (rec.batch, *leaf.meta.shape))


@records("repeat_interleave")
def repeat_interleave(rec: Recorder, x: Row, repeats: int, dim: Any = None, **_: Any) -> Row:
    """Record each feature several times in place."""
    if dim is None or not isinstance(repeats, int):
        raise refusal("repeat_interleave without a dim, or by a tensor")
    return rec.arrange([x], np.repeat(positions_of(x), repeats, axis_of(x, dim)))
