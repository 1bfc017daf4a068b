"""Runs of a user's model that leave no trace in it: on a copy in float64 where there can be one."""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


def in_float64(model: nn.Module) -> nn.Module | None:
    """Return a copy of the model in float64, or None where it cannot be copied or converted."""
    try:
        return copy.deepcopy(model).double()
    except Exception:  # whatever a user's module raises when it is copied
        return None


def converted(value: Any, double: bool) -> Any:
    """Return what a model is given as plain tensors, floats in float64 if `double`.

    Tensors inside tuples, lists, dicts and packed sequences are converted, modules copied too.
    """
    if isinstance(value, Tensor):
        value = value.detach().clone()  # out of inference mode
        return value.double() if double and value.is_floating_point() else value
    if isinstance(value, PackedSequence):
        return value._replace(data=converted(value.data, double))
    if isinstance(value, nn.Module):
        return (in_float64(value) or value) if double else value
    if isinstance(value, dict):
        return {key: converted(item, double) for key, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(converted(item, double) for item in value)
    return value


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Put back the random numbers and the model's buffers after the block; gradients are on in it.

    The random numbers are torch's, on the processor and the model's devices, and Python's own.
    """
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    buffers = [
        (module._buffers, name, buffer, buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None and not buffer.is_inference()
    ]
    drawn = random.getstate()
    with (
        torch.random.fork_rng(devices=list(devices)),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        try:
            yield
        finally:
            random.setstate(drawn)
            for own, name, buffer, before in buffers:
                own[name] = buffer
                if not torch.equal(buffer, before):  # its version does not tell: see batch norm
                    with torch.no_grad():
                        buffer.copy_(before)
