"""Series on paper: times along the lower edge, bands of quantiles, lines with gaps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report.canvas import LIGHT, PLAIN, drawable

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

Array = Any  # numbers or times of numpy
_DAY = np.timedelta64(1, "D")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def time_axis(axes: "Axes", times: Array) -> None:
    """Mark up to four of the times, which stand at 0, 1, 2, ..., as the span asks for."""
    n = len(times)
    room = 0.02 * n or 0.5
    axes.set_xlim(-room, n - 1 + room)
    count = min(4, n)
    # In from the ends, so that the labels stay on the paper.
    places = sorted({round((k + 0.5) * (n - 1) / count) for k in range(count)})
    labels = [time_text(times[k], times[-1] - times[0]) for k in places]
    axes.set_xticks(places, labels, **PLAIN)


def time_text(time: Any, span: Any = None) -> str:
    """Return a time as a reader sees it: "2005", "Mar 2005", "3 Mar 2005", "3 Mar 16:00", "17"."""
    if not isinstance(time, np.datetime64):
        return f"{int(time)}".replace("-", "\N{MINUS SIGN}")
    day = time.astype("datetime64[D]")
    year, month = str(day)[:4], _MONTHS[int(str(day)[5:7]) - 1]
    number = int(str(day)[8:10])
    if span is not None and span > 365 * 8 * _DAY:
        return year
    if span is not None and span > 120 * _DAY:
        return f"{month} {year}"
    if span is not None and span < 3 * _DAY and time != day:
        return f"{number} {month} {str(time.astype('datetime64[m]'))[11:]}"
    return f"{number} {month} {year}" if span is None else f"{number} {month}"


def draw_bands(
    axes: "Axes", x: Array, quantiles: Array, levels: Sequence[float], pairs: "dict[float, Any]"
) -> "list[Artist]":
    """Shade the quantiles (H, Q) between each pair of levels, the widest first and faintest."""
    entries: list[Artist] = []
    for k, (share, (low, high)) in enumerate(sorted(pairs.items(), reverse=True)):
        entries.append(
            axes.fill_between(
                x,
                quantiles[:, low],
                quantiles[:, high],
                color=LIGHT["faint"],
                alpha=0.3 + 0.25 * k,
                linewidth=0,
                label=f"{100 * share:g} %",
            )
        )
    return entries


def chosen_pairs(pairs: "dict[float, Any]", most: int = 2) -> "dict[float, Any]":
    """Return up to `most` of the intervals: the narrowest, the widest, then between."""
    shares = sorted(pairs)
    if len(shares) <= most:
        return dict(pairs)
    kept = {shares[round(k * (len(shares) - 1) / (most - 1))] for k in range(most)}
    return {share: pairs[share] for share in sorted(kept)}


def drawable_values(values: Array) -> Array:
    """Return the values with what no axis can hold as NaN, which leaves a gap."""
    array = np.array(values, dtype=np.float64)
    return np.where(np.isfinite(array) & (np.abs(array) <= 1e100), array, np.nan)


def limits(axes: "Axes", *parts: Array) -> bool:
    """Set the y axis around all parts; False where none of them can be drawn."""
    values = np.concatenate([np.ravel(part) for part in parts])
    values = values[np.isfinite(values)]
    if not len(values) or not drawable(float(np.abs(values).max())):
        return False
    low, high = float(values.min()), float(values.max())
    span = max(high - low, 0.01 * max(abs(high), abs(low))) or 1.0
    axes.set_ylim(low - 0.06 * span, high + 0.06 * span)
    return True


def number_text(value: float) -> str:
    """Return a value with about four digits: "1,234", "12.34", "0.01234"."""
    if not np.isfinite(value):
        return "not a number" if np.isnan(value) else "infinite"
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
    return text.replace("-", "\N{MINUS SIGN}")
