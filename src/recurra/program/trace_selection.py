"""Recording choices by what the features are: largest, sorted, looked up. An index is a row of
whole numbers, and what it selects a sum over all there is to choose from, of which one is kept.
"""

import math
from typing import Any

import torch
from torch import Tensor

from recurra.program.trace_features import fixed_index, permuted, positions_of
from recurra.program.trace_products import matmul
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_reductions import amax, amin, floating, total
from recurra.program.trace_refusal import refusal
from recurra.program.trace_shapes import axis_of
from recurra.program.trace_symbol import Leaf, Row
from recurra.program.trace_table import records
from recurra.program.trace_writer import count

# What is compared in all pairs, and a table that is looked up in as a product with a matrix: where
# there is more of it, torch's own search is faster in its loop than this would be.
MOST_SORTED = 64
LARGEST_TABLE = 2**16


def counting(rec: Recorder, n: int, axes_behind: int = 0) -> Any:
    """Return 0, 1, ..., n - 1 along an axis with so many axes behind it, as a parameter."""
    if n not in rec.countings:
        rec.countings[n] = rec.hold(torch.arange(n, dtype=rec.dtype, device=rec.device))
    numbers: Any = rec.countings[n]
    return numbers.reshape(n, *[1] * axes_behind) if axes_behind else numbers


def of_kind(rec: Recorder, x: Row, kind: torch.dtype) -> Row:
    """Return the same numbers, said to be of another dtype."""
    return rec.row(x.trailing, x.value, kind)


def is_index(x: Any) -> bool:
    """Return whether x is an index that each row has its own of."""
    return isinstance(x, Row) and not x.kind.is_floating_point and x.kind is not torch.bool


def moved_last(rec: Recorder, x: Row, axis: int) -> Row:
    """Return x with an axis put behind the others."""
    order = [k for k in range(len(x.trailing)) if k != axis]
    return permuted(rec, x, [*order, axis]) if axis != len(order) else x


def moved_back(rec: Recorder, x: Row, axis: int) -> Row:
    """Return x with its last axis put where it was."""
    order = list(range(len(x.trailing) - 1))
    return permuted(rec, x, [*order[:axis], len(order), *order[axis:]])


# The largest and the smallest


def first_of(rec: Recorder, flags: Row, axis: int) -> Row:
    """Return the first position along an axis where a flag is set, the axis kept at size 1."""
    n = flags.trailing[axis]
    numbers = counting(rec, n, len(flags.trailing) - axis - 1)
    low = rec.pointwise("where", flags, -numbers, float(-n))
    return rec.pointwise("neg", amax(rec, low, axis + 1, True))


def chosen(rec: Recorder, x: Row, dim: Any, least: bool) -> tuple[Row, Row, int]:
    """Return which feature of an axis is the first largest (or least), its position, the axis."""
    axis = axis_of(x, dim)
    x = floating(rec, x, None)
    top = (amin if least else amax)(rec, x, dim, True)
    flags = rec.pointwise("maximum", rec.pointwise("eq", x, top), rec.pointwise("ne", x, x))
    position = first_of(rec, flags, axis)
    numbers = counting(rec, x.trailing[axis], len(x.trailing) - axis - 1)
    return rec.pointwise("eq", numbers, position), position, axis


def without_axis(rec: Recorder, x: Row, axis: int, keepdim: bool) -> Row:
    """Return a row without an axis of size 1, unless it is to be kept."""
    trailing = x.trailing if keepdim else (*x.trailing[:axis], *x.trailing[axis + 1 :])
    return rec.row(trailing, x.value, x.kind)


def extreme(rec: Recorder, x: Row, other: Any, keepdim: bool, least: bool) -> Any:
    """Return the larger of two, or the largest of an axis and where it lies."""
    if isinstance(other, Tensor):
        return rec.pointwise("minimum" if least else "maximum", x, other)
    if other is None:
        return amax(rec, x, None)
    which, position, axis = chosen(rec, x, other, least)
    picked = total(rec, rec.pointwise("where", which, x, 0.0), other, True)
    made: Any = torch.return_types.min if least else torch.return_types.max
    index = of_kind(rec, position, torch.int64)
    return made([without_axis(rec, r, axis, keepdim) for r in (picked, index)])


@records("max")
def largest(rec: Recorder, x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
    """Record the larger of two, or the largest of an axis with its index."""
    return extreme(rec, x, dim, keepdim, False)


@records("min")
def smallest(rec: Recorder, x: Any, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:
    """Record the smaller of two, or the smallest of an axis with its index."""
    return extreme(rec, x, dim, keepdim, True)


@records("aminmax")
def aminmax(rec: Recorder, x: Row, *, dim: Any = None, keepdim: bool = False) -> Any:
    """Record the smallest and the largest of an axis."""
    made: Any = torch.return_types.aminmax
    return made([amin(rec, x, dim, keepdim), amax(rec, x, dim, keepdim)])


def position_maker(least: bool) -> Any:
    """Return what records the first position of the largest or smallest of an axis."""

    def position(rec: Recorder, x: Row, dim: Any = None, keepdim: bool = False) -> Row:
        if dim is None:
            return amax(rec, x, None)
        _, found, axis = chosen(rec, x, dim, least)
        return of_kind(rec, without_axis(rec, found, axis, keepdim), torch.int64)

    return position


records("argmax")(position_maker(False))
records("argmin")(position_maker(True))


# Order


def in_order(rec: Recorder, x: Row, descending: bool, most: int) -> tuple[Row, Row]:
    """Return the first of x's last axis in order, and where they were; NaN counts as largest."""
    n = x.trailing[-1]
    if n > MOST_SORTED:
        raise refusal(
            f"sorting {n} features: more than {MOST_SORTED} are faster sorted by torch, in the loop"
        )
    axes = x.trailing[:-1]
    one = rec.row((*axes, n, 1), x.value, x.kind)
    other = rec.row((*axes, 1, n), x.value, x.kind)
    ahead: Any = rec.pointwise("gt" if descending else "lt", other, one)
    nan, other_nan = (rec.pointwise("ne", r, r) for r in (one, other))
    late, early = (other_nan, nan) if descending else (nan, other_nan)
    ahead = ahead | rec.pointwise("gt", late, early)
    both_nan = rec.pointwise("mul", nan, other_nan)
    equal = rec.pointwise("maximum", rec.pointwise("eq", one, other), both_nan)
    before = rec.hold(torch.ones(n, n, dtype=rec.dtype, device=rec.device).tril(-1))
    ties = rec.pointwise("mul", of_kind(rec, equal, rec.dtype), before)
    place = total(rec, rec.pointwise("maximum", of_kind(rec, ahead, rec.dtype), ties), -1)
    wanted = counting(rec, most, 1)
    which = rec.pointwise("eq", rec.row((*axes, 1, n), place.value, rec.dtype), wanted)
    values = total(rec, rec.pointwise("where", which, other, 0.0), -1)
    index = rec.pointwise("where", which, counting(rec, n), 0.0)
    return values, of_kind(rec, total(rec, index, -1), torch.int64)


def ordered(rec: Recorder, x: Row, dim: int, descending: bool, most: int | None) -> list[Row]:
    """Return an axis in order, or the first of it, and where they were."""
    axis = axis_of(x, dim)
    line = moved_last(rec, floating(rec, x, None), axis)
    n = line.trailing[-1]
    if most is not None and not 0 < most <= n:
        raise ValueError(f"{most} of {n} features")
    found = in_order(rec, line, descending, n if most is None else most)
    return [moved_back(rec, r, axis) for r in found]


@records("sort")
def sort(
    rec: Recorder, x: Row, dim: int = -1, descending: bool = False, stable: bool = False
) -> Any:
    """Record an axis in order; equal features keep theirs."""
    made: Any = torch.return_types.sort
    return made(ordered(rec, x, dim, descending, None))


@records("argsort")
def argsort(
    rec: Recorder, x: Row, dim: int = -1, descending: bool = False, stable: bool = False
) -> Row:
    """Record where the features of an axis are, in order."""
    return ordered(rec, x, dim, descending, None)[1]


@records("topk")
def topk(
    rec: Recorder, x: Row, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Any:
    """Record the k largest of an axis, in order; of equal features the first are taken."""
    made: Any = torch.return_types.topk
    return made(ordered(rec, x, dim, largest, k))


# Looking up


@records("one_hot")
def one_hot(rec: Recorder, index: Row, num_classes: int = -1) -> Row:
    """Record ones where an index says, zeros elsewhere."""
    if num_classes < 1:
        raise refusal("one_hot without num_classes, which depends on all rows; name it")
    if not is_index(index):
        raise refusal(f"one_hot of {index.kind} values; write x.long() first")
    return of_kind(rec, flags_of(rec, index, num_classes), torch.int64)


def flags_of(rec: Recorder, index: Row, n: int) -> Row:
    """Return (..., n) flags of which the one at the index is set."""
    wide = rec.row((*index.trailing, 1), index.value, rec.dtype)
    return rec.pointwise("eq", counting(rec, n), wide)


def where_inside(rec: Recorder, y: Row, index: Row, n: int) -> Row:
    """Return y where an index lies among n, NaN elsewhere: torch would raise."""
    wide = rec.row(
        (*index.trailing, *[1] * (len(y.trailing) - len(index.trailing))), index.value, rec.dtype
    )
    inside = rec.pointwise("mul", rec.pointwise("ge", wide, 0), rec.pointwise("lt", wide, n))
    return rec.pointwise("where", inside, y, math.nan)


@records("gather", "take_along_dim")
def gather(rec: Recorder, x: Any, dim: Any, index: Any = None, *, sparse_grad: bool = False) -> Row:
    """Record the features of an axis at an index that each row has its own of."""
    if isinstance(dim, Tensor):  # take_along_dim has them the other way round
        dim, index = index, dim
    if not (isinstance(x, Row) and is_index(index)):
        raise refusal("gather by an index that is the same for all rows; write x[:, index]")
    axis = axis_of(x, dim)
    line, at = moved_last(rec, x, axis), moved_last(rec, index, axis)
    if line.trailing[:-1] != at.trailing[:-1]:
        raise refusal(f"gather of (B, {x.trailing}) by an index of (B, {index.trailing})")
    n, m = line.trailing[-1], at.trailing[-1]
    if count(line.trailing) * m > LARGEST_TABLE:
        raise refusal(f"gather of {m} of {n} features, each a sum over all; the loop is faster")
    wide = rec.row((*line.trailing[:-1], 1, n), line.value, line.kind)
    picked = rec.pointwise("where", flags_of(rec, at, n), wide, 0.0)
    y = where_inside(rec, total(rec, picked, -1), at, n)
    return moved_back(rec, y, axis)


@records("index_select")
def index_select(rec: Recorder, x: Any, dim: int, index: Any) -> Row:
    """Record some positions of an axis, or of a table at an index that each row has its own of."""
    if isinstance(x, Leaf) and is_index(index) and dim == 0 and index.trailing == ():
        return looked_up(rec, x, index)
    if isinstance(index, Row):
        raise refusal("index_select by an index that each row has its own of; write gather")
    return rec.arrange([x], positions_of(x).take(fixed_index(rec, index), axis_of(x, dim)))


def looked_up(rec: Recorder, table: Leaf, index: Row) -> Row:
    """Return the rows of a table of parameters (n, ...) that an index names."""
    n, *rest = table.meta.shape
    if table.meta.numel() > LARGEST_TABLE:
        raise refusal(
            f"looking up in a table of {tuple(table.meta.shape)}, which takes a product with all "
            "of it; the loop is faster (look up outside the cell what does not depend on its state)"
        )
    flags = of_kind(rec, flags_of(rec, index, n), rec.dtype)
    flat: Any = rec.on_leaves(Tensor.reshape, (table, (n, -1)), {})
    y: Any = matmul(rec, flags, flat)
    return where_inside(rec, y.reshape(rec.batch, *index.trailing, *rest), index, n)


@records("embedding")
def embedding(
    rec: Recorder, index: Any, weight: Any, padding_idx: int | None = None,
    max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Row:  # fmt: skip
    """Record the rows of a table at an index that each row of the batch has its own of."""
    if not is_index(index):
        raise refusal("F.embedding of what is no index; write x.long()")
    if max_norm is not None or scale_grad_by_freq or sparse:
        raise refusal("F.embedding with max_norm, scale_grad_by_freq or sparse; leave them out")
    table: Any = rec.lift(weight)
    if padding_idx is not None:
        learned = torch.arange(table.shape[0], device=rec.device) != padding_idx % table.shape[0]
        table = torch.where(rec.hold(learned)[:, None], table, table.detach())
    return looked_up(rec, table, index)


@records("bucketize")
def bucketize(
    rec: Recorder, x: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False
) -> Row:
    """Record how many of some ascending boundaries lie below x."""
    x, bounds = rec.lift(x), rec.lift(boundaries)
    if not (isinstance(x, Row) and isinstance(bounds, Leaf) and bounds.meta.dim() == 1):
        raise refusal("boundaries that are no one vector for all rows")
    wide = rec.row((*x.trailing, 1), x.value, x.kind)
    beyond = rec.pointwise("lt" if right else "le", wide, bounds)  # false for NaN, which is last
    passed = of_kind(rec, rec.pointwise("eq", beyond, 0), rec.dtype)
    return of_kind(rec, total(rec, passed, -1), torch.int32 if out_int32 else torch.int64)


@records("searchsorted")
def searchsorted(
    rec: Recorder, sequence: Any, x: Any, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Any = None,
) -> Row:  # fmt: skip
    """Record where x would be put into an ascending sequence."""
    if sorter is not None:
        raise refusal("torch.searchsorted with a sorter")
    return bucketize(rec, x, sequence, out_int32=out_int32, right=right or side == "right")


@records("scatter", "scatter_", "scatter_add", "scatter_add_")
def scatter(rec: Recorder, x: Row, *_: Any, **others: Any) -> Row:
    """Refuse a scatter, which says it twice."""
    raise refusal("scatter; write torch.where(F.one_hot(index, n).bool(), source, x)")


@records("median", "nanmedian", "kthvalue", "quantile", "nanquantile")
def of_order(rec: Recorder, *_: Any, **others: Any) -> None:
    """Refuse what sorting gives."""
    raise refusal("medians and quantiles; write x.sort(-1).values[..., k], with k of your own")


@records("multinomial")
def multinomial(rec: Recorder, *_: Any, **others: Any) -> None:
    """Refuse a draw that has a softer form."""
    raise refusal("multinomial; write F.gumbel_softmax(logits, hard=True), or its argmax(-1)")


@records("cummax", "cummin", "logcumsumexp", "mode")
def running_extremes(rec: Recorder, *_: Any, **others: Any) -> None:
    """Refuse cumulative operations other than sums and products."""
    raise refusal(
        "cummax, cummin, logcumsumexp and mode; write torch.stack([x[:, :k].amax(-1) for k in "
        "range(1, n + 1)], -1) and the like"
    )


@records("nonzero", "masked_select", "unique", "argwhere")
def of_any_size(rec: Recorder, *_: Any, **others: Any) -> None:
    """Refuse results whose size depends on the numbers."""
    raise refusal("a result whose size depends on the numbers; write torch.where(mask, x, 0)")
