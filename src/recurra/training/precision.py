"""In which precision a loss is computed."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from recurra.errors import ArgumentError

PRECISIONS = ("float32", "bfloat16")


def check_precision(precision: object) -> None:
    """Raise `ArgumentError` unless a model can be trained in that precision."""
    if precision == "float16":
        raise ArgumentError(
            "precision='float16' would need its loss scaled, because small gradients are 0 in it; "
            "take 'bfloat16', which has float32's range."
        )
    if precision not in PRECISIONS:
        raise ArgumentError(
            f"precision must be one of {', '.join(map(repr, PRECISIONS))}, got {precision!r}."
        )


def computing_in(precision: str, model: nn.Module) -> AbstractContextManager[object]:
    """Return a block in which products of the model's device are computed in that precision.

    It is torch's autocast: weights stay as they are, and so do the operations that need more.
    """
    if precision == "float32":
        return nullcontext()
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    return torch.autocast(device.type, torch.bfloat16)
