"""Which learning rates work: a short training in which the rate rises from step to step."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from recurra.errors import ArgumentError, DivergenceError
from recurra.training.batches import Batches
from recurra.training.loop import Trainer
from recurra.training.session import session_of


@dataclass(frozen=True)
class RateRange:
    """The result of a range test.

    rates: the learning rate of each step; losses: the loss at it, smoothed; suggestion: a tenth
    of the rate at which the loss was lowest.
    """

    rates: list[float]
    losses: list[float]
    suggestion: float


def range_test(
    trainer: Trainer,
    batches: Batches,
    *,
    lowest: float = 1e-5,
    highest: float = 1.0,
    steps: int = 100,
) -> RateRange:
    """Train for up to `steps` steps, the learning rate rising from `lowest` to `highest`.

    It ends early once the loss is four times its lowest. The model and the optimiser are
    afterwards as they were. Source: Smith, arXiv 1506.01186, section 3.3.

    Raises `ArgumentError` unless 0 < lowest < highest and steps >= 10.
    """
    if not 0 < lowest < highest or not math.isfinite(highest):
        raise ArgumentError(
            f"a range goes from above 0 upwards, got lowest={lowest}, highest={highest}."
        )
    if steps < 10:
        raise ArgumentError(f"steps must be at least 10, got {steps}.")
    kept = deepcopy((trainer.model.state_dict(), trainer.optimizer.state_dict(), trainer.history))
    schedule, callbacks = trainer.schedule, trainer.callbacks
    trainer.schedule, trainer.callbacks = None, []
    rates: list[float] = []
    losses: list[float] = []
    smooth = Smooth()
    with ExitStack() as stack:
        stack.callback(trainer.model.load_state_dict, kept[0])
        stack.callback(trainer.optimizer.load_state_dict, kept[1])
        stack.callback(setattr, trainer, "history", kept[2])
        stack.callback(setattr, trainer, "schedule", schedule)
        stack.callback(setattr, trainer, "callbacks", callbacks)
        batches, _ = stack.enter_context(session_of(trainer)).shares(batches, None)
        trainer.model.train()
        for step, batch in zip(range(steps), _again_and_again(batches), strict=False):
            rate = lowest * (highest / lowest) ** (step / (steps - 1))
            for group in trainer.optimizer.param_groups:
                group["lr"] = rate
            try:
                total, weight = trainer.train_step(batch)
            except DivergenceError:
                break
            rates.append(rate)
            losses.append(smooth(total / weight))
            if losses[-1] > 4 * min(losses) and step >= 10:
                break
    lowest_at = min(range(len(losses)), key=losses.__getitem__, default=None)
    suggestion = math.nan if lowest_at is None else rates[lowest_at] / 10
    return RateRange(rates, losses, suggestion)


class Smooth:
    """An exponentially weighted mean, unbiased at its beginning."""

    def __init__(self, keep: float = 0.9) -> None:
        self._keep, self._sum, self._weight = keep, 0.0, 0.0

    def __call__(self, value: float) -> float:
        """Take in a value and return the mean."""
        self._sum = self._keep * self._sum + (1 - self._keep) * value
        self._weight = self._keep * self._weight + (1 - self._keep)
        return self._sum / self._weight


def _again_and_again(batches: Batches) -> Iterator[Any]:
    return chain.from_iterable(repeat(batches))
