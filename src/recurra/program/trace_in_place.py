"""Recording what is written into tensors: assignments, fills, copies. Each gives the new whole."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.program.trace_arithmetic import where
from recurra.program.trace_copies import expanded
from recurra.program.trace_features import fixed_index, positions_of
from recurra.program.trace_randoms import Random
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_reductions import softmax
from recurra.program.trace_refusal import refusal
from recurra.program.trace_selection import chosen, of_kind
from recurra.program.trace_shapes import axis_of, detach
from recurra.program.trace_symbol import Row
from recurra.program.trace_table import records
from recurra.program.trace_writer import Positions, broadcast, count


def spread_to(rec: Recorder, value: Any, trailing: tuple[int, ...], kind: torch.dtype) -> Row:
    """Return a row, parameter or number as a row of a shape."""
    value = rec.lift(value)
    if isinstance(value, int | float):
        return rec.full(trailing, torch.tensor(value, dtype=kind).item(), kind)
    if not isinstance(value, Row):
        return expanded(rec, value, (rec.batch, *trailing))
    if broadcast([value.trailing, trailing]) != trailing:
        raise ValueError(f"features of {value.trailing} written into {trailing}")
    if len(value.trailing) != len(trailing):
        raise refusal(f"a write of (B, {value.trailing}) into (B, {trailing}) mixes rows")
    return rec.row(trailing, rec.fit(value, trailing), value.kind)


@records("copy_")
def copy_into(rec: Recorder, x: Row, source: Any, non_blocking: bool = False) -> Row:
    """Record the numbers of another tensor."""
    return spread_to(rec, source, x.trailing, x.kind)


@records("fill_", "fill")
def fill(rec: Recorder, x: Row, value: Any) -> Row:
    """Record one number in all features."""
    return spread_to(rec, value, x.trailing, x.kind)


@records("zero_")
def zero(rec: Recorder, x: Row) -> Row:
    """Record zeros."""
    return rec.full(x.trailing, 0.0 if x.kind.is_floating_point else False, x.kind)


@records("uniform_")
def uniform(
    rec: Recorder, x: Row, low: float = 0.0, high: float = 1.0, *, generator: Any = None
) -> Row:
    """Record numbers drawn evenly between two for each row."""
    drawn = rec.random(kind_of("uniform", x, generator), x.trailing, x.kind)
    return drawn if (low, high) == (0, 1) else rec.pointwise("add", drawn * (high - low), low)


@records("normal_")
def normal(
    rec: Recorder, x: Row, mean: float = 0.0, std: float = 1.0, *, generator: Any = None
) -> Row:
    """Record numbers drawn from the normal distribution for each row."""
    drawn = rec.random(kind_of("normal", x, generator), x.trailing, x.kind)
    return drawn if (mean, std) == (0, 1) else rec.pointwise("add", drawn * std, mean)


@records("bernoulli_")
def bernoulli(rec: Recorder, x: Row, p: Any = 0.5, *, generator: Any = None) -> Row:
    """Record ones with a probability, drawn for each row."""
    if not isinstance(p, int | float):
        raise refusal("Tensor.bernoulli_ with probabilities of each row's own")
    return rec.random(kind_of("bernoulli", x, generator, float(p)), x.trailing, x.kind)


def exponential(rec: Recorder, x: Row, rate: float = 1.0, generator: Any = None) -> Row:
    """Return numbers of the exponential distribution for each row, all above 0."""
    drawn = rec.random(kind_of("uniform", x, generator), x.trailing, x.kind)
    high = rec.pointwise("neg", rec.pointwise("log1p", rec.pointwise("neg", drawn)))
    above = rec.pointwise("maximum", high, torch.finfo(rec.dtype).tiny)
    return above if rate == 1 else rec.pointwise("div", above, rate)


@records("exponential_")
def fill_exponential(rec: Recorder, x: Row, lambd: float = 1.0, *, generator: Any = None) -> Row:
    """Record numbers of the exponential distribution for each row."""
    return exponential(rec, x, lambd, generator)


@records("gumbel_softmax")
def gumbel_softmax(
    rec: Recorder, logits: Row, tau: float = 1, hard: bool = False, eps: float = 1e-10,
    dim: int = -1,
) -> Row:  # fmt: skip
    """Record a softmax of logits and Gumbel noise; hard: its largest as 1, its gradient kept."""
    noise = rec.pointwise("neg", rec.pointwise("log", exponential(rec, logits)))
    heated = rec.pointwise("div", rec.pointwise("add", logits, noise), tau)
    soft = softmax(rec, heated, dim)
    if not hard:
        return soft
    which = of_kind(rec, chosen(rec, soft, dim, False)[0], rec.dtype)
    return rec.pointwise("add", rec.pointwise("sub", which, detach(rec, soft)), soft)


def kind_of(kind: Any, x: Row, generator: Any, p: float = 0.0) -> Random:
    """Return what is to be drawn, refusing a generator of the cell's own."""
    if generator is not None:
        raise refusal("random numbers of a generator of the cell's own")
    return Random(kind, count(x.trailing), p)


# Parts


@records("__setitem__")
def set_item(rec: Recorder, x: Row, index: Any, value: Any) -> None:
    """Record an assignment to the features at an index whose first item is `:` or `...`."""
    if isinstance(index, Row):
        rec.write(x, masked(rec, x, index, value), "an assignment by a mask")
        return
    items = list(index) if isinstance(index, tuple) else [index]
    taken = sum(item is not None and item is not Ellipsis for item in items)
    if any(item is Ellipsis for item in items):
        at = next(k for k, item in enumerate(items) if item is Ellipsis)
        items[at : at + 1] = [slice(None)] * (len(x.trailing) + 1 - taken)
    if not (isinstance(items[0], slice) and items[0] == slice(None)):
        raise refusal("an assignment along the batch axis; write x[:, ...] = ...")
    chosen = features_of(x)[tuple(fixed_index(rec, item) for item in items[1:])]
    assign(rec, x, np.asarray(chosen), value)


def features_of(x: Row) -> Positions:
    """Return where a row's features lie in its memory, in its shape."""
    return positions_of(x) if x.place is None else x.place.features


def assign(rec: Recorder, x: Row, chosen: Positions, value: Any) -> None:
    """Write a value to some features of a row's memory; its first axes of size 1 are dropped."""
    if isinstance(value, Row):
        while len(value.trailing) > chosen.ndim and value.trailing[0] == 1:
            value = rec.row(value.trailing[1:], value.value, value.kind)
    rec.write(x, spread_to(rec, value, chosen.shape, x.kind), "an assignment", chosen)


def masked(rec: Recorder, x: Row, mask: Row, value: Any) -> Row:
    """Return a number where a mask of the first axes holds, x elsewhere."""
    if mask.kind is not torch.bool:
        raise refusal("an assignment at an index that each row has its own of; write torch.where")
    if isinstance(value, Tensor) and value.dim() > 0:
        raise refusal("an assignment of a tensor by a mask; write torch.where(mask, value, x)")
    rest = len(x.trailing) - len(mask.trailing)
    wide = rec.row((*mask.trailing, *[1] * rest), mask.value, mask.kind)
    return where(rec, wide, value, x)


def along(rec: Recorder, x: Row, dim: int, index: Any) -> Positions:
    """Return the features of x at some positions of an axis."""
    chosen = np.asarray(fixed_index(rec, index))
    if chosen.ndim > 1:
        raise ValueError(f"an index of {chosen.ndim} dimensions")
    return positions_of(x).take(chosen.reshape(-1), axis_of(x, dim))


def replaced(rec: Recorder, x: Row, at: Positions, value: Row) -> Row:
    """Return a row with the features at `at` replaced."""
    if len(np.unique(at)) < at.size:
        raise refusal("a write to one position twice")
    whole = positions_of(x).ravel().copy()
    whole[at.ravel()] = count(x.trailing) + np.arange(at.size)
    plain = [rec.row(r.trailing, rec.materialise(r), r.kind) for r in (x, value)]
    return rec.arrange(plain, whole.reshape(x.trailing))


@records("index_copy", "index_copy_")
def index_copy(rec: Recorder, x: Row, dim: int, index: Any, source: Any) -> Row:
    """Record x with some positions of an axis replaced."""
    at = along(rec, x, dim, index)
    return replaced(rec, x, at, spread_to(rec, source, at.shape, x.kind))


@records("index_fill", "index_fill_")
def index_fill(rec: Recorder, x: Row, dim: int, index: Any, value: Any) -> Row:
    """Record x with some positions of an axis filled."""
    return index_copy(rec, x, dim, index, value)


@records("index_add", "index_add_")
def index_add(rec: Recorder, x: Row, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Row:
    """Record x with something added to some positions of an axis."""
    at = along(rec, x, dim, index)
    given = spread_to(rec, source, at.shape, x.kind)
    given = given if alpha == 1 else rec.pointwise("mul", given, alpha)
    return replaced(rec, x, at, rec.pointwise("add", rec.arrange([x], at), given))
