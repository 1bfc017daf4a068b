"""From torch's functions and methods to what records them."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

Handler = Callable[..., Any]
H = TypeVar("H", bound=Handler)

# What records a call, by the function or method that torch was asked for.
HANDLERS: dict[Any, Handler] = {}
# Those that may be called with the size of the batch and no row: torch.zeros(B, n).
OF_BATCH: set[Any] = set()

_SPACES = (torch, Tensor, F, torch.special, torch._C._nn)


def functions(name: str, spaces: tuple[Any, ...] = _SPACES) -> list[Any]:
    """Return torch's functions and methods of a name; of a property, what reads it."""
    found = []
    for space in spaces:
        function = getattr(space, name, None)
        if space is Tensor and not callable(function):  # a property, as Tensor.T
            function = getattr(function, "__get__", None)
        if callable(function):
            found.append(function)
    return found


def records(
    *names: str, spaces: tuple[Any, ...] = _SPACES, batch: bool = False
) -> Callable[[H], H]:
    """Register what records torch's functions and methods of these names."""

    def register(handler: H) -> H:
        for name in names:
            for function in functions(name, spaces):
                HANDLERS[function] = handler
                if batch:
                    OF_BATCH.add(function)
        return handler

    return register


def name_of(function: Any) -> str:
    """Return what the user calls a function of torch."""
    if isinstance(function, torch._ops.OpOverload | torch._ops.OpOverloadPacket):
        return f"torch.ops.{function}"
    name = getattr(function, "__name__", str(function))
    if name == "__get__":
        return f"Tensor.{function.__self__.__name__}"
    for room in ("fft", "linalg", "special"):
        if name.startswith(f"{room}_"):
            return f"torch.{room}.{name.removeprefix(room + '_')}"
    module = getattr(function, "__module__", None) or ""
    if module.startswith("torch.nn.functional") or getattr(torch._C._nn, name, None) is function:
        return f"F.{name}"
    return f"torch.{name}" if hasattr(torch, name) else f"Tensor.{name}"
