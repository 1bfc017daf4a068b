"""Rows of a batch, as a caller names them."""

from typing import Any

import torch
from torch import Tensor

from recurra.errors import ArgumentError, ArgumentTypeError, ShapeError


def rows_named(rows: Any, B: int) -> Tensor:
    """Return which of B rows are meant, as whole numbers from 0 to B - 1.

    rows: a mask (B,) of booleans, or different whole numbers (one number will do).
    Raises `ShapeError` for a mask of another size, `ArgumentError` for numbers that name no row
    or one twice, `ArgumentTypeError` for what is neither.
    """
    ways = f"give a mask of {B} booleans, or different whole numbers from 0 to {B - 1}"
    if isinstance(rows, Tensor):
        given = rows
    else:
        try:
            given = torch.as_tensor(list(rows) if isinstance(rows, range) else rows)
        except (TypeError, ValueError, RuntimeError, OverflowError):
            raise ArgumentTypeError(f"rows={rows!r} names no rows: {ways}.") from None
    if given.layout is not torch.strided or given.is_meta:
        raise ArgumentTypeError(f"rows is a {given.layout} tensor on {given.device}: {ways}.")
    given = given.detach().cpu()
    if given.dtype == torch.bool:
        if given.shape != (B,):
            raise ShapeError(f"rows is a mask of {tuple(given.shape)}, not of ({B},): {ways}.")
        return given.nonzero()[:, 0]
    if given.dim() > 1:
        raise ShapeError(f"rows is of {tuple(given.shape)}: {ways}.")
    if not given.numel():
        return given.new_zeros(0, dtype=torch.int64)
    if given.is_floating_point() or given.is_complex():
        raise ArgumentTypeError(f"rows is of {given.dtype}: {ways}.")
    named = given.to(torch.int64).reshape(-1).tolist()
    for row in named:
        if not -B <= row < B:
            raise ArgumentError(f"rows names row {row} of a batch of {B}: {ways}.")
    if len({row % B for row in named}) < len(named):
        raise ArgumentError(f"rows={named} names a row twice: {ways}.")
    return torch.tensor([row % B for row in named])
