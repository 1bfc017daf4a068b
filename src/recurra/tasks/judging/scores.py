"""A score beside what can be had without the model, and what to think of it, in plain English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ArgumentError

Interval = tuple[float, float]
_DRAWS = 1000


@dataclass(frozen=True)
class Score:
    """One score of a model, on examples it was not trained on, beside naive models' on the same.

    Args:
        name: of the score, such as "accuracy".
        value: the model's.
        examples: on how many it was taken.
        noun: what those are, in the plural.
        baselines: by name, what stands beside it.
        parts: by name, what parts of the model score alone; no baselines.
        higher_is_better: False for errors and losses.
        unit: what it is measured in; "" for shares.
        interval: between which 95 % of its bootstrap samples lie; None where none was taken.
        margin: the same of how much better the model is than the best baseline.
    """

    name: str
    value: float
    examples: int
    noun: str = "examples"
    baselines: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, float] = field(default_factory=dict)
    higher_is_better: bool = True
    unit: str = ""
    interval: Interval | None = None
    margin: Interval | None = None

    @property
    def best_baseline(self) -> tuple[str, float] | None:
        """The name and the score of the best baseline; None without any that is a number."""
        known = {name: value for name, value in self.baselines.items() if value == value}
        if not known:
            return None
        pick = max if self.higher_is_better else min
        name = pick(known, key=known.__getitem__)
        return name, known[name]

    @property
    def gain(self) -> float:
        """How much better the model is than the best baseline; below 0 it is worse, nan unknown."""
        best = self.best_baseline
        if best is None:
            return float("nan")
        return (self.value - best[1]) * (1 if self.higher_is_better else -1)

    @property
    def is_clear(self) -> bool:
        """Whether the margin's interval, if there is one, excludes zero."""
        return self.margin is None or self.margin[0] > 0 or self.margin[1] < 0

    def line(self) -> str:
        """Return the score and the baselines on one line, and the verdict where a baseline wins."""
        unit = f" {self.unit}" if self.unit else ""
        text = f"{self.name} {number(self.value)}{unit} on {self.examples:,} held-out {self.noun}"
        if not self.baselines:
            return text
        beside = (f"{name} {number(value)}" for name, value in self.baselines.items())
        text += f"; {', '.join(beside)}"
        return text if self.gain > 0 and self.is_clear else f"{text}. {self.verdict()}"

    def verdict(self) -> str:
        """Return in a sentence or two whether the model is better than what is naive."""
        best = self.best_baseline
        if best is None:
            return "There is nothing to compare it with."
        name, value = best
        pair = f"{number(self.value)} against {number(value)}"
        if self.gain == 0:
            return f"The model is no better than {name}: both come to {number(value)}."
        if not self.is_clear:
            side = "ahead of" if self.gain > 0 else "behind"
            return (
                f"The model is {side} {name} ({pair}), but on {self.examples:,} {self.noun} the "
                "difference may be chance."
            )
        if self.gain < 0:
            start = name[0].upper() + name[1:]
            return f"{start} wins, {number(value)} against {number(self.value)}: use that."
        return f"The model is better than the best baseline, {name}: {pair}."


def number(value: float) -> str:
    """Return a score as text: three decimals, or three digits of what is small or large."""
    if value != value:
        return "not a number"
    if value == 0 or 0.1 <= abs(value) < 1000:
        return f"{value:.3f}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"


def bootstrap(values: Sequence[float] | NDArray[Any], seed: int = 0) -> Interval | None:
    """Return between which 95 % of the means of samples drawn from n values lie.

    The percentile bootstrap (Efron, 1979) with 1,000 samples; it costs 1,000 n. None for n < 2.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1:
        raise ArgumentError(f"values must be (n,), got {x.shape}.")
    if len(x) < 2:
        return None
    draw = np.random.default_rng(seed)
    means = [x[draw.integers(len(x), size=len(x))].mean() for _ in range(_DRAWS)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def share_score(
    name: str,
    right: NDArray[Any],
    baselines: Mapping[str, NDArray[Any]],
    noun: str,
    parts: Mapping[str, NDArray[Any]] | None = None,
) -> Score:
    """Return the share of n examples that are right, with intervals.

    Args:
        name: of the score.
        right: (n,), whether the model is right, or its share of each example.
        baselines, parts: the same of each baseline and of each part of the model.
        noun: what the examples are.
    """
    known = {key: float(np.mean(values)) for key, values in baselines.items()}
    best = max(known, key=known.__getitem__, default=None)
    margin = None
    if best is not None:
        gains = np.asarray(right, np.float64) - np.asarray(baselines[best], np.float64)
        margin = bootstrap(gains)
    return Score(
        name,
        float(np.mean(right)),
        len(right),
        noun,
        known,
        {key: float(np.mean(values)) for key, values in (parts or {}).items()},
        interval=bootstrap(right),
        margin=margin,
    )


def error_score(
    name: str,
    errors: NDArray[np.float64],
    baselines: Mapping[str, NDArray[np.float64]],
    noun: str,
    unit: str = "",
) -> Score:
    """Return the mean of n errors beside those of baselines, lower being better, with intervals."""
    known = {key: float(values.mean()) for key, values in baselines.items()}
    best = min(known, key=known.__getitem__, default=None)
    return Score(
        name,
        float(errors.mean()),
        len(errors),
        noun,
        known,
        higher_is_better=False,
        unit=unit,
        interval=bootstrap(errors),
        margin=None if best is None else bootstrap(baselines[best] - errors),
    )
