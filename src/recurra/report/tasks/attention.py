"""The figure of where a translation looked."""

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report.canvas import FONT, LIGHT, PLAIN, SMALL, TEXT, WIDTH, empty, paper, write
from recurra.report.text import one_line, shorten, text_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_STEPS = 45
_FAINTEST = 0.02  # weights below are not drawn
_NAMES = {" ": "␣", "\t": "⇥", "\n": "⏎"}


def attention_figure(alignment: Any, end: str = "end") -> "Figure":
    """Draw how much each symbol written (row) looked at each symbol read (column).

    Args:
        alignment: with `source` (S), `target` (T + 1) and `weights` (T + 1, S), as
            `Translator.attention` gives it. Of more than 45 steps either way the first are drawn.
        end: what the end of the target is called.

    Raises `MissingDependencyError` without matplotlib.
    """
    from matplotlib.patches import Rectangle

    weights = np.asarray(alignment.weights)[:MOST_STEPS, :MOST_STEPS]
    T, S = weights.shape
    read = [_shown(symbol) for symbol in alignment.source[:S]]
    written = [_shown(symbol) or end for symbol in alignment.target[:T]]
    lines: list[str] = []
    if max((len(symbol) for symbol in read), default=1) > 2:  # words: a number at each column
        lines = _wrapped([f"{k} {symbol}" for k, symbol in enumerate(read, 1)])
        read = [str(k) for k in range(1, S + 1)]
    left = 14.0 + max((text_width(symbol, SMALL) for symbol in written), default=0)
    side = min((WIDTH - left - 14) / max(1, S), 24.0)
    row = min(max(side, 12.0), 18.0)
    top = 54.0 + 16 * len(lines)
    right = WIDTH - left - side * max(1, S)
    figure = paper(top + row * T + 12, left=left, right=right, top=top, bottom=12)
    axes = figure.axes[0]
    write(figure, 0, 12, "Read (columns), written (rows)")
    for k, line in enumerate(lines):
        write(figure, 0, 32 + 16 * k, line, "ink")
    if not S or not T:
        return empty(figure, "nothing was read")
    axes.set_xlim(0, S)
    axes.set_ylim(T, 0)
    for t, s in np.argwhere(weights >= _FAINTEST).tolist():
        alpha = min(1.0, float(weights[t, s])) * 0.9
        axes.add_patch(Rectangle((s, t), 1, 1, facecolor=LIGHT["first"], alpha=alpha, linewidth=0))
    small = FONT["fontsize"] if side >= 9 else 7.0
    axes.set_xticks(np.arange(S) + 0.5, read, **PLAIN)
    axes.set_yticks(np.arange(T) + 0.5, written, **PLAIN)
    axes.tick_params(axis="x", length=0, top=False, labeltop=True, labelbottom=False, pad=3)
    axes.tick_params(axis="both", labelsize=min(small, SMALL))
    for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        text.set_color(LIGHT["ink"])
    axes.spines["bottom"].set_visible(False)
    return figure


def _wrapped(parts: list[str]) -> list[str]:
    """Return the parts on as few lines as the paper's width allows."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}   {part}".strip()
        if lines[-1] and text_width(longer, TEXT) > WIDTH:
            lines.append(part)
        else:
            lines[-1] = longer
    return lines


def attention_caption(alignment: Any, separator: str = "") -> str:
    """Return what `attention_figure` shows."""
    weights = np.asarray(alignment.weights)
    source = one_line(separator.join(alignment.source))
    target = one_line(separator.join(alignment.target))
    text = f"“{source}” was read, “{target}” written. "
    pairs = [
        f"{_shown(alignment.target[t])} at {_shown(alignment.source[s])}"
        for t in np.argsort(-weights[:-1].max(1), kind="stable")[:3].tolist()
        for s in [int(weights[t].argmax())]
    ]
    if pairs:
        text += f"The surest looks: {', '.join(pairs)}."
    return text


def _shown(symbol: str) -> str:
    return _NAMES.get(symbol, shorten(symbol, 90, SMALL) if symbol.strip() else symbol)
