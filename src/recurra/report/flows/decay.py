"""The figures of what arrives from how far: of each flow, and through each parameter."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recurra.report.flows.lines import Line, log_lines
from recurra.report.flows.records import FAINT, Decay, decays
from recurra.report.flows.text import interval_text, rate_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from recurra.gradients import GradientFlow

MOST_PARAMETERS = 7
# Of one flow as many decades as float32 has; of several fewer, so that the slow ones differ too.
_ALONE, _TOGETHER = 50.0, 16.0


def decay_figure(flows: "Mapping[str, GradientFlow]") -> "Figure":
    """Draw the share of each gradient that arrives against the distance it comes from.

    Of several flows the last layer's forward direction is shown, of a single one every layer and
    direction. Each line is named at its end, with its factor a step and the 95 % interval.

    Args:
        flows: by the name each is to have.

    Raises `ArgumentError` without any flow, `MissingDependencyError` without matplotlib.
    """
    lines = [Line(decay.label, _rate_note(decay), decay.arrives) for decay in decays(flows)]
    return log_lines(
        "Share of the gradient that arrives, log scale",
        "steps between loss and state",
        lines,
        _ALONE if len(flows) == 1 else _TOGETHER,
        [(FAINT, "1 %")],
    )


def _rate_note(decay: Decay) -> str:
    rate, interval = rate_text(decay.rate), interval_text(decay.low, decay.high)
    # An interval narrower than the factor's last digit would only crowd the figure.
    narrow = rate_text(decay.low) == rate_text(decay.high)
    return f"{rate} a step" if narrow else f"{rate} ({interval})"


def contribution_figure(flow: "GradientFlow") -> "Figure":
    """Draw, for each parameter, the norm of its gradient's part from so many steps back.

    The seven parameters with the largest parts are drawn.

    Raises `MissingDependencyError` without matplotlib.
    """
    lines = [
        Line(name, "", values)
        for name, values in largest_contributions(flow.contributions, MOST_PARAMETERS).items()
    ]
    return log_lines(
        "Norm of the gradient's part, log scale",
        "steps between loss and use",
        lines,
        _ALONE,
    )


def largest_contributions(
    contributions: Mapping[str, NDArray[np.float64]], most: int
) -> dict[str, NDArray[np.float64]]:
    """Return the `most` parameters with the largest parts, in order, without a common prefix."""
    with np.errstate(invalid="ignore"):
        sizes = {
            name: float(np.nan_to_num(values, posinf=0.0, neginf=0.0).max(initial=0.0))
            for name, values in contributions.items()
        }
    chosen = sorted(sizes, key=lambda name: -sizes[name])[:most]
    shared = _common_prefix(list(contributions))
    return {name[len(shared) :]: contributions[name] for name in chosen}


def _common_prefix(names: list[str]) -> str:
    """Return the parts, up to a dot, that all dotted names begin with."""
    parts = [name.split(".")[:-1] for name in names]
    shared = []
    for here in zip(*parts, strict=False):
        if len(set(here)) > 1:
            break
        shared.append(here[0])
    return "".join(f"{part}." for part in shared)
