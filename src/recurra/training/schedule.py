"""Learning rates over a run."""

import math
from collections.abc import Callable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def warmup_cosine(
    optimizer: Optimizer, steps: int, warmup: int = 200, floor: float = 0.01
) -> LambdaLR:
    """Raise the learning rate linearly over `warmup` steps, then let it fall along a cosine.

    It ends at `floor` times its peak after `steps` steps; `warmup` is at most a tenth of them.
    Source: the cosine is SGDR's, Loshchilov and Hutter, arXiv 1608.03983, equation 5.
    """
    warmup = min(warmup, max(1, steps // 10))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        done = min(1.0, (step - warmup) / max(1, steps - warmup))
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done))

    rate: Callable[[int], float] = factor
    return LambdaLR(optimizer, rate)
