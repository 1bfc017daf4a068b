"""Learning rates over a run."""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from recurra.errors import ArgumentError

SCHEDULES = ("cosine", "linear", "constant")


def make_schedule(kind: str, optimizer: Optimizer, steps: int) -> LambdaLR | None:
    """Return the schedule of that name over `steps` steps, None for "constant".

    Raises `ArgumentError` for another name.
    """
    if kind not in SCHEDULES:
        raise ArgumentError(f"schedule={kind!r} is not known; there are {', '.join(SCHEDULES)}.")
    if kind == "constant":
        return None
    return warmup(optimizer, steps, linear=kind == "linear")


def warmup(
    optimizer: Optimizer, steps: int, *, warm: int = 200, floor: float = 0.01, linear: bool = False
) -> LambdaLR:
    """Raise the learning rate linearly over `warm` steps, then let it fall along a cosine.

    It ends at `floor` times its peak after `steps` steps; `warm` is at most a tenth of them.
    With `linear` it falls along a line instead.
    Source: the cosine is SGDR's, Loshchilov and Hutter, arXiv 1608.03983, equation 5.
    """
    warm = min(warm, max(1, steps // 10))

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        done = min(1.0, (step - warm) / max(1, steps - warm))
        left = 1 - done if linear else 0.5 * (1 + math.cos(math.pi * done))
        return floor + (1 - floor) * left

    rate: Callable[[int], float] = factor
    return LambdaLR(optimizer, rate)
