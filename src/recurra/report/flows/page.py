"""The report on how gradients flow back through time."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product as pairs
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.report.flows.activations import activation_figure
from recurra.report.flows.captions import (
    activation_caption,
    contribution_caption,
    decay_caption,
    flow_caption,
)
from recurra.report.flows.colours import VARIABLES_DARK, VARIABLES_LIGHT, themed
from recurra.report.flows.decay import contribution_figure, decay_figure
from recurra.report.flows.grid import Array
from recurra.report.flows.heat import flow_figure
from recurra.report.flows.records import decays, place_name, round_distances, typical
from recurra.report.flows.text import arriving_text, interval_text, rate_text, size_text
from recurra.report.page import Drawing, embed, render, write_page
from recurra.report.text import count_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from recurra.gradients import GradientFlow


def write_flow_report(
    path: str | os.PathLike[str],
    flows: "GradientFlow | Mapping[str, GradientFlow]",
    *,
    measured_on: str = "",
    title: str = "",
) -> Path:
    """Write what was measured as one HTML page to `path` and return the absolute path.

    Missing folders are made; an older file is replaced when the page is complete, not before.

    Args:
        path: the file.
        flows: one flow, or several by the name each is to have.
        measured_on: what the input was, such as "100 steps of 16 random features".
        title: the heading; what was measured if empty.

    Raises `ArgumentError` without any flow or when `path` cannot be written,
    `MissingDependencyError` without matplotlib or jinja2.
    """
    return write_page(render_flow_report(flows, measured_on=measured_on, title=title), path)


def render_flow_report(
    flows: "GradientFlow | Mapping[str, GradientFlow]", *, measured_on: str = "", title: str = ""
) -> str:
    """Return the page that `write_flow_report` writes; equal flows give equal text.

    Raises `ArgumentError` without any flow, `MissingDependencyError` without matplotlib or jinja2.
    """
    named: Mapping[str, GradientFlow] = flows if isinstance(flows, Mapping) else {flows.cell: flows}
    columns = _columns(named)
    distances = round_distances(max(flow.T for flow in named.values()))
    return render(
        "flow.html.j2",
        title=title or f"Gradient flow of {' and '.join(named)}",
        facts=_facts(named, measured_on),
        verdicts=[(name, flow.verdict) for name, flow in named.items()],
        figures=_figures(named),
        names=[column.name for column in columns],
        arriving=[
            (f"{distance:,}", [_at(column, distance) for column in columns])
            for distance in distances
        ],
        by_product=len(columns) > len(decays(named)),
        places=[row for name in named for row in _place_rows(name, named[name], len(named))],
        formats=list(next(iter(named.values())).underflow),
        underflows=[(name, _format_cells(flow)) for name, flow in named.items()],
        notes=_notes(named),
        flow_light=VARIABLES_LIGHT,
        flow_dark=VARIABLES_DARK,
    )


def _figures(flows: "Mapping[str, GradientFlow]") -> list[tuple[str, list[Drawing]]]:
    """Return the figures under their headings."""
    reach = [
        _drawing(decay_figure(flows), "decay", "What arrives from how far", decay_caption(flows)),
        _drawing(
            activation_figure(), "slopes", "The activations' derivatives", activation_caption()
        ),
    ]
    heats = _each(flows, "heat", "Gradient norm by step and loss", flow_figure, flow_caption)
    parts = _each(
        flows, "parts", "The parameters' gradient", contribution_figure, contribution_caption
    )
    first = ("How far a gradient reaches", reach)
    if len(flows) == 1:
        return [first, ("Where the gradient goes", heats + parts)]
    return [first, ("Every loss and every step", heats), ("What the parameters learn from", parts)]


def _drawing(figure: "Figure", name: str, title: str, caption: str) -> Drawing:
    """Return a figure as the page holds it, all its colours named by variables."""
    from markupsafe import Markup

    drawing = embed(figure, name, title, caption)
    svg = drawing.svg
    return drawing if svg is None else replace(drawing, svg=Markup(themed(svg)))


def _each(
    flows: "Mapping[str, GradientFlow]", name: str, title: str, draw: Any, describe: Any
) -> list[Drawing]:
    """Return a figure of each flow, its name in the heading where there are several."""
    return [
        _drawing(
            draw(flow),
            f"{name}-{k}",
            f"{title}: {label}" if len(flows) > 1 else title,
            describe(flow),
        )
        for k, (label, flow) in enumerate(flows.items(), 1)
    ]


def _facts(flows: "Mapping[str, GradientFlow]", measured_on: str) -> list[tuple[str, str]]:
    facts = [("Measured on", measured_on)] if measured_on else []
    if len(flows) == 1:
        (flow,) = flows.values()
        shape = count_text(flow.layers, "layer") + ", both directions" * (flow.directions > 1)
        facts += [
            ("Cell", f"{flow.cell}, {shape}"),
            ("Steps and rows", f"{flow.T:,} and {flow.B:,}"),
        ]
    curves = decays(flows)
    if len(curves) == 1:
        rate = f"{rate_text(curves[0].rate)} ({interval_text(curves[0].low, curves[0].high)})"
        facts += [
            ("Factor a step", rate),
            ("Less than 1 % arrives", _from(curves[0].first_faint())),
        ]
    return facts


def _from(distance: int | None) -> str:
    return "nowhere" if distance is None else f"from {count_text(distance, 'step')}"


@dataclass(frozen=True)
class _Column:
    """A column of the table by distance; values: (T,)."""

    name: str
    values: Array
    shown: Callable[[float], str]


def _columns(flows: "Mapping[str, GradientFlow]") -> list[_Column]:
    curves = decays(flows)
    columns = [_Column(curve.label, curve.arrives, arriving_text) for curve in curves]
    if len(curves) == 1:
        (flow,) = flows.values()
        # From the run's end back: at distance 0 stands the last step.
        columns.append(_Column("Product", flow.product[0, 0][::-1], size_text))
        columns.append(_Column("Bound", flow.bound[0, 0][::-1], size_text))
    return columns


def _at(column: _Column, distance: int) -> str:
    value = float(column.values[distance]) if distance < len(column.values) else math.nan
    return "–" if math.isnan(value) else column.shown(value)


def _place_rows(name: str, flow: "GradientFlow", count: int) -> list[tuple[str, list[str]]]:
    """Return a row of numbers for each layer and direction."""
    rows = []
    faint = {decay.label: decay.first_faint() for decay in decays({"": flow})}
    for place in pairs(range(flow.layers), range(flow.directions)):
        alone = flow.layers * flow.directions == 1
        label = place_name(flow, *place)
        numbers = [
            rate_text(float(flow.rate[place])),
            interval_text(float(flow.rate_low[place]), float(flow.rate_high[place])),
            _from(faint["" if alone else label]),
            size_text(typical(flow.local[place])),
            *_longest_way(flow, place),
        ]
        parts = [name] * (count > 1 or alone) + [label] * (not alone)
        rows.append((", ".join(parts), numbers))
    return rows


def _longest_way(flow: "GradientFlow", place: tuple[int, int]) -> tuple[str, str, str]:
    """Return over how many steps the product was measured at most, its norm, and the bound."""
    known = np.flatnonzero(~np.isnan(flow.product[place]))
    if not len(known):
        return "–", "–", "–"
    step = int(known[-1] if place[1] else known[0])
    steps = step if place[1] else flow.T - 1 - step
    product, bound = float(flow.product[place][step]), float(flow.bound[place][step])
    return f"{steps:,}", size_text(product), size_text(bound)


def _format_cells(flow: "GradientFlow") -> list[str]:
    """Return from where on a gradient is zero, or too large, in each floating-point format."""
    cells = []
    for found in flow.underflow.values():
        if found["distance"] is None:
            cells.append("never")
            continue
        way = "zero" if found["kind"] == "underflow" else "infinite"
        guess = "" if found["measured"] else ", by the factor"
        cells.append(f"{way} from {count_text(found['distance'], 'step')}{guess}")
    return cells


def _notes(flows: "Mapping[str, GradientFlow]") -> list[str]:
    """Return how it was measured: each sentence once, with the names it holds for if not all."""
    holders: dict[str, list[str]] = {}
    for name, flow in flows.items():
        for note in flow.notes:
            holders.setdefault(note, []).append(name)
    return [
        note if len(names) == len(flows) else f"{', '.join(names)}: {note}"
        for note, names in holders.items()
    ]
