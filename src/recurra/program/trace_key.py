"""What the trace of a module depends on, as a key: a trace holds as long as the key is equal."""

from collections.abc import Hashable
from dataclasses import dataclass, is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
GLOBAL_HOOKS = tuple(f"_global{name}" for name in HOOKS)
_CALLS = (*HOOKS, "_compiled_call_impl")  # what makes a call more than its `forward`
_INTERNAL = (frozenset(vars(nn.Module())) - {"training"}) | {"programs"}
_PLAIN = (bool, int, str, type(None), torch.dtype, torch.device)


@dataclass(frozen=True, eq=False)
class Same:
    """An object that is equal to itself only; holding it keeps its identity from being reused."""

    held: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.held is other.held

    def __hash__(self) -> int:
        return id(self.held)


def fingerprint(module: nn.Module) -> Hashable:
    """Return what the trace of a module may depend on: equal as long as a trace of it holds.

    That is its attributes and its submodules', but not the numbers in its tensors. What a cell
    takes from globals, closures and classes is not in it.
    """
    shared = nn.modules.module
    marks: list[Any] = [bool(getattr(shared, name)) for name in GLOBAL_HOOKS]
    _mark_part(module, marks, {})
    return tuple(marks)


def _mark_part(part: nn.Module, marks: list[Any], first: dict[int, int]) -> None:
    """Add a module's marks to `marks`; `first` tells which modules and tensors are one."""
    own, kind = vars(part), type(part)
    marks += (kind, kind.forward, first.setdefault(id(part), len(first)))
    marks += [bool(own.get(name)) for name in _CALLS]
    for key, value in own.items():
        if key not in _INTERNAL:
            marks += [key, *_mark_typed(value)]
    for group in (own["_parameters"], own["_buffers"]):
        for key, tensor in group.items():
            marks += (key, _mark_tensor(tensor, first))
    for key, child in own["_modules"].items():
        marks.append(key)
        if child is not None:
            _mark_part(child, marks, first)


def _mark_tensor(tensor: Tensor | None, first: dict[int, int]) -> Hashable:
    if tensor is None:
        return None
    which = first.setdefault(id(tensor), len(first))
    return which, tensor.shape, tensor.dtype, tensor.device, tensor.layout, tensor.requires_grad


def _mark(value: object) -> Hashable:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, float):
        return value.hex()  # tells -0.0 from 0.0, and finds NaN again
    if isinstance(value, dict):
        return tuple((_mark_typed(key), _mark_typed(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_mark_typed, value))
    if isinstance(value, set | frozenset):
        return frozenset(map(_mark_typed, value))
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, SimpleNamespace) or (is_dataclass(value) and not isinstance(value, type)):
        return Same(value), _mark(dict(vars(value)))
    return Same(value)


def _mark_typed(value: object) -> tuple[Any, ...]:
    return type(value), _mark(value)  # True is 1 and 1.0 to Python, not to a trace
