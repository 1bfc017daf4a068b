"""The paper all figures are drawn on: size, colours, axes in the house style.

Every property is set here on the object itself, none is left to matplotlib's settings or
changed in them: a figure looks the same whatever a user's style sheet says, and threads do not
meet.
"""

import math
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from recurra.errors import MissingDependencyError
from recurra.report.text import text_width

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure

# Narrow, with large text for it: shown at 330 to 460 pixels, the text is legible on a phone, and
# two figures stand side by side on a desk and on A4.
WIDTH = 400.0  # points
TEXT = 12.0  # points
SMALL = 11.0  # points, for numbers at axes and rows
NAME = 160.0  # points that a user's name may take
# Every text gets PLAIN: users' names hold "$" and backslashes, which are no mathematics.
PLAIN = {"parse_math": False, "usetex": False}
FONT: dict[str, Any] = PLAIN | {
    "fontsize": TEXT,
    "fontfamily": "sans-serif",
    "fontweight": "normal",
    "fontstyle": "normal",
    "verticalalignment": "center",
}

# Colours by role. The hues are Okabe and Ito's, which the colour-blind can tell apart; the second
# is a little darker than theirs, to be read as text too. The page replaces each by a CSS
# variable, so no two roles of LIGHT may share a value.
LIGHT = {
    "paper": "#ffffff",
    "ink": "#1b2127",
    "muted": "#59636e",
    "rule": "#aab2ba",
    "grid": "#e4e8ec",
    "first": "#0072b2",
    "second": "#c25200",
    "faint": "#9cc3dd",
    "baseline": "#2a323a",
    "band": "#dff1ea",
    "edge": "#009e73",
}
DARK = {
    "paper": "#15191d",
    "ink": "#e8ebee",
    "muted": "#a3adb7",
    "rule": "#59636d",
    "grid": "#2a3138",
    "first": "#56b4e9",
    "second": "#e98a3c",
    "faint": "#3a7296",
    "baseline": "#cfd5db",
    "band": "#17332b",
    "edge": "#2fb98f",
}


def require(package: str) -> None:
    """Import `package`; raise `MissingDependencyError` that names the extra if it is missing."""
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"the report needs {package}, which is not installed: pip install 'recurra[report]'"
        ) from error


def paper(height: float, left: float, right: float, top: float, bottom: float) -> "Figure":
    """Return a figure `WIDTH` by `height` points with one axes inside the margins (points).

    Raises `MissingDependencyError` without matplotlib.
    """
    require("matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(
        figsize=(WIDTH / 72, height / 72),
        dpi=100,
        facecolor=LIGHT["paper"],
        edgecolor="none",
        linewidth=0,
        frameon=True,
    )
    figure.set_layout_engine("none")
    axes = figure.add_axes(
        (
            left / WIDTH,
            bottom / height,
            (WIDTH - left - right) / WIDTH,
            (height - top - bottom) / height,
        ),
        facecolor="none",
        axisbelow=True,
    )
    style_axes(axes)
    return figure


def style_axes(axes: "Axes") -> None:
    """Leave the axes their lower edge alone, in the rules' colour."""
    axes.grid(visible=False, which="both")
    for name, spine in axes.spines.items():
        spine.set(visible=name == "bottom", color=LIGHT["rule"], linewidth=0.8, sketch_params=None)
    axes.tick_params(
        axis="both",
        which="both",
        direction="out",
        length=0,
        width=0.8,
        pad=6,
        color=LIGHT["rule"],
        labelcolor=LIGHT["muted"],
        labelsize=SMALL,
        labelfontfamily="sans-serif",
        bottom=True,
        top=False,
        left=False,
        right=False,
        labelbottom=True,
        labeltop=False,
        labelleft=True,
        labelright=False,
    )
    axes.tick_params(axis="x", length=4)


def grid(axes: "Axes", axis: Literal["x", "y"]) -> None:
    """Rule light lines at the major ticks of `axis` and none else."""
    axes.minorticks_off()
    axes.grid(visible=False, which="both")
    axes.grid(
        visible=True,
        which="major",
        axis=axis,
        color=LIGHT["grid"],
        linewidth=0.8,
        linestyle="-",
        alpha=1,
    )


def number_axis(axes: "Axes", axis: Literal["x", "y"], most: int, whole: bool = False) -> None:
    """Mark up to `most` round numbers within the limits of `axis`, whole ones if asked."""
    from matplotlib.ticker import MaxNLocator

    low, high = axes.get_xlim() if axis == "x" else axes.get_ylim()
    locator = MaxNLocator(most, steps=[1, 2, 5, 10], integer=whole)
    ticks = [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]
    step = min((b - a for a, b in pairwise(ticks)), default=1.0)
    decimals = max(0, math.ceil(-math.log10(step) - 1e-6))
    form = f",.{decimals}f" if decimals < 6 and max(abs(low), abs(high)) < 1e6 else "g"
    # Adding 0 makes a rounded minus zero a zero.
    labels = [f"{round(tick, decimals) + 0:{form}}".replace("-", "−") for tick in ticks]
    (axes.set_xticks if axis == "x" else axes.set_yticks)(ticks, labels, **PLAIN)


def drawable(value: float) -> bool:
    """Whether an axis can hold the value: finite, and far from where floats end."""
    return abs(value) <= 1e100


def middle(figure: "Figure") -> float:
    """Return the middle of the figure's axes, in points from the left edge."""
    box = figure.axes[0].get_position()
    return float(box.x0 + box.x1) / 2 * WIDTH


def empty(figure: "Figure", why: str) -> "Figure":
    """Return the figure with its axes away and the reason instead."""
    figure.axes[0].set_axis_off()
    write(figure, WIDTH / 2, _height(figure) / 2 + 10, why, align="center")
    return figure


def write(
    figure: "Figure",
    x: float,
    y: float,
    text: str,
    role: str = "muted",
    align: Literal["left", "center", "right"] = "left",
) -> None:
    """Write a line of text `x` points from the left edge, its middle `y` below the top one."""
    figure.text(x / WIDTH, 1 - y / _height(figure), text, color=LIGHT[role], ha=align, **FONT)


def key(figure: "Figure", y: float, entries: "Sequence[Artist | BarContainer]") -> None:
    """Lay the key of labelled `entries` in rows, the first one `y` points below the top edge."""
    labels = [str(entry.get_label()) for entry in entries]
    # A row as long as it fits: the handle, its gap and the gap between columns take 48 points.
    fits = sum(text_width(label, TEXT) + 48 for label in labels) <= WIDTH
    legend = figure.legend(
        handles=list(entries),
        loc="upper left",
        bbox_to_anchor=(0, 1 - y / _height(figure)),
        ncols=len(labels) if fits else 2,
        frameon=False,
        labelcolor=LIGHT["ink"],
        fontsize=TEXT,
        handlelength=1.6,
        handleheight=0.7,
        handletextpad=0.5,
        columnspacing=1.5,
        labelspacing=0.45,
        borderpad=0,
        borderaxespad=0,
        numpoints=1,
        markerscale=1,
        title="",
    )
    for text in legend.get_texts():
        text.update(FONT | {"verticalalignment": "baseline"})


def _height(figure: "Figure") -> float:
    return float(figure.get_figheight()) * 72
