"""Lines over a distance on a log axis, each named at its end."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recurra.report.canvas import (
    FONT,
    LIGHT,
    NAME,
    PLAIN,
    SMALL,
    TEXT,
    empty,
    grid,
    middle,
    number_axis,
    paper,
    write,
)
from recurra.report.flows.colours import DASHES, LINES_LIGHT
from recurra.report.flows.labels import Label, label_width, place_labels
from recurra.report.flows.text import power_text
from recurra.report.series import log_ticks
from recurra.report.text import shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 400


@dataclass(frozen=True)
class Line:
    """A line to draw.

    values: (n,), at the distances 0, 1, ...; what is not finite or not above 0 leaves a gap;
    note: a second row for the label.
    """

    label: str
    note: str
    values: NDArray[np.float64]


def log_lines(
    title: str,
    axis: str,
    lines: Sequence[Line],
    decades: float,
    references: Sequence[tuple[float, str]] = (),
) -> "Figure":
    """Draw lines over a distance, log scale, their names at their ends.

    Args:
        title: what the height means.
        axis: what the distance is.
        lines: at most seven have colours and dashes of their own.
        decades: how many powers of ten below 1, or below the largest value if that is less, and
            above 1 are shown; a line ends where it leaves them.
        references: heights to mark by a thin line with a name, if they are within.

    Raises `MissingDependencyError` without matplotlib.
    """
    lines = [
        Line(shorten(line.label, NAME, TEXT), shorten(line.note, NAME, SMALL), line.values)
        for line in lines
    ]
    names = [label_width(line.label, line.note) for line in lines]
    height = max(300.0, 110 + 30.0 * len(lines))
    figure = paper(height, left=50, right=14 + max(names, default=0), top=34, bottom=46)
    axes = figure.axes[0]
    write(figure, 0, 12, title)
    limits = _limits([line.values for line in lines], decades)
    if limits is None:
        return empty(figure, "no positive, finite number to show")
    # The last line that reaches anywhere sets the end of the axis.
    last = max(int(np.flatnonzero(_shown(line.values))[-1]) for line in lines if _any(line.values))
    axes.set_xlim(0, max(1, last))
    axes.set_yscale("log", nonpositive="mask")
    axes.set_ylim(*limits)
    ticks = log_ticks(*limits)
    axes.set_yticks(ticks, [power_text(round(math.log10(tick), 9)) for tick in ticks], **PLAIN)
    number_axis(axes, "x", 6, whole=True)
    grid(axes, "y")
    write(figure, middle(figure), height - 12, axis, align="center")
    labels = _draw(axes, lines, limits)
    _refer(axes, references)
    place_labels(axes, labels)
    return figure


def _shown(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which values a log axis can show."""
    with np.errstate(invalid="ignore"):
        shown: NDArray[np.bool_] = (values >= 1e-100) & (values <= 1e100)
    return shown


def _any(values: NDArray[np.float64]) -> bool:
    return bool(_shown(values).any())


def _limits(series: Sequence[NDArray[np.float64]], decades: float) -> tuple[float, float] | None:
    """Return the heights to show, None where no value is one."""
    shown = [values[_shown(values)] for values in series]
    exponents = np.log10(np.concatenate([*shown, np.empty(0)]))
    if not len(exponents):
        return None
    top = min(float(exponents.max()), decades)
    low = max(float(exponents.min()), min(0.0, top) - decades)
    top = max(top, low)
    air = max(0.2, 0.03 * (top - low))
    return float(10 ** (low - air)), float(10 ** (top + air))


def _draw(axes: "Axes", lines: Sequence[Line], limits: tuple[float, float]) -> list[Label]:
    """Draw the lines and return their labels."""
    labels = []
    for k, line in enumerate(lines):
        path = _thinned(_cut(np.where(_shown(line.values), line.values, np.nan), limits))
        if not len(path):
            continue
        dashes = DASHES[k % len(DASHES)]
        (drawn,) = axes.plot(
            *path.T,
            color=LINES_LIGHT[k % len(LINES_LIGHT)],
            linewidth=1.8,
            linestyle=(0, dashes) if dashes else "-",
            marker="o" if np.isfinite(path).all(1).sum() == 1 else "",
            markersize=5,
            label=line.label,
        )
        labels.append(Label(line.label, line.note, drawn, dashes))
    return labels


def _cut(ys: NDArray[np.float64], limits: tuple[float, float]) -> NDArray[np.float64]:
    """Return the points (n, 2) up to where the line leaves the limits for good."""
    path = np.stack([np.arange(len(ys), dtype=float), ys], axis=1)
    with np.errstate(invalid="ignore"):
        inside = np.flatnonzero((ys >= limits[0]) & (ys <= limits[1]))
    if not len(inside):
        return np.empty((0, 2))
    last = int(inside[-1])
    path = path[: last + 1]
    if last + 1 < len(ys) and np.isfinite(ys[last + 1]):
        here, there = math.log(ys[last]), math.log(ys[last + 1])
        edge = math.log(limits[0] if there < here else limits[1])
        share = (edge - here) / (there - here)
        path = np.concatenate([path, [[last + share, math.exp(edge)]]])
    return path


def _thinned(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return at most `MOST_POINTS` of the points, the first and the last among them."""
    if len(path) <= MOST_POINTS:
        return path
    kept = np.linspace(0, len(path) - 1, MOST_POINTS).round().astype(int)
    return np.take(path, kept, axis=0)


def _refer(axes: "Axes", references: Sequence[tuple[float, str]]) -> None:
    """Mark heights by thin lines, their names below, where they are within the axes."""
    low, high = axes.get_ylim()
    for value, name in references:
        if not low < value < high:
            continue
        axes.axhline(
            value,
            color=LIGHT["muted"],
            linewidth=0.9,
            linestyle=(0, (1, 2)),
            marker="",
            zorder=0.9,
            gid=name,
        )
        axes.annotate(
            name,
            (1, value),
            xycoords=axes.get_yaxis_transform(),
            xytext=(-2, -8),
            textcoords="offset points",
            color=LIGHT["muted"],
            horizontalalignment="right",
            annotation_clip=False,
            **FONT | {"fontsize": SMALL},
        )
