"""The figure of how large the gradient is, for every loss and every step it flows back to."""

import math
from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recurra.report.canvas import (
    FONT,
    LIGHT,
    PLAIN,
    TEXT,
    WIDTH,
    empty,
    key,
    number_axis,
    paper,
    style_axes,
    write,
)
from recurra.report.flows.colours import heat
from recurra.report.flows.grid import Array, Grid, band_edges, most_cells, norm_grid
from recurra.report.flows.records import FAINT, place_name
from recurra.report.flows.text import power_text
from recurra.report.text import text_width

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch

    from recurra.gradients import GradientFlow

MOST_LAYERS = 4
# The smallest numbers above zero: what is nearer to zero is zero.
UNDERFLOWS = {"float16": 2.0**-24, "float32": 2.0**-149}
_DASHES = {"zero in float16": (4.0, 2.0), "zero in float32": (1.0, 1.5)}
_LEFT, _RIGHT, _BELOW = 46.0, 14.0, 24.0  # points around a panel
_FOOT = 62.0  # points for the axes' name and the key of colours
_FAINT, _ZERO, _ODD = "1 % arrives", "zero", "not finite"


def flow_figure(flow: "GradientFlow") -> "Figure":
    """Draw the norms ‖∂L_t/∂h_s‖ over s and t, a panel for each layer and direction.

    Colours are bands of equal ratio. Marked are the steps before which less than 1 % of the
    gradient at the loss' own step arrives, where the norm is too small for float16 and float32,
    and where it is zero or not finite. Of more than four layers, four are drawn.

    Raises `MissingDependencyError` without matplotlib.
    """
    places = drawn_places(flow)
    grids = [norm_grid(flow, *place, most_cells(len(places))) for place in places]
    edges = band_edges(grids)
    marks = {name for grid in grids for name in _marks(grid)}
    figure = _panels(len(places), 30.0 + 19 * _key_rows(marks))
    write(figure, 0, 12, "Norm of the gradient ∂L_t/∂h_s, log scale")
    if not edges and not marks:
        return empty(figure, "no norm to show")
    entries: dict[str, Artist] = {}
    for axes, grid, place in zip(figure.axes, grids, places, strict=True):
        _draw(axes, grid, edges, entries)
        if len(places) > 1:
            box, tall = axes.get_position(), figure.get_figheight() * 72
            name = place_name(flow, *place)
            write(figure, box.x0 * WIDTH, (1 - box.y1) * tall - 10, name, "ink")
    name = "across: step s of the state; up: step t of the loss"
    write(figure, WIDTH / 2, figure.get_figheight() * 72 - _FOOT + 10, name, align="center")
    if edges:
        _colour_key(figure, edges)
    if entries:
        key(figure, 28, list(entries.values()))
    return figure


def drawn_places(flow: "GradientFlow") -> list[tuple[int, int]]:
    """Return the layers and directions drawn: of many layers some, the first and last included."""
    layers: Sequence[int] = range(flow.layers)
    if flow.layers > MOST_LAYERS:
        layers = np.linspace(0, flow.layers - 1, MOST_LAYERS).round().astype(int).tolist()
    return list(product(layers, range(flow.directions)))


def _marks(grid: Grid) -> dict[str, Array]:
    """Return what is marked in a grid, by its name in the key: lines (R, 2), or cells (R, C)."""
    lines = {_FAINT: grid.crossing(grid.own + math.log10(FAINT))}
    for name, smallest in UNDERFLOWS.items():
        lines[f"zero in {name}"] = grid.crossing(np.full(len(grid.own), math.log10(smallest)))
    marks = {name: line for name, line in lines.items() if np.isfinite(line).all(1).any()}
    for name, value in ((_ZERO, -np.inf), (_ODD, np.inf)):
        if (grid.exponents == value).any():
            marks[name] = grid.exponents == value
    return marks


def _key_rows(marks: set[str]) -> int:
    wide = sum(text_width(name, TEXT) + 48 for name in marks)
    return bool(marks) if wide <= WIDTH else math.ceil(len(marks) / 2)


def _panels(count: int, top: float) -> "Figure":
    """Return a figure with so many axes below `top` points, two abreast if there are several."""
    columns = min(2, count)
    wide = (WIDTH - columns * (_LEFT + _RIGHT)) / columns
    tall = 0.8 * wide if count == 1 else wide
    title = 20.0 * (count > 1)
    pitch = title + tall + _BELOW
    height = top + math.ceil(count / columns) * pitch + _FOOT
    figure = None
    for k in range(count):
        row, column = divmod(k, columns)
        left = _LEFT + column * (wide + _LEFT + _RIGHT)
        above = top + title + row * pitch
        below = height - above - tall
        if figure is None:
            figure = paper(height, left, WIDTH - left - wide, above, below)
            continue
        box = (left / WIDTH, below / height, wide / WIDTH, tall / height)
        style_axes(figure.add_axes(box, facecolor="none", axisbelow=True))
    assert figure is not None
    for axes in figure.axes:
        _without_grid(axes)
        axes.spines["left"].set_visible(True)
    return figure


def _without_grid(axes: "Axes") -> None:
    axes.minorticks_off()
    axes.grid(visible=False, which="both")


def _draw(axes: "Axes", grid: Grid, edges: list[float], entries: "dict[str, Artist]") -> None:
    """Draw one panel, and add to `entries` what the key must name."""
    axes.set_xlim(grid.columns[0], grid.columns[-1])
    axes.set_ylim(grid.rows[0], grid.rows[-1])
    for axis in ("x", "y"):
        number_axis(axes, axis, 5, whole=True)
    # Each band is painted over all smaller ones, so that no seam shows between two.
    for k, colour in enumerate(heat(len(edges) - 1)):
        cells = np.isfinite(grid.exponents) & ((grid.exponents >= edges[k]) | (k == 0))
        _fill(axes, grid, cells, colour, f"band {k}")
    marks = _marks(grid)
    for name, where in marks.items():
        if name == _ZERO:
            _hatch(axes, _fill(axes, grid, where > 0, LIGHT["grid"], name), entries)
        elif name == _ODD:
            entries.setdefault(name, _fill(axes, grid, where > 0, LIGHT["second"], name))
        else:
            entries.setdefault(name, _contour(axes, where, name))
    if _FAINT in marks:
        _name_the_vanished(axes, grid, marks[_FAINT])


def _fill(
    axes: "Axes", grid: Grid, cells: NDArray[np.bool_], colour: str, name: str
) -> "PathPatch":
    """Fill cells in one colour and return what was drawn."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners = [
        corner
        for left, low, right, top in grid.outline(cells)
        for corner in ((left, low), (right, low), (right, top), (left, top), (left, low))
    ]
    corner_codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    path = Path(np.reshape(corners, (-1, 2)), corner_codes * (len(corners) // 5))
    patch = PathPatch(path, facecolor=colour, edgecolor="none", linewidth=0, label=name, gid=name)
    axes.add_patch(patch)
    return patch


def _hatch(axes: "Axes", patch: "PathPatch", entries: "dict[str, Artist]") -> None:
    """Rule diagonal lines over a patch, whose like stands in the key."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import PathPatch

    starts = np.linspace(-1, 1, 50)
    lines = LineCollection(
        [[(start, 0), (start + 1, 1)] for start in starts],
        colors=LIGHT["rule"],
        linewidths=0.6,
        linestyles="-",
        transform=axes.transAxes,
    )
    axes.add_collection(lines, autolim=False)
    lines.set_clip_path(patch)
    sample = PathPatch(
        patch.get_path(),
        facecolor=LIGHT["grid"],
        edgecolor=LIGHT["rule"],
        linewidth=0.6,
        label=_ZERO,
    )
    entries.setdefault(_ZERO, sample)


def _contour(axes: "Axes", line: Array, name: str) -> "Artist":
    """Draw a line with a light edge, which sets it off from any colour, and return it."""
    axes.plot(*line.T, color=LIGHT["paper"], linewidth=3.6, linestyle="-", marker="")
    (drawn,) = axes.plot(
        *line.T,
        color=LIGHT["ink"],
        linewidth=1.6,
        linestyle=(0, _DASHES[name]) if name in _DASHES else "-",
        marker="",
        label=name,
        gid=name,
    )
    return drawn


def _name_the_vanished(axes: "Axes", grid: Grid, line: Array) -> None:
    """Write what the region beyond the line is, in its corner, if there is room."""
    text = "under 1 %"
    low, high = axes.get_xlim()
    xs = line[np.isfinite(line[:, 0]), 0]
    # The row furthest from its first step is the last one forwards, the first one backwards.
    room = high - xs[0] if grid.backwards else xs[-1] - low
    if room / (high - low) * axes.get_position().width * WIDTH < text_width(text, TEXT) + 16:
        return
    axes.annotate(
        text,
        (1, 0) if grid.backwards else (0, 1),
        xycoords="axes fraction",
        xytext=(-8, 12) if grid.backwards else (8, -12),
        textcoords="offset points",
        color=LIGHT["ink"],
        horizontalalignment="right" if grid.backwards else "left",
        bbox={"facecolor": LIGHT["paper"], "edgecolor": "none", "alpha": 0.85, "pad": 2.5},
        gid="vanished",
        **FONT,
    )


def _colour_key(figure: "Figure", edges: list[float]) -> None:
    """Lay the bands' colours in a row at the bottom, the numbers between them below."""
    height = figure.get_figheight() * 72
    bands = heat(len(edges) - 1)
    tall = 9.0
    box = (_LEFT, _FOOT - 24 - tall, WIDTH - 2 * _LEFT, tall)
    axes = figure.add_axes(
        (box[0] / WIDTH, box[1] / height, box[2] / WIDTH, box[3] / height), facecolor="none"
    )
    style_axes(axes)
    _without_grid(axes)
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, len(bands))
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    for k, colour in enumerate(bands):
        axes.axvspan(k, k + 1, color=colour, linewidth=0)
    # Whole powers of ten alone read better than every third of one.
    whole = [k for k, edge in enumerate(edges) if edge == round(edge)]
    places = whole if len(whole) > 1 else list(range(len(edges)))
    places = places[:: 1 + len(places) // 8]
    axes.set_xticks(places, [power_text(edges[k]) for k in places], **PLAIN)
