"""Which dtype torch would give to the result of an op."""

from collections.abc import Sequence

import torch

from recurra.program.program import Number
from recurra.program.trace_refusal import refusal
from recurra.program.trace_symbol import Leaf, Row

COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne")
COMPLEX = (
    "complex numbers: a program's are real; keep real and imaginary part as two tensors (and two "
    "states), and write (a + ib)(c + id) as a·c - b·d and a·d + b·c"
)
_FOR_BOOLEANS = ("mul", "maximum", "minimum", "where")


def rank(dtype: torch.dtype) -> int:
    """Return 0 for bool, 1 for whole numbers, 2 for floating point, 3 for complex."""
    if dtype.is_complex:
        return 3
    return 2 if dtype.is_floating_point else int(dtype is not torch.bool)


def result_kind(
    op: str, operands: Sequence[Row | Leaf | Number], dtype: torch.dtype
) -> torch.dtype:
    """Return the dtype of a pointwise op's result; it must be bool or the program's `dtype`."""
    kind: torch.dtype | None = None
    weak = torch.bool
    for operand in operands[1:] if op == "where" else operands:
        if isinstance(operand, Row):
            own = operand.kind
        elif isinstance(operand, Leaf):
            own = operand.meta.dtype
            if operand.meta.dim() == 0:
                weak = own if rank(own) > rank(weak) else weak
                continue
        else:
            own = type_of(operand)
            weak = own if rank(own) > rank(weak) else weak
            continue
        kind = own if kind is None or kind is own else torch.promote_types(kind, own)
    if kind is None or rank(weak) > rank(kind):
        kind = weak
    if op in COMPARISONS:
        if kind is dtype or rank(kind) < 2:
            return torch.bool
    elif kind is dtype or (kind is torch.bool and op in _FOR_BOOLEANS):
        return kind
    if rank(kind) == 3:
        raise refusal(COMPLEX)
    if rank(kind) < 2:
        raise refusal(f"{op} of {kind} values; write x.to(h.dtype) first")
    raise refusal(f"{op} gives {kind} where the cell's input is {dtype}")


def type_of(number: Number) -> torch.dtype:
    """Return the dtype that torch gives a Python number."""
    if isinstance(number, bool):
        return torch.bool
    return torch.int64 if isinstance(number, int) else torch.get_default_dtype()
