"""What a forecaster learns instead of the values: their differences, their logarithms."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ArgumentError, DataError

Numbers = NDArray[np.float64]
TRANSFORMS = ("none", "log", "difference", "log_difference")


def check_transform(transform: str) -> None:
    """Raise `ArgumentError` unless the transform is known."""
    if transform not in TRANSFORMS:
        raise ArgumentError(
            f"series_transform={transform!r} is not known; there are {', '.join(TRANSFORMS)}."
        )


def lag_of(transform: str) -> int:
    """Return how many values before a step it takes: 1 for differences."""
    return int(transform.endswith("difference"))


def levels_of(values: Numbers, transform: str, name: str) -> Numbers:
    """Return the values, or their logarithms; raises `DataError` where there is none."""
    if not transform.startswith("log"):
        return values
    if (values <= 0).any():
        k = int((values <= 0).argmax()) if values.ndim == 1 else None
        where = "" if k is None else f" at step {k}"
        raise DataError(
            f"series {name!r} has {float(values[values <= 0].flat[0]):g}{where}, which has no "
            f"logarithm; with series_transform={transform!r} all values must be above 0."
        )
    return np.log(values)


def steps_of(values: Numbers, transform: str, name: str) -> Numbers:
    """Return what the network reads of values (..., T): as many steps, the first difference 0."""
    level = levels_of(values, transform, name)
    if not lag_of(transform):
        return level
    return np.diff(level, axis=-1, prepend=level[..., :1])


def targets_of(last: Numbers, ahead: Numbers, transform: str, name: str) -> Numbers:
    """Return what is forecast, (n, H), for values `ahead` (n, H) of the `last` ones (n,).

    A difference is that from the last value seen, however far ahead: so each horizon's quantiles
    are those of the value itself, and errors do not add up.
    """
    level = levels_of(ahead, transform, name)
    if not lag_of(transform):
        return level
    return level - levels_of(last, transform, name)[:, np.newaxis]


def inverse(last: Numbers, forecast: Any, transform: str) -> Numbers:
    """Return the values (n, H, ...) that forecasts (n, H, ...) of `targets_of` stand for."""
    level: Numbers = np.asarray(forecast)
    shape = (-1,) + (1,) * (level.ndim - 1)
    if transform == "difference":
        return level + last.reshape(shape)
    if transform == "log":
        return np.exp(level)
    if transform == "log_difference":
        return last.reshape(shape) * np.exp(level)
    return level
