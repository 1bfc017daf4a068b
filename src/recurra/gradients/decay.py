"""What arrives from how far, and the factor a step: of a matrix of gradient norms."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]

_RESAMPLES = 1000
_ENOUGH_TIMES = 8  # to resample them


def begins(times: Sequence[int], losses: int, T: int, reverse: bool) -> Sequence[int]:
    """Return the steps from which distances count: the times, or of one loss in all the run's end.

    losses: how many there are, T or 1; reverse: whether the run ends at step 0.
    """
    return times if losses == T else (0 if reverse else T - 1,)


def by_distance(norms: Array, times: Sequence[int], reverse: bool) -> Iterator[Array]:
    """Yield for each loss time the norms (n, T) by distance, back in the run's direction.

    A run that goes forward is followed from t to 0, one that goes backward from t to T - 1.
    """
    for row, t in zip(norms, times, strict=True):
        yield row[t:] if reverse else row[t::-1]


def mean_by_distance(rows: Sequence[Array], T: int) -> Array:
    """Return (T,), the mean of what the rows have at each distance, NaN where none has a number."""
    padded = np.full((len(rows), T), np.nan)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    known = ~np.isnan(padded)
    count = known.sum(0)
    # Divided first: a sum of what float64 can hold may be more than it can.
    shares = np.where(known, padded, 0) / np.maximum(count, 1)
    return np.where(count > 0, shares.sum(0), np.nan)


def arriving(norms: Array, times: Sequence[int], reverse: bool) -> Array:
    """Return (T,), by distance d, the mean over t of norm(t, t - d) / norm(t, t).

    For a run that goes backward it is norm(t, t + d). NaN where no t has such a step, or where
    nothing arrives at distance 0.
    """
    T = norms.shape[1]
    shares = []
    for row in by_distance(norms, times, reverse):
        if 0 < row[0] < np.inf:
            with np.errstate(over="ignore"):
                shares.append(row / row[0])
    return mean_by_distance(shares, T)


def rate_a_step(
    norms: Array, times: Sequence[int], reverse: bool, dtype: torch.dtype = torch.float64
) -> tuple[float, float, float, str]:
    """Return the factor a step, its 95 % interval, and how the interval was found.

    The factor is exp of the slope of log norm(t, s) against |t - s|, by least squares over all
    pairs on the run's own side of t, each t with an intercept of its own; what is below
    the smallest normal number of `dtype` is left out. The interval is a bootstrap over t (1,000
    resamples, seed 0), or, of fewer than 8 t, from the least squares' standard error. NaN where
    there are too few pairs.
    """
    squares, products, residues, pairs = [], [], 0.0, 0
    lines = []
    for row in by_distance(norms, times, reverse):
        used = np.flatnonzero((row > torch.finfo(dtype).tiny) & np.isfinite(row))
        if len(used) < 2:
            continue
        x, y = used - used.mean(), np.log(row[used])
        y = y - y.mean()
        squares.append(float(x @ x))
        products.append(float(x @ y))
        lines.append((x, y))
        pairs += len(used)
    if not lines:
        return np.nan, np.nan, np.nan, "none"
    sxx, sxy = np.array(squares), np.array(products)
    slope = sxy.sum() / sxx.sum()
    if len(lines) >= _ENOUGH_TIMES:
        draws = np.random.default_rng(0).integers(len(lines), size=(_RESAMPLES, len(lines)))
        slopes = sxy[draws].sum(1) / sxx[draws].sum(1)
        low, high = np.quantile(slopes, [0.025, 0.975])
        return float(np.exp(slope)), float(np.exp(low)), float(np.exp(high)), "bootstrap"
    free = pairs - len(lines) - 1
    if free < 1:
        return float(np.exp(slope)), np.nan, np.nan, "none"
    residues = sum(float(((y - slope * x) ** 2).sum()) for x, y in lines)
    half = 1.96 * np.sqrt(residues / free / sxx.sum())
    return float(np.exp(slope)), float(np.exp(slope - half)), float(np.exp(slope + half)), "squares"
