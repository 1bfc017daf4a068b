"""The activations' derivatives: the factors that a gradient meets at every step."""

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from recurra.cells.activations import resolve_activation


def activation_derivatives(names: Iterable[str], at: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Return φ'(x) of each activation in `recurra.cells.ACTIVATIONS` that is named.

    at: the points x, of any shape; the results have the same. They are torch's own derivatives,
    in float64: 0 for relu at 0. Raises `ArgumentError` for an unknown name.
    """
    points = torch.as_tensor(np.asarray(at, dtype=np.float64))
    derivatives = {}
    for name in names:
        with torch.enable_grad():
            x = points.clone().requires_grad_()
            y = resolve_activation(name)(x)
            (derivative,) = torch.autograd.grad(y.sum(), x)
        derivatives[name] = derivative.numpy()
    return derivatives
