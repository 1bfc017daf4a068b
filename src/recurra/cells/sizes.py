"""Sizes and numbers that a user gives, checked."""

import math

import numpy as np

from recurra.errors import ArgumentError, ArgumentTypeError


def check_size(name: str, size: object, most: int = 1 << 40) -> int:
    """Return `size`; raise unless it is a whole number above zero, and at most `most`."""
    if isinstance(size, bool) or not isinstance(size, int | np.integer):
        raise ArgumentTypeError(f"{name} must be a whole number, got {size!r}.")
    if size <= 0:
        raise ArgumentError(f"{name} must be at least 1, got {size}.")
    if size > most:
        raise ArgumentError(f"{name} must be at most {most}, got {size}.")
    return int(size)


def check_number(name: str, value: object, above: float | None = None) -> float:
    """Return `value`; raise unless it is a finite number, and above `above` if that is given."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise ArgumentTypeError(f"{name} must be a number, got {value!r}.")
    if not math.isfinite(value):
        raise ArgumentError(f"{name} must be finite, got {value}.")
    if above is not None and value <= above:
        raise ArgumentError(f"{name} must be above {above}, got {value}.")
    return float(value)


def check_flag(name: str, value: object) -> bool:
    """Return `value`; raise unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ArgumentTypeError(f"{name} must be True or False, got {value!r}.")
    return bool(value)
