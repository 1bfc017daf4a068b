"""A layer as one node of a graph of torch.fx, as torch.nn's layers are."""

from typing import Any

from torch import nn
from torch.fx import Proxy

from recurra.errors import ArgumentTypeError


def is_proxy(x: object) -> bool:
    """Return whether x stands for a tensor in torch.fx's tracing."""
    return isinstance(x, Proxy)


def as_node(layer: nn.Module, x: Any, *others: Any) -> Any:
    """Return what a layer gives for x while torch.fx traces the model that it is a part of.

    Raises `ArgumentTypeError` where the layer itself is traced.
    """
    path = x.tracer.path_of_module(layer)
    if not path:
        name = type(layer).__name__
        raise ArgumentTypeError(
            f"torch.fx can trace a model that has a {name}, but not the {name} itself, which "
            "would be one node: use torch.export.export(layer, (x,))."
        )
    return x.tracer.create_proxy("call_module", path, (x, *others), {})
