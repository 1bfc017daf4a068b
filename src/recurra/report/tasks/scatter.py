"""The figure of predicted numbers against true ones."""

from typing import TYPE_CHECKING

import numpy as np

from recurra.report.canvas import LIGHT, empty, grid, key, middle, number_axis, paper, write
from recurra.tasks.judging.judged import NumberDetails
from recurra.tasks.judging.scores import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 1000


def scatter_figure(details: NumberDetails, name: str) -> "Figure":
    """Draw each prediction of `name` above the true number, and the line where both are equal.

    Of more than 1,000 examples an even pick of 1,000 is drawn. Raises `MissingDependencyError`
    without matplotlib.
    """
    figure = paper(height=360, left=56, right=14, top=60, bottom=46)
    axes = figure.axes[0]
    write(figure, 0, 12, f"Predicted {name}")
    true, predicted = details.true, details.predicted
    known = np.flatnonzero(np.isfinite(true) & np.isfinite(predicted))
    if not len(known):
        return empty(figure, "no finite number to show")
    if len(known) > MOST_POINTS:
        known = known[np.linspace(0, len(known) - 1, MOST_POINTS).astype(int)]
    xs, ys = true[known], predicted[known]
    low, high = float(min(xs.min(), ys.min())), float(max(xs.max(), ys.max()))
    room = 0.04 * (high - low) or 1.0
    axes.set_xlim(low - room, high + room)
    axes.set_ylim(low - room, high + room)
    line = axes.plot(
        [low, high],
        [low, high],
        color=LIGHT["baseline"],
        linewidth=1.4,
        linestyle=(0, (4, 2.5)),
        label="equal",
    )
    points = axes.plot(
        xs,
        ys,
        color=LIGHT["first"],
        linestyle="",
        marker="o",
        markersize=4.5,
        markeredgewidth=0,
        alpha=0.55,
        label="an example",
    )
    number_axis(axes, "x", 6)
    number_axis(axes, "y", 6)
    grid(axes, "y")
    key(figure, 32, [*points, *line])
    write(figure, middle(figure), 346, f"true {name}", align="center")
    return figure


def scatter_caption(details: NumberDetails) -> str:
    """Return what `scatter_figure` shows."""
    true, predicted = details.true, details.predicted
    if not len(true):
        return "There are no examples."
    text = (
        f"True numbers lie between {number(float(true.min()))} and {number(float(true.max()))}, "
        f"predicted ones between {number(float(predicted.min()))} and "
        f"{number(float(predicted.max()))}."
    )
    if len(true) > 2 and np.std(true) > 0 and np.std(predicted) > 0:
        r = float(np.corrcoef(true, predicted)[0, 1])
        text += f" Their correlation is {number(r)}."
    if len(true) > MOST_POINTS:
        text += f" Of {len(true):,} examples {MOST_POINTS:,} are drawn."
    return text
