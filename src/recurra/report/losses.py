"""The figure of the losses over the epochs."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from recurra.report.canvas import (
    FONT,
    LIGHT,
    NAME,
    PLAIN,
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
from recurra.report.text import loss_text, shorten, text_width
from recurra.training.history import Epoch, History

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Curve = list[tuple[float, float]]


def loss_curves(history: History, unit: str, baseline: tuple[str, float] | None = None) -> "Figure":
    """Draw the training and the validation loss of each epoch, the best epoch marked.

    Args:
        history: the run; losses that are not finite are left out.
        unit: of the losses, such as "nats a character".
        baseline: the name and the loss of a naive model, a dashed line.

    Raises `MissingDependencyError` without matplotlib.
    """
    figure = paper(height=300, left=46, right=14, top=60, bottom=46)
    axes = figure.axes[0]
    write(figure, 0, 12, f"Loss, {unit}")
    numbers = [e.number for e in history.epochs]
    entries: list[Artist] = []
    train = _curve(axes, entries, numbers, [e.train_loss for e in history.epochs], "training")
    valid = _curve(axes, entries, numbers, [e.valid_loss for e in history.epochs], "validation")
    if not entries:
        return empty(figure, "no finite loss to show")
    _epoch_axis(figure, numbers)
    curves = [train, valid]
    if baseline is not None and drawable(baseline[1]):
        line = axes.axhline(
            baseline[1],
            color=LIGHT["baseline"],
            linewidth=1.4,
            linestyle=(0, (4, 2.5)),
            marker="",
            label=shorten(baseline[0], NAME, TEXT),
        )
        entries.append(line)
        curves.append([(x, baseline[1]) for x in axes.get_xlim()])
    levels = [y for curve in curves for _, y in curve]
    # A flat curve gets an axis too; the room below keeps the best epoch's label off the edge.
    span = max(max(levels) - min(levels), 0.01 * abs(max(levels))) or 1.0
    axes.set_ylim(min(levels) - 0.14 * span, max(levels) + 0.06 * span)
    number_axis(axes, "y", 6)
    if history.best is not None:
        _mark_best(axes, history.best, curves)
    key(figure, 28, entries)
    return figure


def _curve(
    axes: "Axes",
    entries: "list[Artist]",
    numbers: Sequence[int],
    losses: Sequence[float | None],
    label: str,
) -> Curve:
    """Draw one loss if it has any value, add it to `entries` and return the points drawn."""
    # A missing loss leaves a gap: the line does not run across it.
    ys = [math.nan if y is None or not drawable(y) else y for y in losses]
    drawn = [(float(x), y) for x, y in zip(numbers, ys, strict=True) if not math.isnan(y)]
    if drawn:
        thick = 2.2 if label == "validation" else 1.5
        entries += axes.plot(
            numbers,
            ys,
            color=LIGHT["second" if label == "validation" else "first"],
            linewidth=thick,
            linestyle="-",
            marker="o" if len(drawn) <= 40 else "",
            markersize=2.5 + thick,
            markeredgewidth=0,
            label=label,
        )
    return drawn


def _epoch_axis(figure: "Figure", numbers: Sequence[int]) -> None:
    axes = figure.axes[0]
    first, last = min(numbers), max(numbers)
    room = 0.03 * (last - first) or 0.5
    axes.set_xlim(first - room, last + room)
    number_axis(axes, "x", 8, whole=True)
    if first == last:
        axes.set_xticks([first], [f"{first:,}"], **PLAIN)
    grid(axes, "y")
    write(figure, middle(figure), 286, "epoch", align="center")


def _mark_best(axes: "Axes", best: Epoch, curves: Sequence[Curve]) -> None:
    loss = best.train_loss if best.valid_loss is None else best.valid_loss
    if not drawable(loss):
        return
    axes.plot(
        [best.number],
        [loss],
        marker="o",
        linestyle="",
        markersize=11,
        markerfacecolor="none",
        markeredgecolor=LIGHT["ink"],
        markeredgewidth=1.4,
        clip_on=False,
        gid="best",
    )
    text = f"best: epoch {best.number:,}, {loss_text(loss)}"
    spot = _clear_spot(axes, (best.number, loss), curves, text_width(text, TEXT))
    axes.annotate(
        text,
        (best.number, loss),
        xytext=(spot.x, spot.y),
        textcoords="offset points",
        color=LIGHT["ink"],
        horizontalalignment=spot.align,
        annotation_clip=False,
        **FONT,
    )


class _Spot(NamedTuple):
    """Where a label goes: an offset in points, and the side that starts there."""

    air: float
    x: float
    y: float
    align: Literal["left", "center", "right"]


def _clear_spot(
    axes: "Axes", at: tuple[float, float], curves: Sequence[Curve], width: float
) -> _Spot:
    """Return the nearest of a few places where a label of `width` points keeps off the curves.

    If none of them has 4 points of air, the one with the most.
    """
    import numpy as np

    points = 72 / axes.figure.dpi
    here = axes.transData.transform(at)
    (left, bottom), (right, top) = (axes.bbox.get_points() - here) * points
    xs = np.linspace(left, right, 400)
    lines = []
    for curve in filter(None, curves):
        x, y = ((axes.transData.transform(curve) - here) * points).T
        lines.append(np.interp(xs, x, y, np.nan, np.nan))
    spots: list[_Spot] = []
    places: tuple[tuple[Literal["left", "center", "right"], float, float], ...] = (
        ("center", 0.0, -width / 2),
        ("right", 6.0, 6 - width),
        ("left", -6.0, -6.0),
    )
    for dy in (-17, 17, -28, 28, -40, 40, 56, 72, 96, 120):
        for align, x, start in places:
            if start < left or start + width > right or not bottom + 8 <= dy <= top - 8:
                continue
            under = (xs >= start) & (xs <= start + width)
            # Half a line of text is 7 points high; beside a curve's end there is nothing to hit.
            gaps = [np.nan_to_num(abs(line[under] - dy), nan=999.0) for line in lines]
            air = min(float(gap.min()) for gap in gaps) - 7
            if air >= 4:
                return _Spot(air, x, dy, align)
            spots.append(_Spot(air, x, dy, align))
    return max(spots, default=_Spot(0, 6, 17, "right"))
