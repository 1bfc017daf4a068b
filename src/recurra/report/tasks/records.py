"""What a report on a trained model says: plain values, and figures that are already drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from recurra.report.page import Drawing
from recurra.tasks.judging.judged import Judged
from recurra.tasks.judging.scores import number
from recurra.training.history import History


@dataclass(frozen=True)
class TableView:
    """A table: its caption, the header, the rows as text, the first cell of each its name.

    numbers: whether all other cells are numbers; worse: the rows in which a baseline is better.
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: bool = False
    worse: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A small picture, as a data: address, and what is said of it; right: None for no verdict."""

    address: str
    caption: str
    wanted: str = ""
    right: bool | None = None


@dataclass(frozen=True)
class Section:
    """A part of the page: its heading, a text, and what is shown below."""

    name: str
    title: str
    text: str = ""
    drawings: Sequence[Drawing] = ()
    tables: Sequence[TableView] = ()
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class TaskReport:
    """All that the page on one trained model shows.

    title, lead: the heading and one paragraph; facts: pairs of label and value; judged: scores
    and details; history: the training run, None where it is not shown; unit: of its losses;
    target: what is predicted, for a regressor.
    """

    title: str
    lead: str
    facts: list[tuple[str, str]]
    judged: Judged
    history: History | None = None
    unit: str = ""
    target: str = "number"
    notes: list[str] = field(default_factory=list)


def score_text(value: float) -> str:
    """Return a score as a reader sees it, with a minus sign and no hyphen."""
    return number(value).replace("-", "\N{MINUS SIGN}")
