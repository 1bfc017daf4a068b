"""Runs of a user's model that leave no trace in it: on a copy in float64 where there can be one."""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


def in_float64(model: nn.Module) -> nn.Module | None:
    """Return a copy of the model in float64, or None where it cannot be copied or converted."""
    try:
        copied = copy.deepcopy(model)
        own = {id(part) for part in _parts(model)}
        if any(id(part) in own for part in _parts(copied)):
            return None  # the copy would be converted, and the model with it
        wide = copied.double()
        wide._apply(  # type: ignore[no-untyped-call]
            lambda t: t.to(torch.complex128) if t.is_complex() else t
        )
        return wide
    except Exception:  # whatever a user's module raises when it is copied
        return None


def _parts(model: nn.Module) -> Iterator[object]:
    yield from model.modules()
    yield from model.parameters()
    yield from model.buffers()


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
    """Put back the random numbers and the model's attributes after the block; gradients are on.

    The random numbers are torch's, on the processor and the model's devices, NumPy's and Python's
    own. In the block the model has copies of its buffers, so that the buffers see nothing of it.
    """
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    modules = list(model.modules())
    before = [(vars(module), dict(vars(module))) for module in modules]
    groups = [
        (group, dict(group))
        for module in modules
        for group in (module._parameters, module._buffers, module._modules)
    ]
    drawn, numpy_drawn = random.getstate(), np.random.get_state()  # noqa: NPY002
    with (
        torch.random.fork_rng(devices=list(devices)),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        try:
            for module in modules:
                for name, buffer in module._buffers.items():
                    if buffer is not None:
                        module._buffers[name] = buffer.detach().clone()
            yield
        finally:
            random.setstate(drawn)
            np.random.set_state(numpy_drawn)  # noqa: NPY002
            for attributes, were in (*before, *groups):
                attributes.clear()
                attributes.update(were)
