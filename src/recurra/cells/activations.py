"""The activations φ that a cell takes by name."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.errors import ArgumentError, ArgumentTypeError

Activation = Callable[[Tensor], Tensor]


def identity(x: Tensor) -> Tensor:
    """Return `x` itself: the linear activation."""
    return x


ACTIVATIONS: dict[str, Activation] = {
    "identity": identity,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "elu": F.elu,
    "selu": F.selu,
    "leaky_relu": F.leaky_relu,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "hardtanh": F.hardtanh,
    "hardsigmoid": F.hardsigmoid,
    "sin": torch.sin,
}


def resolve_activation(activation: str | Activation) -> Activation:
    """Return the function for `activation`: a name in `ACTIVATIONS`, or a callable as it is.

    Raises `ArgumentError` for an unknown name, `ArgumentTypeError` for anything else.
    """
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise ArgumentError(
                f"activation={activation!r} is not known; "
                f"take one of {', '.join(ACTIVATIONS)}, or pass a function."
            )
        return ACTIVATIONS[activation]
    if callable(activation):
        return activation
    raise ArgumentTypeError(
        f"activation must be a name or a function, got {type(activation).__name__}."
    )


def activation_name(activation: str | Activation) -> str:
    """Return a short name of `activation`, for a module's repr."""
    if isinstance(activation, str):
        return activation
    return getattr(activation, "__name__", type(activation).__name__)
