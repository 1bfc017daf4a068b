"""Where a gradient leaves the range of a floating-point format."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]

FORMATS: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
_FARTHEST = 10**6


def limits(dtype: torch.dtype) -> tuple[float, float]:
    """Return the smallest subnormal and the largest finite number of a format."""
    info = torch.finfo(dtype)
    return info.smallest_normal * info.eps, info.max


def first_outside(means: Array, rates: Array, dtype: torch.dtype) -> dict[str, Any]:
    """Return the first distance at which a gradient leaves a format's range, in any layer.

    Args:
        means: (layers, directions, T), the gradient's mean norm by distance, NaN where unknown.
        rates: (layers, directions), the factor a step, which carries on where measuring ends.
        dtype: the format.

    Returns a dict: "distance" (None if there is none within a million steps), "kind"
    ("underflow": below the smallest subnormal number, so that all of it is zero; "overflow": above
    the largest finite one; None), "measured" (False where the rate was carried on), "layer" and
    "direction" (None without a distance).
    """
    nearest: dict[str, Any] = {
        "distance": None,
        "kind": None,
        "measured": True,
        "layer": None,
        "direction": None,
    }
    for layer, direction in np.ndindex(rates.shape):
        found = _first(means[layer, direction], float(rates[layer, direction]), limits(dtype))
        if found is None:
            continue
        distance, kind, measured = found
        if nearest["distance"] is None or distance < nearest["distance"]:
            nearest = {
                "distance": distance,
                "kind": kind,
                "measured": measured,
                "layer": layer,
                "direction": direction,
            }
    return nearest


def _first(means: Array, rate: float, within: tuple[float, float]) -> tuple[int, str, bool] | None:
    smallest, largest = within
    known = np.flatnonzero(~np.isnan(means))
    if not (means[known] > 0).any():  # nothing flows at any distance: there is nothing to lose
        return None
    for d in known:
        if means[d] < smallest or means[d] > largest:
            return int(d), "underflow" if means[d] < smallest else "overflow", True
    last = int(known[-1])
    if not 0 < rate < math.inf or rate == 1:
        return None
    goal = smallest if rate < 1 else largest
    # The first whole distance beyond the border, not on it.
    more = math.floor(math.log(goal / means[last]) / math.log(rate)) + 1
    if last + more > _FARTHEST:
        return None
    return last + more, "underflow" if rate < 1 else "overflow", False
