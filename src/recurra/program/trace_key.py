"""What the trace of a module depends on, as a key: a trace holds as long as the key is equal."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, is_dataclass
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
GLOBAL_HOOKS = tuple(f"_global{name}" for name in HOOKS)
_INTERNAL = frozenset(vars(nn.Module())) - {"training"}
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
    return tuple(_marks(module))


def _marks(module: nn.Module) -> Iterator[Hashable]:
    yield tuple(bool(getattr(nn.modules.module, name)) for name in GLOBAL_HOOKS)
    first: dict[int, int] = {}  # tells which modules and tensors are one
    for name, part in module.named_modules(remove_duplicate=False):
        own = vars(part)
        yield name, type(part), type(part).forward, first.setdefault(id(part), len(first))
        yield any(own.get(hooks) for hooks in HOOKS), own.get("_compiled_call_impl") is not None
        for key, value in own.items():
            if key not in _INTERNAL and key != "programs":
                yield key, _mark(value)
        for tensors in (part._parameters, part._buffers):
            for key, tensor in tensors.items():
                yield key, _mark_tensor(tensor, first)


def _mark_tensor(tensor: Tensor | None, first: dict[int, int]) -> Hashable:
    if tensor is None:
        return None
    which = first.setdefault(id(tensor), len(first))
    return which, tensor.shape, tensor.dtype, tensor.device, tensor.layout, tensor.requires_grad


def _mark(value: object) -> Hashable:
    if isinstance(value, _PLAIN):
        return type(value), value
    if isinstance(value, float):
        return value.hex()  # tells -0.0 from 0.0, and finds NaN again
    if isinstance(value, dict):
        return type(value), *((_mark(key), _mark(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return type(value), *map(_mark, value)
    if isinstance(value, set | frozenset):
        return type(value), frozenset(map(_mark, value))
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, SimpleNamespace) or (is_dataclass(value) and not isinstance(value, type)):
        return Same(value), _mark(dict(vars(value)))
    return Same(value)
