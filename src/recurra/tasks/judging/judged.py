"""What a judgement of a model is made of: plain records, one kind of detail for each task."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.tasks.judging.scores import Score
from recurra.tasks.tagging.scores import TagScore


@dataclass(frozen=True)
class Part:
    """Examples of a task: n inputs, n targets (None: nothing), n conditions (None: without)."""

    X: Any
    y: Any = None
    condition: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.X)

    def select(self, rows: Sequence[int]) -> "Part":
        """Return the examples of `rows`, in that order."""
        return Part(
            _chosen(self.X, rows),
            None if self.y is None else _chosen(self.y, rows),
            None if self.condition is None else _chosen(self.condition, rows),
        )


@dataclass(frozen=True)
class Mistake:
    """An input whose prediction is wrong: what was right, what was said, with what probability."""

    shown: str
    true: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class ClassDetails:
    """How a classifier, or a filler of blanks, fares.

    classes: C names; confusion: (C, C), how many of a true class (row) were taken for each;
    per_class: a score each; mistakes: the most confident first; whole: how many there are.
    """

    classes: list[str]
    confusion: NDArray[np.int64]
    per_class: list[TagScore]
    mistakes: list[Mistake]
    whole: int


@dataclass(frozen=True)
class NumberDetails:
    """How a regressor fares: (n,) true and predicted numbers; the inputs it missed by most."""

    true: NDArray[np.float64]
    predicted: NDArray[np.float64]
    worst: list[tuple[str, float, float]]


@dataclass(frozen=True)
class TagDetails:
    """How a tagger fares: by tag, by span (empty without spans), sentences it got wrong.

    wrong: pairs of a sentence's words and, for each, (true, predicted).
    """

    per_tag: list[TagScore]
    spans: list[TagScore]
    wrong: list[tuple[list[str], list[tuple[str, str]]]]


@dataclass(frozen=True)
class WrittenRow:
    """What was written for an input, and what was wanted."""

    shown: str
    wanted: str
    written: str
    condition: str = ""

    @property
    def right(self) -> bool:
        """Whether that is the same."""
        return self.wanted == self.written


@dataclass(frozen=True)
class WrittenDetails:
    """How a translator or a captioner fares.

    rows: some examples, wrong ones among them; alignments: where translations looked; pictures:
    for captions, one for each row.
    """

    rows: list[WrittenRow]
    alignments: list[Any] = field(default_factory=list)
    pictures: list[NDArray[Any]] = field(default_factory=list)


@dataclass(frozen=True)
class MadeDetails:
    """What a generator makes: for each condition ("" without) and prefix some sequences."""

    samples: list[tuple[str, str, list[str]]]
    symbol: str


@dataclass(frozen=True)
class Judged:
    """A model judged on one part of the data: its scores, the main one first, and the details."""

    scores: list[Score]
    details: Any


def short(item: Any, most: int = 200) -> str:
    """Return an input as a table can show it: a text as it is, a list joined, numbers summed up."""
    if isinstance(item, str):
        text = item
    elif isinstance(item, list | tuple) and all(isinstance(part, str) for part in item):
        text = " ".join(item)
    else:
        flat = np.asarray(item, dtype=np.float64).ravel()
        text = ", ".join(f"{value:.4g}" for value in flat[:8].tolist())
        text += f", ... ({len(flat):,} numbers)" if len(flat) > 8 else ""
    return text if len(text) <= most else text[:most].rstrip() + "…"


def _chosen(items: Any, rows: Sequence[int]) -> Any:
    if isinstance(items, np.ndarray):
        return items[np.asarray(rows, dtype=np.int64)]
    return [items[k] for k in rows]
