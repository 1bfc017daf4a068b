"""What a report on a sequence generator says: plain values, before any drawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from recurra.training.history import History


@dataclass(frozen=True)
class SampleRow:
    """Sequences generated for one condition from one prefix ("" for none)."""

    condition: str
    prefix: str
    sequences: list[str]


@dataclass(frozen=True)
class ScoreRow:
    """The loss on one condition's held-out sequences, beside a naive model's on the same ones.

    sequences, symbols: how many were scored; loss, baseline: nats a symbol, lower is better.
    """

    condition: str
    sequences: int
    symbols: int
    loss: float
    baseline: float

    @property
    def comparable(self) -> bool:
        """Whether both losses are finite numbers."""
        return math.isfinite(self.loss) and math.isfinite(self.baseline)

    @property
    def difference(self) -> float:
        """The loss less the baseline's, nats a symbol: below zero the model is better."""
        return self.loss - self.baseline


@dataclass(frozen=True)
class GeneratorReport:
    """All that the page on one trained generator shows.

    title, lead: the heading and one paragraph, plain text; facts: pairs of label and value;
    history: the training run; samples, scores: one row each, in any order;
    baseline_name: the naive model of `ScoreRow.baseline`, such as "character bigrams";
    condition_name, symbol_name: what a condition and a symbol are called, in the singular.
    """

    title: str
    lead: str
    facts: list[tuple[str, str]]
    history: History
    samples: list[SampleRow]
    scores: list[ScoreRow]
    baseline_name: str
    condition_name: str = "country"
    symbol_name: str = "character"

    @property
    def unit(self) -> str:
        """The unit of the losses, such as "nats a character"."""
        return f"nats a {self.symbol_name}"


def by_loss(scores: Sequence[ScoreRow]) -> list[ScoreRow]:
    """Return the rows sorted by loss, lowest first; equal ones by name, NaN last."""
    return sorted(
        scores,
        key=lambda row: (
            (math.isnan(row.loss), 0.0 if math.isnan(row.loss) else row.loss, row.condition)
        ),
    )


def baseline_wins(scores: Sequence[ScoreRow]) -> list[ScoreRow]:
    """Return the comparable rows in which the baseline has the lower loss, in the given order."""
    return [row for row in scores if row.comparable and row.difference > 0]


def overall(scores: Sequence[ScoreRow]) -> ScoreRow | None:
    """Return all comparable rows as one, losses averaged by symbol; None without any symbol."""
    rows = [row for row in scores if row.comparable and row.symbols > 0]
    symbols = sum(row.symbols for row in rows)
    if not symbols:
        return None
    return ScoreRow(
        condition="",
        sequences=sum(row.sequences for row in rows),
        symbols=symbols,
        loss=math.fsum(row.loss * row.symbols for row in rows) / symbols,
        baseline=math.fsum(row.baseline * row.symbols for row in rows) / symbols,
    )
