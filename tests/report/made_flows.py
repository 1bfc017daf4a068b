"""Gradient flows as they would be if every step had the same factor, for tests of the report."""

from itertools import product

import numpy as np

from recurra.gradients import GradientFlow


def made_flow(factor=0.5, T=40, layers=1, directions=1, times=None, size=1.0, **changed):
    """The flow whose norm is size · factor^d at distance d, within each layer and direction."""
    times = tuple(range(T)) if times is None else tuple(times)
    shape = (layers, directions)
    norms = np.zeros((*shape, len(times), T))
    arrives = np.full((*shape, T), np.nan)
    for layer, direction in product(range(layers), range(directions)):
        for row, t in enumerate(times):
            steps = np.arange(t, T) if direction else np.arange(t, -1, -1)
            norms[layer, direction, row, steps] = size * factor ** np.arange(len(steps))
        furthest = T - min(times) if directions > 1 and direction else max(times) + 1
        arrives[layer, direction, :furthest] = factor ** np.arange(furthest)
    rate = np.full(shape, factor)
    back = factor ** np.arange(T)[::-1]
    product_ = np.broadcast_to(back, (*shape, T)).copy()
    fields = {
        "cell": "Elman",
        "layers": layers,
        "directions": directions,
        "state_names": ("h",),
        "T": T,
        "B": 8,
        "times": times,
        "norms": norms,
        "state_norms": {"h": norms},
        "local": np.full((*shape, T), factor),
        "product": product_,
        "bound": 1.5 * product_,
        "rate": rate,
        "rate_low": rate - 0.03,
        "rate_high": rate + 0.03,
        "arrives": arrives,
        "contributions": {
            f"cells.{layer}.affine.{name}": (layer + 1) * scale * factor ** np.arange(T)
            for layer in range(layers)
            for name, scale in (("weight_ih", 1.0), ("weight_hh", 2.0), ("bias_ih", 0.5))
        },
        "underflow": {
            "float32": found(149, "underflow", measured=False),
            "float16": found(24, "underflow"),
            "bfloat16": found(None, None),
        },
        "verdict": f"It vanishes at {factor} a step.",
        "lstm_rate": None,
        "notes": ("losses: all of them",),
    }
    return GradientFlow(**(fields | changed))


def found(distance, kind, measured=True):
    """Where a gradient leaves a format's range."""
    return {
        "distance": distance,
        "kind": kind,
        "measured": measured,
        "layer": None if distance is None else 0,
        "direction": None if distance is None else 0,
    }
