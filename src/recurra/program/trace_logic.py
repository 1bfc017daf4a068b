"""Recording what is true or false of each feature."""

import math
from typing import Any

import torch

from recurra.program.trace_recorder import Recorder
from recurra.program.trace_symbol import Row
from recurra.program.trace_table import records


def truth(rec: Recorder, x: Any) -> Any:
    """Return whether x is not zero, as torch's bool of a number."""
    if not isinstance(x, Row):
        return torch.ne(x, 0)
    return x if x.kind is torch.bool else rec.pointwise("ne", x, 0)


@records("logical_and", "bitwise_and", "__and__", "__rand__")
def logical_and(rec: Recorder, a: Any, b: Any) -> Row:
    """Record whether both hold."""
    return rec.pointwise("mul", truth(rec, a), truth(rec, b), kind=torch.bool)


@records("logical_or", "bitwise_or", "__or__", "__ror__")
def logical_or(rec: Recorder, a: Any, b: Any) -> Row:
    """Record whether either holds."""
    return rec.pointwise("maximum", truth(rec, a), truth(rec, b), kind=torch.bool)


@records("logical_xor", "bitwise_xor", "__xor__", "__rxor__")
def logical_xor(rec: Recorder, a: Any, b: Any) -> Row:
    """Record whether one of two holds."""
    return rec.pointwise("ne", truth(rec, a), truth(rec, b))


@records("logical_not", "bitwise_not", "__invert__")
def logical_not(rec: Recorder, x: Any) -> Row:
    """Record whether x does not hold."""
    return rec.pointwise("eq", truth(rec, x), 0)


@records("isnan")
def isnan(rec: Recorder, x: Any) -> Row:
    """Record whether x is NaN."""
    return rec.pointwise("ne", x, x)


@records("isinf")
def isinf(rec: Recorder, x: Any) -> Row:
    """Record whether x is infinite."""
    return rec.pointwise("eq", rec.pointwise("abs", x), math.inf)


@records("isfinite")
def isfinite(rec: Recorder, x: Any) -> Row:
    """Record whether x is neither infinite nor NaN."""
    return rec.pointwise("lt", rec.pointwise("abs", x), math.inf)
