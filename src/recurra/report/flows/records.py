"""What the figures of gradient flow show: plain values, before any drawing."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ArgumentError

if TYPE_CHECKING:
    from recurra.gradients import GradientFlow

FAINT = 0.01  # the share of a gradient from which on a flow is said to have vanished


@dataclass(frozen=True)
class Decay:
    """How much of a gradient arrives from how far, in one layer and direction.

    arrives: (T,), by distance, the gradient's norm in shares of the one at distance 0, NaN where
    unknown; rate: the factor a step, in its 95 % interval from low to high; backwards: whether the
    distance is to later steps.
    """

    label: str
    arrives: NDArray[np.float64]
    rate: float
    low: float
    high: float
    backwards: bool = False

    def first_faint(self) -> int | None:
        """Return the distance from which on less than 1 % arrives, None if there is none."""
        known = np.flatnonzero(~np.isnan(self.arrives))
        enough = np.flatnonzero(~(self.arrives[known] < FAINT))
        beyond = known[enough[-1] + 1 :] if len(enough) else known
        return int(beyond[0]) if len(beyond) else None


def decays(flows: "Mapping[str, GradientFlow]") -> list[Decay]:
    """Return what arrives in each flow's last layer, forwards; of one flow, in every layer.

    Raises `ArgumentError` where there is no flow.
    """
    if not flows:
        raise ArgumentError("flows is empty: there is no gradient flow to show.")
    if len(flows) > 1:
        return [_decay(flow, label, flow.layers - 1, 0) for label, flow in flows.items()]
    ((label, flow),) = flows.items()
    places = list(product(range(flow.layers), range(flow.directions)))
    return [
        _decay(flow, label if len(places) == 1 else place_name(flow, *place), *place)
        for place in places
    ]


def _decay(flow: "GradientFlow", label: str, layer: int, direction: int) -> Decay:
    place = layer, direction
    rate, low, high = (float(of[place]) for of in (flow.rate, flow.rate_low, flow.rate_high))
    return Decay(label, flow.arrives[place], rate, low, high, backwards=direction == 1)


def place_name(flow: "GradientFlow", layer: int, direction: int) -> str:
    """Return what a layer and direction is called: "layer 2", "layer 1, backwards"."""
    parts = [f"layer {layer + 1}"] if flow.layers > 1 else []
    if flow.directions > 1:
        parts.append(("forwards", "backwards")[direction])
    return ", ".join(parts) or "the layer"


def round_distances(T: int) -> list[int]:
    """Return the distances 1, 2, 5, 10, 20, 50, ... that lie within T steps."""
    rounded = (digit * 10**power for power in range(len(str(T)) + 1) for digit in (1, 2, 5))
    return [distance for distance in rounded if distance < T]


def typical(factors: NDArray[np.float64]) -> float:
    """Return the geometric mean of the positive finite factors, NaN where there are none."""
    usable = factors[np.isfinite(factors) & (factors > 0)]
    return math.exp(float(np.log(usable).mean())) if len(usable) else math.nan
