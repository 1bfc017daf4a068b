"""The figure of which class was taken for which."""

from typing import TYPE_CHECKING

import numpy as np

from recurra.report.canvas import (
    FONT,
    LIGHT,
    PLAIN,
    SMALL,
    WIDTH,
    empty,
    middle,
    paper,
    write,
)
from recurra.report.text import name_list, share_text, shorten, text_width
from recurra.tasks.judging.judged import ClassDetails

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CLASSES = 20  # more are unreadable: the most frequent ones are drawn
_LABEL = 110.0  # points a class' name may take
_WIDEST = 64.0  # points a cell may be wide
_STRONG = 0.75  # opacity of a cell that holds its whole row: text on it stays legible


def confusion_figure(details: ClassDetails) -> "Figure":
    """Draw how many of each true class (row) were taken for each class (column).

    The stronger a cell's colour, the larger its share of the row. Of more than 20 classes the 20
    most frequent are drawn. Raises `MissingDependencyError` without matplotlib.
    """
    from matplotlib.patches import Rectangle

    chosen = drawn_classes(details)
    counts = details.confusion[np.ix_(chosen, chosen)]
    totals = details.confusion[chosen].sum(1)
    names, columns = _names(details, chosen)
    left = 14 + max((text_width(name, SMALL) for name in names), default=0)
    side = min((WIDTH - left - 14) / max(1, len(chosen)), _WIDEST)
    height = 94 + side * len(chosen)
    right = WIDTH - left - side * len(chosen)
    figure = paper(height, left=left, right=right, top=44, bottom=50)
    axes = figure.axes[0]
    write(figure, 0, 12, "True class (rows) and what was predicted (columns)")
    if not len(chosen):
        return empty(figure, "no examples")
    axes.set_xlim(0, len(chosen))
    axes.set_ylim(len(chosen), 0)
    for i, row in enumerate(counts.tolist()):
        for j, count in enumerate(row):
            share = count / totals[i] if totals[i] else 0.0
            role = "first" if i == j else "second"
            cell = Rectangle(
                (j + 0.03, i + 0.03),
                0.94,
                0.94,
                facecolor=LIGHT[role],
                alpha=_STRONG * share,
                linewidth=0,
            )
            axes.add_patch(cell)
            if count and side >= 16:
                font = FONT | {"fontsize": SMALL if side >= 26 else 7.0}
                axes.text(j + 0.5, i + 0.5, f"{count:,}", color=LIGHT["ink"], ha="center", **font)
    places = np.arange(len(chosen)) + 0.5
    axes.set_yticks(places, names, **PLAIN)
    axes.set_xticks(places, columns, **PLAIN)
    axes.tick_params(axis="x", length=0)
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set_color(LIGHT["ink"])
    write(figure, middle(figure), height - 10, "predicted", align="center")
    return figure


def _names(details: ClassDetails, chosen: list[int]) -> tuple[list[str], list[str]]:
    """Return the names of rows and of columns; with a number where a column is too narrow."""
    names = [shorten(details.classes[k], _LABEL, SMALL) for k in chosen]
    widths = [text_width(name, SMALL) for name in names]
    side = min((WIDTH - 28 - max(widths, default=0)) / max(1, len(chosen)), _WIDEST)
    if max(widths, default=0) <= side - 6:
        return names, names
    numbers = [str(k + 1) for k in range(len(names))]
    return [f"{name}  {k}" for k, name in zip(numbers, names, strict=True)], numbers


def drawn_classes(details: ClassDetails) -> list[int]:
    """Return the places of the classes drawn: all, or the most frequent, in their order."""
    counts = details.confusion.sum(1)
    order = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    return sorted(order.tolist())


def confusion_caption(details: ClassDetails) -> str:
    """Return what `confusion_figure` shows."""
    counts, names = details.confusion, details.classes
    total, right = int(counts.sum()), int(np.trace(counts))
    if not total:
        return "There are no examples."
    text = [f"{right:,} of {total:,} examples ({share_text(right / total)}) are on the diagonal."]
    off = counts - np.diag(np.diag(counts))
    for place in np.argsort(-off, axis=None, kind="stable")[:2].tolist():
        i, j = divmod(place, len(names))
        if off[i, j]:
            share = share_text(float(off[i, j]) / int(counts[i].sum()))
            text.append(
                f"{name_list([names[i]])} was taken for {name_list([names[j]])} "
                f"{off[i, j]:,} times, {share} of its examples."
            )
    if len(names) > MOST_CLASSES:
        text.append(
            f"The figure shows the {MOST_CLASSES} most frequent classes; the table has all."
        )
    return " ".join(text)
