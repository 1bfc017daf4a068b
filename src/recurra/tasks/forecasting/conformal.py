"""Quantiles calibrated on forecasts whose outcome is known: split conformal prediction."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
LEAST = 20  # outcomes, below which a rolling calibration says nothing


def conformal_shifts(quantiles: Numbers, y: Numbers, levels: Sequence[float]) -> Numbers:
    """Return what to add to each quantile so that as many outcomes lie below it as should.

    The quantile at level τ < 1/2 goes down by the ⌈(n + 1)(1 - τ)⌉-th smallest of q_τ - y, that
    at τ > 1/2 up by the ⌈(n + 1)τ⌉-th smallest of y - q_τ; with too few outcomes for that rank, by
    the largest. The median stays. Each horizon has shifts of its own.
    Source: Romano, Patterson and Candès, arXiv 1905.03222, theorem 2 (tails on their own). Its
    guarantee is for exchangeable outcomes, which those of a series are only nearly.

    Args:
        quantiles: (n, H, Q), forecast.
        y: (n, H), what came.
        levels: Q.

    Returns (H, Q), zeros where n is 0.
    """
    shifts = np.zeros(quantiles.shape[1:])
    if not len(quantiles):
        return shifts
    for k, level in enumerate(levels):
        misses, sign = _misses(quantiles[:, :, k], y, level)
        rank = _rank(len(misses), level)
        shifts[:, k] = sign * np.sort(misses, axis=0)[rank]
    return shifts


def rolling_shifts(
    quantiles: Numbers, y: Numbers, levels: Sequence[float], ends: NDArray[np.int64], most: int
) -> Numbers:
    """Return for each forecast the shifts by those of one series whose outcome was known by then.

    The forecast h ahead (from 1) that was made before step e comes out at step e + h - 1: it counts
    for forecasts made later than that, the latest `most` of them. NaN where fewer than `LEAST`
    have come out. Cost: a sort of `most` numbers for each forecast, horizon and level.

    Args:
        quantiles: (n, H, Q), forecast, in the order of time.
        y: (n, H), what came.
        levels: Q.
        ends: (n,), ascending, the step each was made before.
        most: how many outcomes count.

    Returns (n, H, Q).
    """
    shifts = np.full(quantiles.shape, np.nan)
    columns = np.arange(len(levels))
    for h in range(quantiles.shape[1]):
        parts = [_misses(quantiles[:, h, k], y[:, h], level) for k, level in enumerate(levels)]
        misses = np.stack([part for part, _ in parts], -1)
        signs = np.array([sign for _, sign in parts])
        # How many forecasts h + 1 ahead have come out before each is made.
        out = np.searchsorted(ends + h, ends, side="left")
        for count in np.unique(out[out >= LEAST]):
            seen = np.sort(misses[max(0, count - most) : count], axis=0)
            ranks = [_rank(len(seen), level) for level in levels]
            shifts[out == count, h] = signs * seen[ranks, columns]
    return shifts


def shifted(quantiles: Numbers, shifts: Numbers, levels: Sequence[float]) -> Numbers:
    """Return quantiles (n, H, Q) with the shifts added, still ascending.

    Where a shift would take a quantile across its neighbour it stops there, from the middle
    outwards.
    """
    moved = quantiles + shifts
    middle = min(range(len(levels)), key=lambda k: abs(levels[k] - 0.5))
    above = np.maximum.accumulate(moved[..., middle:], axis=-1)
    below = np.minimum.accumulate(moved[..., middle::-1], axis=-1)[..., ::-1]
    return np.concatenate([below[..., :-1], above], axis=-1)


def _misses(quantile: Numbers, y: Numbers, level: float) -> tuple[Numbers, float]:
    """Return how far each outcome lies beyond the quantile, and which way beyond is."""
    if level == 0.5:
        return np.zeros_like(y), 0.0
    return (quantile - y, -1.0) if level < 0.5 else (y - quantile, 1.0)


def _rank(n: int, level: float) -> int:
    # The tolerance keeps 0.9·10 from being a little more than 9.
    return min(n, math.ceil((n + 1) * max(level, 1 - level) - 1e-9)) - 1
