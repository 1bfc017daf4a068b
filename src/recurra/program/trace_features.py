"""Recording what moves features about: slices, joins, transposes, copies.

A row's features are numbered; torch's operation is done by NumPy on the numbers, and where they
end up is written as slices, concatenations and copies.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.program.trace_elsewhere import turned
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_refusal import refusal
from recurra.program.trace_shapes import as_row, axis_of, sizes_of
from recurra.program.trace_symbol import Leaf, Row
from recurra.program.trace_table import records
from recurra.program.trace_writer import Positions, count


def positions_of(x: Row) -> Positions:
    """Return the numbers of a row's features, in its shape."""
    return np.arange(count(x.trailing)).reshape(x.trailing)


def part(rec: Recorder, x: Row, axis: int, start: int, stop: int) -> Row:
    """Return start..stop of an axis."""
    outer = count(x.trailing[:axis])
    if outer == 1 and rec.number_of(x) is None:
        inner = count(x.trailing[axis + 1 :])
        trailing = (*x.trailing[:axis], stop - start, *x.trailing[axis + 1 :])
        return rec.row(trailing, rec.slice(x, start * inner, stop * inner), x.kind)
    index = (*[slice(None)] * axis, slice(start, stop))
    return rec.arrange([x], positions_of(x)[index])


def split_at(rec: Recorder, x: Row, axis: int, ends: Sequence[int]) -> tuple[Row, ...]:
    """Return the parts of an axis that end at `ends`."""
    starts = [0, *ends][: len(ends)]
    return tuple(part(rec, x, axis, a, b) for a, b in zip(starts, ends, strict=True))


@records("chunk")
def chunk(rec: Recorder, x: Row, chunks: int, dim: int = 0) -> tuple[Row, ...]:
    """Record the parts of an axis in chunks of one size, the last perhaps smaller."""
    axis = axis_of(x, dim)
    n = x.trailing[axis]
    return split(rec, x, -(-n // chunks), dim)


@records("split", "split_with_sizes", "unsafe_split", "unsafe_chunk")
def split(rec: Recorder, x: Row, split_size: Any, dim: int = 0) -> tuple[Row, ...]:
    """Record the parts of an axis, of one size or of the sizes given."""
    axis = axis_of(x, dim)
    n = x.trailing[axis]
    if isinstance(split_size, int):
        return split_at(rec, x, axis, [min(k + split_size, n) for k in range(0, n, split_size)])
    if sum(split_size) != n:
        raise ValueError(f"sizes {list(split_size)} of an axis of {n}")
    return split_at(rec, x, axis, np.cumsum(split_size).tolist())


@records("tensor_split")
def tensor_split(rec: Recorder, x: Row, sections: Any, dim: int = 0) -> tuple[Row, ...]:
    """Record the parts of an axis in so many sections, or between the indices given."""
    parts = np.array_split(positions_of(x), sections, axis_of(x, dim))
    return tuple(rec.arrange([x], p) for p in parts)


@records("narrow")
def narrow(rec: Recorder, x: Row, dim: int, start: int, length: int) -> Row:
    """Record a part of an axis."""
    return part(rec, x, axis_of(x, dim), start, start + length)


@records("select")
def select(rec: Recorder, x: Row, dim: int, index: int) -> Row:
    """Record one position of an axis."""
    return rec.arrange([x], np.asarray(positions_of(x).take(index, axis_of(x, dim))))


@records("unbind")
def unbind(rec: Recorder, x: Row, dim: int = 0) -> tuple[Row, ...]:
    """Record every position of an axis."""
    axis = axis_of(x, dim)
    return tuple(select(rec, x, axis + 1, k) for k in range(x.trailing[axis]))


def fixed_index(rec: Recorder, value: Any) -> Any:
    """Return one item of an index, refusing what is only known when the cell runs."""
    if isinstance(value, Row):
        raise refusal("an index that each row has its own of; write x.gather(1, index)")
    if isinstance(value, Leaf) or (isinstance(value, Tensor) and id(value) not in rec.created):
        raise refusal("an index that is a tensor, which may change from call to call")
    if isinstance(value, Tensor):
        return value.numpy()
    if isinstance(value, slice) and value.step is not None and value.step <= 0:
        raise ValueError("a slice's step must be above 0")
    return np.asarray(value) if isinstance(value, list) else value


@records("__getitem__")
def getitem(rec: Recorder, x: Any, index: Any) -> Row:
    """Record the features at an index whose first item is `:` or `...`."""
    if not isinstance(x, Row):
        raise refusal("an index that each row has its own of; write F.embedding(index, table)")
    items = list(index) if isinstance(index, tuple) else [index]
    taken = sum(item is not None and item is not Ellipsis for item in items)
    if any(item is Ellipsis for item in items):
        at = next(k for k, item in enumerate(items) if item is Ellipsis)
        items[at : at + 1] = [slice(None)] * (len(x.trailing) + 1 - taken)
    first = items[0]
    if not (isinstance(first, slice) and first == slice(None)):
        raise refusal("an index along the batch axis; write x[:, ...]")
    return rec.arrange([x], positions_of(x)[tuple(fixed_index(rec, i) for i in items[1:])])


def joined(rec: Recorder, rows: Sequence[Row], axis: int) -> Row:
    """Return rows behind one another along an axis."""
    if len({row.kind for row in rows}) > 1:
        raise refusal("a join of " + " and ".join(sorted(str(row.kind) for row in rows)))
    numbers, start = [], 0
    for row in rows:
        numbers.append(positions_of(row) + start)
        start += count(row.trailing)
    plain = [rec.row(row.trailing, rec.materialise(row), row.kind) for row in rows]
    return rec.arrange(plain, np.concatenate(numbers, axis))


@records("cat", "concat", "concatenate")
def cat(rec: Recorder, tensors: Any, dim: int = 0, axis: int | None = None) -> Row:
    """Record rows behind one another."""
    rows = [as_row(rec, x) for x in tensors]
    return joined(rec, rows, axis_of(rows[0], dim if axis is None else axis))


@records("stack")
def stack(rec: Recorder, tensors: Any, dim: int = 0) -> Row:
    """Record rows along an axis of their own."""
    rows = [as_row(rec, x) for x in tensors]
    axis = axis_of(rows[0], dim, extra=1)
    shapes = [(*row.trailing[:axis], 1, *row.trailing[axis:]) for row in rows]
    return joined(
        rec, [rec.row(s, r.value, r.kind) for s, r in zip(shapes, rows, strict=True)], axis
    )


@records("hstack", "column_stack")
def hstack(rec: Recorder, tensors: Any) -> Row:
    """Record rows behind one another along their first axis of features."""
    return cat(rec, tensors, 1)


def permuted(rec: Recorder, x: Row, axes: Sequence[int]) -> Row:
    """Return a row with its trailing axes in another order."""
    return rec.arrange([x], positions_of(x).transpose(tuple(axes)))


@records("transpose", "swapaxes", "swapdims")
def transpose(rec: Recorder, x: Row, dim0: int, dim1: int) -> Row:
    """Record two axes swapped."""
    rank = len(x.trailing) + 1
    if {dim0 % rank, dim1 % rank} == {0, 1}:
        return turned(rec, x)  # type: ignore[return-value]
    a, b = axis_of(x, dim0), axis_of(x, dim1)
    axes = list(range(len(x.trailing)))
    axes[a], axes[b] = axes[b], axes[a]
    return permuted(rec, x, axes)


@records("mT")
def matrix_transpose(rec: Recorder, x: Row) -> Row:
    """Record the last two axes swapped."""
    return transpose(rec, x, -2, -1)


@records("t", "T", "adjoint", "H")
def full_transpose(rec: Recorder, x: Row) -> Row:
    """Refuse a transpose that moves the batch axis."""
    raise refusal("a transpose that moves the batch axis")


@records("permute")
def permute(rec: Recorder, x: Row, *dims: Any, **named: Any) -> Row:
    """Record the axes in another order, the batch axis first."""
    order = sizes_of(dims or tuple(named.values()))
    if order[0] % len(order) != 0:
        raise refusal("a permutation that moves the batch axis")
    return permuted(rec, x, [axis_of(x, d) for d in order[1:]])


@records("movedim", "moveaxis")
def movedim(rec: Recorder, x: Row, source: int, destination: int) -> Row:
    """Record one axis moved to another place."""
    return rec.arrange(
        [x], np.moveaxis(positions_of(x), axis_of(x, source), axis_of(x, destination))
    )


@records("flip")
def flip(rec: Recorder, x: Row, *dims: Any, **named: Any) -> Row:
    """Record the features of some axes in reverse."""
    axes = tuple(axis_of(x, d) for d in sizes_of(dims or tuple(named.values())))
    return rec.arrange([x], np.flip(positions_of(x), axes))


@records("roll")
def roll(rec: Recorder, x: Row, shifts: Any, dims: Any = None) -> Row:
    """Record the features of some axes moved on in a circle."""
    if dims is None or dims == ():
        raise refusal("roll without dims, which moves features from row to row")
    many = dims if isinstance(dims, tuple | list) else (dims,)
    axes = tuple(axis_of(x, d) for d in many)
    steps = tuple(shifts) if isinstance(shifts, tuple | list) else (shifts,)
    return rec.arrange([x], np.roll(positions_of(x), steps, axes))


@records("diagonal")
def diagonal(rec: Recorder, x: Row, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Row:
    """Record the diagonal of two axes, as the last axis."""
    a, b = axis_of(x, dim1), axis_of(x, dim2)
    return rec.arrange([x], positions_of(x).diagonal(offset, a, b))


def kept_where(rec: Recorder, mask: Tensor, x: Row) -> Row:
    """Return x where a mask of its last axes holds, 0 elsewhere."""
    return rec.pointwise("where", rec.hold(mask.to(rec.device)), x, 0.0)


@records("diag_embed")
def diag_embed(rec: Recorder, x: Row, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Row:
    """Record matrices with the last axis on their diagonal."""
    if offset or {dim1, dim2} != {-2, -1}:
        raise refusal("diag_embed with an offset or other dims")
    column = rec.row((*x.trailing, 1), x.value, x.kind)
    return kept_where(rec, torch.eye(x.trailing[-1], dtype=torch.bool), column)


@records("tril")
def tril(rec: Recorder, x: Row, diagonal: int = 0) -> Row:
    """Record the lower triangle of the last two axes."""
    _, _ = axis_of(x, -1), axis_of(x, -2)
    return kept_where(rec, torch.ones(x.trailing[-2:], dtype=torch.bool).tril(diagonal), x)


@records("triu")
def triu(rec: Recorder, x: Row, diagonal: int = 0) -> Row:
    """Record the upper triangle of the last two axes."""
    _, _ = axis_of(x, -1), axis_of(x, -2)
    return kept_where(rec, torch.ones(x.trailing[-2:], dtype=torch.bool).triu(diagonal), x)


_MODES: dict[str, Any] = {"circular": "wrap", "reflect": "reflect", "replicate": "edge"}


@records("pad")
def pad(rec: Recorder, x: Row, pad: Any, mode: str = "constant", value: Any = None) -> Row:
    """Record features with a number put before and behind them."""
    if len(pad) > 2 * len(x.trailing):
        raise refusal("pad of the batch axis")
    if mode in _MODES:
        sides = list(zip(pad[::2], pad[1::2], strict=True))[::-1]
        widths = [(0, 0)] * (len(x.trailing) - len(sides)) + sides
        return rec.arrange([x], np.pad(positions_of(x), widths, mode=_MODES[mode]))
    for k, (before, after) in enumerate(zip(pad[::2], pad[1::2], strict=True)):
        axis = len(x.trailing) - 1 - k
        if before < 0 or after < 0:
            raise refusal("pad by less than 0")
        beside = [
            rec.full((*x.trailing[:axis], n, *x.trailing[axis + 1 :]), value or 0.0, x.kind)
            for n in (before, after)
        ]
        rows = [beside[0], x, beside[1]]
        x = joined(rec, [row for row in rows if count(row.trailing)], axis)
    return x
