"""What each figure of gradient flow shows, in words and numbers: it can be read without it."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from recurra.report.flows.activations import SHOWN, largest_text
from recurra.report.flows.decay import MOST_PARAMETERS, largest_contributions
from recurra.report.flows.grid import Array, most_cells
from recurra.report.flows.heat import MOST_LAYERS, UNDERFLOWS, drawn_places
from recurra.report.flows.records import Decay, decays
from recurra.report.flows.text import arriving_text, interval_text, rate_text, size_text
from recurra.report.text import count_text, name_list, one_line, share_text

if TYPE_CHECKING:
    from recurra.gradients import GradientFlow

_FLOAT32_TINIEST = 2.0**-149
_MOST = 0.99


def flow_caption(flow: "GradientFlow") -> str:
    """Return what `flow_figure` shows."""
    norms = flow.norms[np.isfinite(flow.norms) & (flow.norms > 0)]
    text = [
        f"Norm of the gradient of the loss at {count_text(len(flow.times), 'step')} t with "
        f"respect to the state at {count_text(flow.T, 'step')} s"
    ]
    if len(norms):
        text[0] += f": from {size_text(norms.min())} to {size_text(norms.max())}."
    else:
        text[0] += ": none is finite and above zero."
    curves = decays({"": flow})
    text.append("; ".join(_named(decay, _reach_text(decay)) for decay in curves) + ".")
    text[-1] = text[-1][0].upper() + text[-1][1:]
    for name, smallest in UNDERFLOWS.items():
        lost = float((norms < smallest).mean()) if len(norms) else 0.0
        if lost:
            text.append(
                f"Of the norms above zero {arriving_text(lost)} are below {size_text(smallest)}, "
                f"the smallest number {name} has above zero."
            )
    odd = int((~np.isfinite(flow.norms)).sum())
    if odd:
        text.append(f"{count_text(odd, 'norm')} {'is' if odd == 1 else 'are'} not finite.")
    if flow.layers > MOST_LAYERS:
        text.append(f"Of {flow.layers} layers {MOST_LAYERS} are drawn.")
    cells = most_cells(len(drawn_places(flow)))
    if (width := math.ceil(flow.T / cells)) > 1:
        steps = count_text(width, "step")
        text.append(f"Each column is the geometric mean of up to {steps}.")
    if len(flow.times) > cells:
        text.append(f"Of {len(flow.times):,} losses {cells} are drawn.")
    return " ".join(text)


def _reach_text(decay: Decay) -> str:
    """Return from where on less than 1 % arrives, as part of a sentence."""
    first = decay.first_faint()
    if first is not None:
        way = "ahead" if decay.backwards else "back"
        return f"from {count_text(first, 'step')} {way} less than 1 % arrives"
    known = np.flatnonzero(~np.isnan(decay.arrives))
    if not len(known):
        return "nothing arrives from anywhere"
    furthest = int(known[-1])
    share = arriving_text(float(decay.arrives[furthest]))
    return f"{share} arrives from {count_text(furthest, 'step')}, the furthest"


def _named(decay: Decay, text: str) -> str:
    return f"{one_line(decay.label)}: {text}" if decay.label else text


def decay_caption(flows: "Mapping[str, GradientFlow]") -> str:
    """Return what `decay_figure` shows."""
    text = ["The gradient's norm by distance, in shares of the norm at the loss' own step."]
    if len(flows) > 1 and any(flow.layers * flow.directions > 1 for flow in flows.values()):
        text.append("Of each the last layer is shown, forwards.")
    curves = []
    for decay in decays(flows):
        curves.append(_named(decay, _reach_text(decay)))
        if not math.isnan(decay.rate):
            interval = interval_text(decay.low, decay.high)
            curves[-1] += f", factor {rate_text(decay.rate)} a step (95 % interval {interval})"
    return " ".join([*text, "; ".join(curves) + "."])


def activation_caption(names: Sequence[str] = SHOWN) -> str:
    """Return what `activation_figure` shows."""
    from recurra.gradients import activation_derivatives

    at = np.linspace(-5, 5, 401)
    tops = {name: float(slope.max()) for name, slope in activation_derivatives(names, at).items()}
    largest = [f"{name} {largest_text(top)}" for name, top in tops.items()]
    text = [f"The largest derivative: {', '.join(largest)}."]
    for name, top in tops.items():
        if 0 < top < 1:
            steps = math.floor(math.log(_FLOAT32_TINIEST) / math.log(top)) + 1
            text.append(
                f"Through {name} a gradient shrinks at least to {largest_text(top)} at every "
                f"step, weights apart: of {count_text(steps, 'step')} the product is below the "
                f"smallest number float32 has, {size_text(_FLOAT32_TINIEST)}."
            )
    return " ".join(text)


def contribution_caption(flow: "GradientFlow") -> str:
    """Return what `contribution_figure` shows."""
    parts = largest_contributions(flow.contributions, MOST_PARAMETERS)
    sums = {name: np.where(np.isfinite(of), of, 0.0).cumsum() for name, of in parts.items()}
    within = [
        f"{name_list([name])} {int((upto >= _MOST * upto[-1]).argmax()):,}"
        for name, upto in sums.items()
        if upto[-1] > 0
    ]
    if not within:
        return "There is no parameter whose gradient could be taken apart."
    use = "use so many steps from" if flow.directions > 1 else "use so many steps before"
    text = [
        f"Norm of the part of each parameter's gradient that comes from its {use} the loss. "
        f"{share_text(_MOST)} of the sum of these norms is reached within so many steps: "
        f"{', '.join(within)}."
    ]
    first = next(iter(parts))
    text.append(f"The largest, of {name_list([first])}, is {size_text(_largest(parts[first]))}.")
    left = len(flow.contributions) - MOST_PARAMETERS
    if left > 0:
        text.append(f"{count_text(left, 'parameter')} with smaller parts are not drawn.")
    return " ".join(text)


def _largest(values: Array) -> float:
    return float(values[np.isfinite(values)].max(initial=0.0))
