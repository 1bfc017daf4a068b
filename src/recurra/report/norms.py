"""The figure of the gradient norms over the steps."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recurra.report.canvas import (
    FONT,
    LIGHT,
    PLAIN,
    SMALL,
    empty,
    grid,
    key,
    middle,
    number_axis,
    paper,
    write,
)
from recurra.report.series import envelope, log_ticks, median_window, running_median
from recurra.report.text import norm_text, text_width
from recurra.training.history import History

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure


def gradient_norms(history: History) -> "Figure":
    """Draw the gradient norm of each step before clipping, its running median and the band.

    At most 2,000 points are drawn: of more steps, the extremes of each stretch. Norms that are
    zero, not finite or beyond 1e±100 have no place on the log axis and are left out.

    Raises `MissingDependencyError` without matplotlib.
    """
    edges = _edges(history.band)
    right = 14 + max((text_width(label, SMALL) for _, label in edges), default=0)
    figure = paper(height=300, left=46, right=right, top=60, bottom=46)
    axes = figure.axes[0]
    write(figure, 0, 12, "Gradient norm before clipping, log scale")
    points = [(k, norm) for k, norm in enumerate(history.gradient_norms, 1) if _positive(norm)]
    if not points:
        return empty(figure, "no positive, finite norm to show")
    steps, norms = [k for k, _ in points], [norm for _, norm in points]
    alone = len(points) == 1
    entries: list[Artist] = []
    entries += axes.plot(
        *envelope(steps, norms),
        color=LIGHT["faint"],
        linewidth=0.8,
        linestyle="-",
        marker="o" if alone else "",
        markersize=5,
        label="each step",
    )
    if not alone:
        window = median_window(len(norms))
        entries += axes.plot(
            *running_median(steps, norms),
            color=LIGHT["first"],
            linewidth=2,
            linestyle="-",
            marker="",
            label=f"median of {window:,} steps",
        )
    axes.set_yscale("log", nonpositive="mask")
    low, high = _log_limits(norms + [edge for edge, _ in edges])
    axes.set_ylim(low, high)
    ticks = log_ticks(low, high)
    axes.set_yticks(ticks, [norm_text(tick) for tick in ticks], **PLAIN)
    grid(axes, "y")
    if history.band is not None:
        _draw_band(figure, history.band, edges, entries)
    last = max(2, len(history.gradient_norms))
    axes.set_xlim(1 - 0.01 * last, last * 1.01)
    number_axis(axes, "x", 5, whole=True)
    write(figure, middle(figure), 286, "step", align="center")
    key(figure, 28, entries)
    return figure


def _positive(value: float) -> bool:
    return 1e-100 <= value <= 1e100


def _edges(band: tuple[float, float] | None) -> list[tuple[float, str]]:
    """Return the edges of the band that a log axis can show, with their labels."""
    if band is None:
        return []
    L, U = band
    if L == U and _positive(L):
        return [(L, f"L = U = {norm_text(L)}")]
    return [
        (edge, f"{name} = {norm_text(edge)}")
        for name, edge in zip("LU", band, strict=True)
        if _positive(edge)
    ]


def _log_limits(values: Sequence[float]) -> tuple[float, float]:
    """Return limits around positive values: a little air, and wide enough to hold a tick."""
    low, high = min(values), max(values)
    air = max(1.5, (high / low) ** 0.05)
    return low / air, high * air


def _draw_band(
    figure: "Figure",
    band: tuple[float, float],
    edges: Sequence[tuple[float, str]],
    entries: "list[Artist]",
) -> None:
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    L, U = max(band[0], low), min(band[1], high)
    if L <= U:
        label = f"band [{norm_text(band[0])}, {norm_text(band[1])}]"
        entries.append(axes.axhspan(L, U, color=LIGHT["band"], linewidth=0, zorder=0, label=label))
    nudge = 0.0
    if len(edges) == 2:
        # The labels need 14 points between them; edges that are closer share the push.
        tall = axes.get_position().height * figure.get_figheight() * 72
        apart = math.log(edges[1][0] / edges[0][0]) / math.log(high / low) * tall
        nudge = max(0.0, 14 - apart) / 2
    for k, (edge, label) in enumerate(edges):
        axes.axhline(
            edge, color=LIGHT["edge"], linewidth=1.4, linestyle="-", marker="", gid=label[0]
        )
        axes.annotate(
            label,
            (1, edge),
            xycoords=axes.get_yaxis_transform(),
            xytext=(6, nudge * (2 * k - 1)),
            textcoords="offset points",
            color=LIGHT["ink"],
            horizontalalignment="left",
            annotation_clip=False,
            **FONT | {"fontsize": SMALL},
        )
