"""The figure of the held-out loss of each condition."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from recurra.report.canvas import (
    FONT,
    LIGHT,
    NAME,
    PLAIN,
    SMALL,
    TEXT,
    drawable,
    empty,
    grid,
    key,
    middle,
    number_axis,
    paper,
    write,
)
from recurra.report.records import ScoreRow, baseline_wins, by_loss
from recurra.report.text import loss_text, shorten, text_width

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

MOST_BARS = 100  # more are unreadable: the figure then shows both ends of the ranking
_ROW = 17.0  # points from one bar to the next


def score_bars(
    scores: Sequence[ScoreRow], unit: str = "nats a symbol", baseline_name: str = "baseline"
) -> "Figure":
    """Draw the held-out loss of each condition as a bar, lowest first, the baseline as a tick.

    Bars start at zero and have another colour where the baseline is lower. Of more than 100
    rows, the 50 lowest and the 50 highest are drawn.

    Raises `MissingDependencyError` without matplotlib.
    """
    rows: list[ScoreRow | None] = list(by_loss(scores))
    if len(rows) > MOST_BARS:
        rows = [*rows[: MOST_BARS // 2], None, *rows[-MOST_BARS // 2 :]]
    more = f"… {len(scores) - MOST_BARS:,} more"
    labels = [more if row is None else shorten(row.condition, NAME, SMALL) for row in rows]
    left = 10 + max((text_width(label, SMALL) for label in labels), default=0)
    both_ends = len(rows) > 20  # a long figure has its numbers at the top too
    height = 112 + 20 * both_ends + _ROW * max(1, len(rows))
    figure = paper(height, left=left, right=14, top=66 + 20 * both_ends, bottom=46)
    axes = figure.axes[0]
    write(figure, 0, 12, f"Held-out loss, {unit}")
    if not rows:
        return empty(figure, "no scores")
    drawn = [row for row in rows if row is not None]
    values = [v for row in drawn for v in (row.loss, row.baseline) if drawable(v)]
    axes.set_xlim(min([0, *values]) * 1.03, max([0, *values]) * 1.03 or 1)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    number_axis(axes, "x", 6)
    axes.tick_params(axis="x", labeltop=both_ends)
    grid(axes, "x")
    axes.set_yticks(range(len(rows)), labels, **PLAIN)
    for text in axes.get_yticklabels():
        text.set_color(LIGHT["ink"])
    worse = {id(row) for row in baseline_wins(drawn)}
    entries = _draw_bars(axes, rows, worse)
    entries.append(_draw_ticks(axes, rows, shorten(baseline_name, NAME, TEXT)))
    write(figure, middle(figure), height - 12, unit, align="center")
    key(figure, 28, entries)
    return figure


def _draw_bars(
    axes: "Axes", rows: Sequence[ScoreRow | None], worse: set[int]
) -> "list[Artist | BarContainer]":
    """Draw the bars and return one entry a colour for the key."""
    entries: list[Artist | BarContainer] = []
    for role, label in (("first", "loss"), ("second", "loss above the baseline")):
        ys = [
            (y, row.loss)
            for y, row in enumerate(rows)
            if row is not None and drawable(row.loss) and (id(row) in worse) == (role == "second")
        ]
        if ys:
            places, losses = zip(*ys, strict=True)
            entries.append(
                axes.barh(places, losses, 0.64, color=LIGHT[role], linewidth=0, label=label)
            )
    for y, row in enumerate(rows):
        if row is not None and not drawable(row.loss):
            axes.text(0, y, f" {loss_text(row.loss)}", color=LIGHT["muted"], **FONT)
    return entries


def _draw_ticks(axes: "Axes", rows: Sequence[ScoreRow | None], name: str) -> "Artist":
    """Draw a tick at each row's baseline, and return its entry for the key."""
    from matplotlib.lines import Line2D

    places = [(row.baseline, y) for y, row in enumerate(rows) if row and drawable(row.baseline)]
    xs, ys = [x for x, _ in places], [y for _, y in places]
    low, high = [y - 0.44 for y in ys], [y + 0.44 for y in ys]
    axes.vlines(xs, low, high, color=LIGHT["baseline"], linewidth=2, linestyle="-", label=name)
    return Line2D(
        [],
        [],
        color=LIGHT["baseline"],
        linestyle="",
        marker="|",
        markersize=11,
        markeredgewidth=2,
        label=name,
    )
