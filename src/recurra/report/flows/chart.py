"""Gradient flow as text for a terminal: what arrives from how far."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from recurra.report.flows.records import Decay, decays, round_distances
from recurra.report.flows.text import arriving_text
from recurra.report.text import one_line

if TYPE_CHECKING:
    from recurra.gradients import GradientFlow

_BAR = 32  # characters of a full bar
_HEADING = "Share of the gradient that arrives, by distance in steps"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = {True: " ▁▂▃▄▅▆▇█", False: " .:-=+*#@"}
_PLAIN = str.maketrans(
    {
        "\u00a0": " ",
        "×": "x",
        "–": "-",
        "−": "-",
        "∞": "inf",
        "…": "...",
        "⁻": "-",
        **dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)),
    }
)


def flow_chart(flows: "Mapping[str, GradientFlow]", *, ascii_only: bool = False) -> str:
    """Return what arrives from 1, 2, 5, 10, ... steps as lines of text.

    One curve is a bar for each distance, several are a row each; which curves there are,
    `decay_figure` says.

    Args:
        flows: by the name each is to have.
        ascii_only: for a terminal that has no other characters.

    Raises `ArgumentError` without any flow.
    """
    curves = decays(flows)
    distances = round_distances(max(len(curve.arrives) for curve in curves))
    if not distances:
        return "There is one step only, so that nothing arrives from further away."
    if len(curves) == 1:
        text = _bars(_shares(curves[0], distances), distances, not ascii_only)
    else:
        rows = {one_line(curve.label): _shares(curve, distances) for curve in curves}
        text = _table(rows, distances, not ascii_only)
    return plain(text) if ascii_only else text


def plain(text: str) -> str:
    """Return `text` in ASCII: signs that have a like become it, others a question mark."""
    exponents = text.replace("10⁻", "10^-")
    for digit in "⁰¹²³⁴⁵⁶⁷⁸⁹":
        exponents = exponents.replace(f"10{digit}", f"10^{digit}")
    return exponents.translate(_PLAIN).encode("ascii", "replace").decode()


def _shares(curve: Decay, distances: Sequence[int]) -> list[float]:
    reach = len(curve.arrives)
    return [float(curve.arrives[d]) if d < reach else math.nan for d in distances]


def _bars(shares: Sequence[float], distances: Sequence[int], fine: bool) -> str:
    """Return a bar a distance; all of the gradient is a full one, or the most if more arrives."""
    full = max([1.0, *(share for share in shares if math.isfinite(share))])
    lines = [_HEADING + (f"; a full bar is {arriving_text(full)}" if full > 1 else "")]
    for distance, share in zip(distances, shares, strict=True):
        part = 0.0 if math.isnan(share) else min(share / full, 1.0)
        line = f"{distance:>7,}  {_bar(part, fine):<{_BAR}} {arriving_text(share)}"
        lines.append(line)
    return "\n".join(lines)


def _bar(part: float, fine: bool) -> str:
    if not fine:
        return "#" * round(part * _BAR)
    whole, eighths = divmod(round(part * _BAR * 8), 8)
    return _EIGHTHS[-1] * whole + _EIGHTHS[eighths].strip()


def _table(rows: Mapping[str, Sequence[float]], distances: Sequence[int], fine: bool) -> str:
    """Return a row a curve, before each number a character as high as the share."""
    room = max(map(len, rows))
    columns = [
        _column(f"{distance:,}", shares, fine)
        for distance, *shares in zip(distances, *rows.values(), strict=True)
    ]
    lines = [
        "  ".join([f"{name:<{room}}", *cells]).rstrip()
        for name, *cells in zip(["", *rows], *columns, strict=True)
    ]
    return "\n".join([_HEADING, *lines])


def _column(heading: str, shares: Sequence[float], fine: bool) -> list[str]:
    texts = [arriving_text(share) for share in shares]
    width = max(map(len, [heading, *texts]))
    levels = _LEVELS[fine]
    highest = len(levels) - 1
    cells = []
    for share, text in zip(shares, texts, strict=True):
        height = 0 if math.isnan(share) else round(min(share, 1.0) * highest)
        cells.append(f"{levels[height]} {text:>{width}}")
    return [f"{heading:>{width + 2}}", *cells]
