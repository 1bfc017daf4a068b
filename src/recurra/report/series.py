"""Long series of numbers made short enough to draw, and smooth enough to read."""

import math
from collections.abc import Sequence
from statistics import median

MOST_POINTS = 2000
_MEDIANS = 200


def envelope(
    steps: Sequence[int], values: Sequence[float], most: int = MOST_POINTS
) -> tuple[list[int], list[float]]:
    """Return at most `most` of the points: the lowest and the highest of each equal stretch.

    A series that is short enough is returned whole. Extremes are kept, which an even pick
    would lose.
    """
    n = len(values)
    if n <= most:
        return list(steps), list(values)
    stretches = most // 2
    kept: set[int] = set()
    for k in range(stretches):
        stretch = range(k * n // stretches, (k + 1) * n // stretches)
        kept |= {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
    order = sorted(kept)
    return [steps[i] for i in order], [values[i] for i in order]


def median_window(n: int) -> int:
    """Return how many of n steps one median is over: a fortieth, odd, at least 5."""
    return max(5, n // 40 | 1)


def running_median(steps: Sequence[int], values: Sequence[float]) -> tuple[list[int], list[float]]:
    """Return the median of the `median_window` around at most 200 of the steps.

    Windows at the ends are cut off there. Cost: 5 sorted windows' worth a value.
    """
    n = len(values)
    half = median_window(n) // 2
    centres = (
        range(n) if n <= _MEDIANS else [k * (n - 1) // (_MEDIANS - 1) for k in range(_MEDIANS)]
    )
    medians = [median(values[max(0, c - half) : c + half + 1]) for c in centres]
    return [steps[c] for c in centres], medians


def log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers between two positive limits at least a factor 2.25 apart."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    decades = list(range(first, last + 1))
    if len(decades) >= 3:
        every = math.ceil(len(decades) / 7)
        return [10.0**k for k in decades if k % every == 0]
    for digits in ((1, 2, 5), range(1, 10)):
        ticks = [d * 10.0**k for k in range(first - 1, last + 1) for d in digits]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            break
    return ticks
