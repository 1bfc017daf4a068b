"""The figure of the activations' derivatives: why a sigmoid's gradient cannot but vanish."""

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recurra.report.canvas import (
    FONT,
    LIGHT,
    grid,
    middle,
    number_axis,
    paper,
    write,
)
from recurra.report.flows.colours import DASHES, LINES_LIGHT
from recurra.report.flows.labels import Label, label_width, place_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = ("sigmoid", "tanh", "relu")
_FURTHEST = 5.0
_JUMP = 0.1  # between neighbouring points, more than any smooth activation has

Array = NDArray[np.float64]


def activation_figure(names: Sequence[str] = SHOWN) -> "Figure":
    """Draw the derivatives φ′(x) of activations, the largest value of each bell marked.

    Args:
        names: activations, as a cell takes them by name.

    Raises `ArgumentError` for an unknown name, `MissingDependencyError` without matplotlib.
    """
    from recurra.gradients import activation_derivatives

    at = np.linspace(-_FURTHEST, _FURTHEST, 401)
    slopes = activation_derivatives(names, at)
    room = max((label_width(name) for name in names), default=0)
    figure = paper(height=280, left=34, right=14 + room, top=34, bottom=46)
    axes = figure.axes[0]
    write(figure, 0, 12, "Derivative of the activation, φ′(x)")
    axes.set_xlim(-_FURTHEST, _FURTHEST)
    low = min([0.0, *(float(slope.min()) for slope in slopes.values())])
    high = max([1.0, *(float(slope.max()) for slope in slopes.values())])
    axes.set_ylim(low - 0.02, 1.12 * high)
    for axis in ("x", "y"):
        number_axis(axes, axis, 6)
    grid(axes, "y")
    write(figure, middle(figure), 268, "x", align="center")
    labels = []
    for k, (name, slope) in enumerate(slopes.items()):
        dashes = DASHES[k % len(DASHES)]
        (drawn,) = axes.plot(
            *_without_jumps(at, slope),
            color=LINES_LIGHT[k % len(LINES_LIGHT)],
            linewidth=1.8,
            linestyle=(0, dashes) if dashes else "-",
            marker="",
            label=name,
        )
        labels.append(Label(name, "", drawn, dashes))
        top = int(slope.argmax())
        if 0 < top < len(at) - 1 and slope[top - 1] < slope[top] > slope[top + 1]:
            _mark_largest(axes, float(at[top]), float(slope[top]))
    place_labels(axes, labels)
    return figure


def _without_jumps(at: Array, slope: Array) -> tuple[Array, Array]:
    """Return the curve with a gap where it jumps, so that no line joins what is not joined."""
    jumps = np.flatnonzero(abs(np.diff(slope)) > _JUMP) + 1
    return np.insert(at, jumps, np.nan), np.insert(slope, jumps, np.nan)


def _mark_largest(axes: "Axes", x: float, largest: float) -> None:
    """Mark a curve's top and write how high it is."""
    axes.plot(
        [x],
        [largest],
        marker="o",
        linestyle="",
        markersize=5,
        markeredgewidth=0,
        color=LIGHT["ink"],
        gid="largest",
    )
    axes.annotate(
        largest_text(largest),
        (x, largest),
        xytext=(0, 12),
        textcoords="offset points",
        color=LIGHT["ink"],
        horizontalalignment="center",
        **FONT,
    )


def largest_text(value: float) -> str:
    """Return a number as the fraction it is, if it is a simple one: "¼", "1", "1.13"."""
    near = Fraction(value).limit_denominator(4)
    if abs(float(near) - value) < 1e-9:
        return {(1, 4): "¼", (1, 2): "½", (3, 4): "¾"}.get(near.as_integer_ratio(), str(near))
    return f"{value:.3g}"
