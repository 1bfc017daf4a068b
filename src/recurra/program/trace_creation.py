"""Recording tensors made for the batch: constants, and random numbers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.program.program import Number
from recurra.program.trace_randoms import Random
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_refusal import refusal
from recurra.program.trace_shapes import same_device, sizes_of
from recurra.program.trace_symbol import BatchSize, Row
from recurra.program.trace_table import records
from recurra.program.trace_writer import count

_VALUES: dict[str, Number] = {"zeros": 0.0, "ones": 1.0, "empty": 0.0}


def trailing_of(sizes: Sequence[Any]) -> tuple[int, ...]:
    """Return the shape without the batch axis, which must be first."""
    if not sizes or not isinstance(sizes[0], BatchSize):
        raise refusal(f"a tensor of {tuple(sizes)}, whose first axis is not the batch")
    if any(isinstance(size, BatchSize) for size in sizes[1:]):
        raise refusal("a tensor with the batch axis twice")
    return tuple(int(size) for size in sizes[1:])


def check_device(rec: Recorder, device: Any) -> None:
    """Refuse a tensor made elsewhere than the rows are."""
    if device is not None and not same_device(rec, device):
        raise refusal(f"a tensor on {device} beside rows on {rec.device}")


def filled(rec: Recorder, trailing: tuple[int, ...], value: Any, kind: torch.dtype) -> Row:
    """Return rows of one number, rounded as the dtype does."""
    value = rec.lift(value)
    if not isinstance(value, int | float):
        raise refusal("a tensor filled with a tensor")
    if kind is rec.dtype and isinstance(value, float):
        return rec.full(trailing, value, kind)
    return rec.full(trailing, torch.tensor(value, dtype=kind).item(), kind)


def maker(value: Number, own_dtype: bool) -> Any:
    """Return what records a tensor of one number for the batch."""

    def make(
        rec: Recorder, *args: Any, dtype: Any = None, device: Any = None, **others: Any
    ) -> Any:
        like: Any = None
        if own_dtype:  # a method of a row: x.new_zeros(...)
            like, *args = args  # type: ignore[assignment]
        sizes = sizes_of(args or tuple(v for k, v in others.items() if k == "size"))
        check_device(rec, device)
        kind = dtype or (like.dtype if own_dtype else torch.get_default_dtype())
        if own_dtype and not any(isinstance(size, BatchSize) for size in sizes):
            return plain(rec, torch.full(sizes, value, dtype=kind, device=device or rec.device))
        return filled(rec, trailing_of(sizes), value, kind)

    return make


def plain(rec: Recorder, tensor: Tensor) -> Tensor:
    """Return a tensor that the cell has made, not of the batch."""
    rec.created[id(tensor)] = tensor
    return tensor


for _name, _value in _VALUES.items():
    records(_name, spaces=(torch,), batch=True)(maker(_value, False))
    records(f"new_{_name}", spaces=(Tensor,), batch=True)(maker(_value, True))


def maker_like(value: Number) -> Any:
    """Return what records a tensor of one number in the shape of a row."""

    def make(rec: Recorder, x: Any, *, dtype: Any = None, device: Any = None, **_: Any) -> Row:
        check_device(rec, device)
        return filled(rec, x.trailing, value, dtype or x.kind)

    return make


for _name, _value in _VALUES.items():
    records(f"{_name}_like", spaces=(torch,))(maker_like(_value))


@records("full", spaces=(torch,), batch=True)
def full(
    rec: Recorder, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, **_: Any
) -> Row:
    """Record a tensor of one number for the batch."""
    check_device(rec, device)
    kind = dtype or (torch.get_default_dtype() if isinstance(fill_value, float) else None)
    return filled(rec, trailing_of(size), fill_value, kind or torch.tensor(fill_value).dtype)


@records("new_full", spaces=(Tensor,), batch=True)
def new_full(rec: Recorder, x: Any, size: Any, fill_value: Any, *, dtype: Any = None,
             device: Any = None, **_: Any) -> Any:  # fmt: skip
    """Record a tensor of one number and of a row's dtype."""
    check_device(rec, device)
    if not any(isinstance(s, BatchSize) for s in size):
        return plain(rec, torch.full(size, fill_value, dtype=dtype or x.dtype, device=rec.device))
    return filled(rec, trailing_of(size), fill_value, dtype or x.dtype)


@records("full_like", spaces=(torch,))
def full_like(
    rec: Recorder, x: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, **_: Any
) -> Row:
    """Record a tensor of one number in the shape of a row."""
    check_device(rec, device)
    return filled(rec, x.trailing, fill_value, dtype or x.kind)


@records("new_tensor", spaces=(Tensor,))
def new_tensor(rec: Recorder, x: Row, data: Any, *, dtype: Any = None, **_: Any) -> Tensor:
    """Return a tensor of the cell's own numbers, of a row's dtype."""
    return plain(rec, torch.tensor(data, dtype=dtype or x.kind, device=rec.device))


# Random numbers


def random_maker(kind: Any, like: bool) -> Any:
    """Return what records random numbers for each row."""

    def make(rec: Recorder, *args: Any, dtype: Any = None, device: Any = None, **_: Any) -> Row:
        if _.get("generator") is not None:
            raise refusal("random numbers of a generator of the cell's own")
        check_device(rec, device)
        trailing = args[0].trailing if like else trailing_of(sizes_of(args))
        own = dtype or (args[0].kind if like else torch.get_default_dtype())
        if own is not rec.dtype:
            raise refusal(f"random numbers of {own} where the cell's input is {rec.dtype}")
        return rec.random(Random(kind, count(trailing)), trailing, own)

    return make


for _kind, _name in (("uniform", "rand"), ("normal", "randn")):
    records(_name, spaces=(torch,), batch=True)(random_maker(_kind, False))
    records(f"{_name}_like", spaces=(torch,))(random_maker(_kind, True))


@records("bernoulli")
def bernoulli(rec: Recorder, x: Row, p: Any = None, *, generator: Any = None) -> Row:
    """Record ones with a probability that is the same for every feature."""
    probability = rec.number_of(x) if p is None else p
    if generator is not None or not isinstance(probability, int | float):
        raise refusal("torch.bernoulli with probabilities of each row's own, or with a generator")
    return rec.random(
        Random("bernoulli", count(x.trailing), float(probability)), x.trailing, x.kind
    )


@records("dropout")
def dropout(
    rec: Recorder, x: Row, p: float = 0.5, training: bool | None = None, inplace: bool = False,
    train: bool | None = None,
) -> Row:  # fmt: skip
    """Record x times a mask of 0 and 1 / (1 - p), drawn for each row and step."""
    if inplace:
        raise refusal("dropout with inplace=True changes a tensor in place")
    on = train if train is not None else (True if training is None else training)
    where = rec.place_of(p)
    if where is None and not 0 <= p <= 1:
        raise ValueError(f"p={p}")
    if not on or (where is None and p == 0):
        return rec.row(x.trailing, x.value, x.kind)
    probability = float(p) if where is None else where
    mask = rec.random(Random("dropout", count(x.trailing), probability), x.trailing, x.kind)
    return rec.pointwise("mul", x, mask)


@records("alpha_dropout", "feature_alpha_dropout", "feature_dropout")
def other_dropout(
    rec: Recorder, x: Row, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Row:
    """Return x where nothing is dropped; refuse these dropouts in training."""
    if training and p:
        raise refusal("this dropout in training")
    return rec.row(x.trailing, x.value, x.kind)
