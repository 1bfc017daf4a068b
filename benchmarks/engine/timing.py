"""Times side by side: the contestants take turns within one run."""

import gc
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

THREADS = 2
SETTLE = 0.01  # seconds of rest before a turn, so that no other pool's idle threads still spin


@dataclass(frozen=True)
class Effort:
    """How long to measure: so many turns each, of so many seconds, within a limit for them all."""

    turns: int = 9
    least: int = 7
    turn: float = 0.05
    limit: float = 45.0


QUICK = Effort(turns=2, least=1, turn=0.0005, limit=2.0)


def limit_threads() -> None:
    """Keep this process, and what it starts, to two processors where there are more."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    import torch

    torch.set_num_threads(THREADS)


def measure(
    contestants: Mapping[str, Callable[[], Any]],
    effort: Effort,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return the seconds of a call of each contestant, one number for each of its turns.

    A turn is as many calls as last `effort.turn`. Who begins changes from round to round. The
    first two calls of each, which set it up, do not count.
    """
    calls = {}
    for name, call in contestants.items():
        call()
        began = clock()
        call()
        took = clock() - began
        calls[name] = max(1, math.ceil(effort.turn / max(took, 1e-7)))
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    began = time.perf_counter()
    gc.collect()
    gc.disable()
    try:
        for turn in range(effort.turns):
            if turn >= effort.least and time.perf_counter() - began > effort.limit:
                break
            for name in order:
                seconds[name].append(_turn(contestants[name], calls[name], clock))
            order.append(order.pop(0))
            gc.collect()
    finally:
        gc.enable()
    return seconds


def _turn(call: Callable[[], Any], times: int, clock: Callable[[], float]) -> float:
    time.sleep(SETTLE)
    began = clock()
    for _ in range(times):
        call()
    return (clock() - began) / times


def medians(seconds: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(each) for name, each in seconds.items()}


def spread(each: list[float]) -> float:
    """Return the distance between the quartiles over the median."""
    if len(each) < 4:
        return math.nan
    low, middle, high = statistics.quantiles(each, n=4)
    return (high - low) / middle


def mean(ratios: list[float]) -> float:
    """Return the geometric mean."""
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


def say(text: str) -> None:
    """Tell how far it is, beside the table."""
    print(text, file=sys.stderr, flush=True)
