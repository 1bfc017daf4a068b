"""The figure of a score beside its baselines."""

from typing import TYPE_CHECKING

from recurra.report.canvas import (
    FONT,
    LIGHT,
    PLAIN,
    SMALL,
    drawable,
    empty,
    grid,
    key,
    middle,
    number_axis,
    paper,
    write,
)
from recurra.report.text import name_list, shorten, text_width
from recurra.tasks.judging.scores import Score, number

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

_ROW = 26.0  # points from one bar to the next
_ROLES = {"first": "model", "faint": "a part of it alone", "second": "baseline"}
_LABEL = 185.0  # points a name may take


def score_figure(score: Score) -> "Figure":
    """Draw a score, those of the model's parts and those of the baselines as bars from zero.

    A whisker is the interval of the model's. Raises `MissingDependencyError` without matplotlib.
    """
    rows = [("the model", score.value, "first")]
    rows += [(name, value, "faint") for name, value in score.parts.items()]
    rows += [(name, value, "second") for name, value in score.baselines.items()]
    labels = [shorten(name, _LABEL, SMALL) for name, *_ in rows]
    left = 10 + max(text_width(label, SMALL) for label in labels)
    height = 106 + _ROW * len(rows)
    figure = paper(height, left=left, right=48, top=60, bottom=46)
    axes = figure.axes[0]
    better = "higher" if score.higher_is_better else "lower"
    write(figure, 0, 12, f"{score.name[0].upper()}{score.name[1:]}, {better} is better")
    values = [value for _, value, _ in rows if drawable(value)]
    if not values:
        return empty(figure, "no finite score to show")
    low, high = min([0.0, *values]), max([0.0, *values])
    axes.set_xlim(low * 1.05, high * 1.02 or 1.0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    number_axis(axes, "x", 5)
    grid(axes, "x")
    axes.set_yticks(range(len(rows)), labels, **PLAIN)
    for text in axes.get_yticklabels():
        text.set_color(LIGHT["ink"])
    entries: list[Artist | BarContainer] = []
    for role, label in _ROLES.items():
        bars = [(y, value) for y, (_, value, r) in enumerate(rows) if r == role and drawable(value)]
        if bars:
            places, widths = zip(*bars, strict=True)
            entries.append(
                axes.barh(places, widths, 0.6, color=LIGHT[role], linewidth=0, label=label)
            )
    for y, (_, value, _) in enumerate(rows):
        end = max(value, 0.0) if drawable(value) else 0.0
        if y == 0 and score.interval is not None:
            end = max(end, score.interval[1])
            axes.plot(
                score.interval, [y, y], color=LIGHT["ink"], linewidth=1.6, clip_on=False, gid="ci"
            )
        axes.annotate(
            number(value),
            (end, y),
            xytext=(7, 0),
            textcoords="offset points",
            color=LIGHT["ink"],
            annotation_clip=False,
            **FONT,
        )
    write(figure, middle(figure), height - 12, score.unit or score.name, align="center")
    key(figure, 32, entries)
    return figure


def score_caption(score: Score) -> str:
    """Return what `score_figure` shows."""
    text = [f"On {score.examples:,} held-out {score.noun} the model comes to {number(score.value)}"]
    if score.interval is not None:
        low, high = score.interval
        text[0] += f" (95 % interval {number(low)} to {number(high)})"
    text[0] += "."
    text.append(score.verdict())
    if score.parts:
        parts = [f"{name} {number(value)}" for name, value in score.parts.items()]
        text.append(f"Of its parts: {name_list(parts)}.")
    if score.interval is not None:
        text.append("The line across the model's bar is that interval.")
    return " ".join(text)
