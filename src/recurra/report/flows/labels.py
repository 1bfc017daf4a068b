"""Labels that stand where their lines end, each with a piece of its line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.report.canvas import FONT, LIGHT, SMALL, TEXT
from recurra.report.text import text_width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

_ROW = 14.0  # points from one row of text to the next
_GAP = 6.0  # points from the axes to the labels
_PIECE = 26.0  # points of the piece of line before a label


@dataclass(frozen=True)
class Label:
    """What a line is called.

    note: a second, smaller row, or ""; line: what was drawn, which may have gaps; dashes: its own.
    """

    text: str
    note: str
    line: "Line2D"
    dashes: tuple[float, ...] = ()

    @property
    def height(self) -> float:
        """The points it takes."""
        return _ROW * (1 + bool(self.note)) + 2


def label_width(text: str, note: str = "") -> float:
    """Return the points that a label takes, with the piece of line and the gap before it."""
    return _GAP + _PIECE + 5 + max(text_width(text, TEXT), text_width(note, SMALL))


def place_labels(axes: "Axes", labels: Sequence[Label]) -> None:
    """Write the labels right of the axes, each as high as its line's end or near it.

    A line that ends at the right edge is joined to its label where that had to move. The limits
    of the axes must be set.
    """
    size = np.array([axes.bbox.width, axes.bbox.height]) * 72 / axes.figure.dpi
    ends = [_end(label.line) * size for label in labels]
    # Of lines that leave through the floor, the one that leaves last stands highest.
    wanted = [
        float(y - (size[0] - x) * (x < 0.98 * size[0])) - _ROW / 2 * bool(label.note)
        for label, (x, y) in zip(labels, ends, strict=True)
    ]
    middles = spread(wanted, [label.height for label in labels], 0.0, float(size[1]))
    for label, end, middle in zip(labels, ends, middles, strict=True):
        start = (size[0] + _GAP, middle + _ROW / 2 * bool(label.note))
        if end[0] >= 0.98 * size[0] and abs(end[1] - start[1]) > 3:
            _stroke(axes, label, np.array([end, start]) / size, "lead")
        piece = np.array([start, (start[0] + _PIECE, start[1])]) / size
        _stroke(axes, label, piece, "piece")
        rows = [(label.text, TEXT, "ink"), (label.note, SMALL, "muted")]
        for k, (text, points, role) in enumerate(rows[: 1 + bool(label.note)]):
            axes.text(
                (start[0] + _PIECE + 5) / size[0],
                (start[1] - k * _ROW) / size[1],
                text,
                transform=axes.transAxes,
                color=LIGHT[role],
                horizontalalignment="left",
                **FONT | {"fontsize": points},
            )


def spread(
    wanted: Sequence[float], heights: Sequence[float], bottom: float, top: float
) -> list[float]:
    """Return middles as near those `wanted` as leave each its height, in the same order.

    They overlap only if all heights together are more than there is from bottom to top.
    """
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    squeeze = min(1.0, (top - bottom) / (sum(heights) or 1.0))
    # Blocks of labels that touch move as one; of each: where it begins, how high it is, and its
    # members with their wishes for where it begins.
    blocks: list[tuple[float, float, list[tuple[int, float]]]] = []
    for k in order:
        height = heights[k] * squeeze
        members, size = [(k, wanted[k] - height / 2)], height
        while True:
            low = sum(wish for _, wish in members) / len(members)
            low = min(max(low, bottom), top - size)
            if not blocks or blocks[-1][0] + blocks[-1][1] <= low:
                break
            _, below, others = blocks.pop()
            members = [*others, *((k, wish - below) for k, wish in members)]
            size += below
        blocks.append((low, size, members))
    middles = [0.0] * len(wanted)
    for low, _, members in blocks:
        for k, _ in members:
            middles[k] = low + heights[k] * squeeze / 2
            low += heights[k] * squeeze
    return middles


def _end(line: "Line2D") -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    """Return the last point that is drawn, in shares of the axes."""
    points = np.asarray(line.get_xydata(), dtype=float)
    last = points[np.isfinite(points).all(1)][-1:]
    assert line.axes is not None
    shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = (
        line.axes.transData + line.axes.transAxes.inverted()
    ).transform(last)[0]
    return shares


def _stroke(axes: "Axes", like: Label, points: object, gid: str) -> None:
    """Draw a line in shares of the axes: a thin one, or a piece of the label's own line."""
    own = gid == "piece"
    axes.plot(
        *np.asarray(points).T,
        transform=axes.transAxes,
        color=like.line.get_color(),
        linewidth=like.line.get_linewidth() if own else 0.7,
        linestyle=(0, like.dashes) if own and like.dashes else "-",
        marker="",
        clip_on=False,
        gid=gid,
    )
