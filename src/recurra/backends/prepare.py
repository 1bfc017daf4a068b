"""From a cell to what the machine runs, found once and kept with the cell."""

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.backends.compiled import Compiled, compile_program
from recurra.backends.steps import SteppedCell, Steps
from recurra.errors import TraceError
from recurra.program.trace import Traced, trace

_INTERNAL = frozenset(vars(nn.Module()))
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_PLAIN = (bool, int, str, type(None), torch.dtype, torch.device)


@dataclass(frozen=True)
class Prepared:
    """A cell's traced program, ready to run."""

    traced: Traced
    compiled: Compiled


def prepare(cell: SteppedCell, dtype: torch.dtype | None = None) -> Prepared | str:
    """Return the cell's program for x of `dtype` (None: its weights'), or why it has none."""
    assert isinstance(cell, nn.Module)
    programs = cell.programs
    held: list[Any] = []
    key = (dtype, *_key(cell, held))
    found = programs.known.get(key)
    if found is None:
        with programs.lock:
            found = programs.known.get(key)
            if found is None:
                found = programs.known[key] = _trace(cell, dtype)
                programs.held.extend(held)
    return found


def _trace(cell: Any, dtype: torch.dtype | None) -> Prepared | str:
    for tensor in (*cell.parameters(), *cell.buffers()):
        if tensor.device.type != "cpu":
            return f"a weight is on {tensor.device}; the machine is the processor's"
    try:
        traced = trace(cell, cell.input_size, cell.state_sizes, dtype)
        return Prepared(traced, compile_program(traced.program))
    except TraceError as error:
        return str(error)


def _key(cell: nn.Module, held: list[Any]) -> Iterator[Any]:
    """Yield all that the cell's equations may depend on, apart from its weights' values."""
    yield tuple(bool(getattr(nn.modules.module, f"_global{hooks}")) for hooks in _HOOKS)
    order: dict[int, int] = {}  # the first of those that are one tensor
    for module in cell.modules():
        own = vars(module)
        yield type(module), type(module).forward, module.training
        yield any(own.get(hooks) for hooks in _HOOKS)
        for name, value in own.items():
            if name not in _INTERNAL and name != "programs":
                yield name
                yield _fingerprint(value, held)
        for tensors in (module._parameters, module._buffers):
            for name, t in tensors.items():
                yield name
                if t is not None:
                    yield t.shape, t.dtype, t.device, order.setdefault(id(t), len(order))


def _fingerprint(value: Any, held: list[Any]) -> Any:
    if isinstance(value, _PLAIN):
        return type(value), value
    if isinstance(value, float):
        return value.hex()  # tells -0.0 from 0.0, and finds NaN again
    if isinstance(value, dict):
        return tuple((k, _fingerprint(v, held)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return tuple(_fingerprint(v, held) for v in value)
    if isinstance(value, set | frozenset):
        return frozenset(_fingerprint(v, held) for v in value)
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype, value.shape, value.tobytes()
    held.append(value)
    if isinstance(value, SimpleNamespace) or (is_dataclass(value) and not isinstance(value, type)):
        return id(value), _fingerprint(dict(vars(value)), held)
    return id(value)


def leaves(prepared: Prepared, cell: SteppedCell) -> tuple[Tensor, ...]:
    """Return the tensors of the program's parameters, made from the cell's by torch."""
    assert isinstance(cell, nn.Module)
    tensors: dict[str, Tensor] = {**dict(cell.named_parameters()), **dict(cell.named_buffers())}
    return prepared.traced.leaves(tensors)


def obstacle(cell: SteppedCell, steps: Steps) -> str | None:
    """Return what in this call the machine cannot do, or None."""
    x = steps.x
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return "the call is being traced"
    if torch._C._len_torch_dispatch_stack():
        return "a mode of torch watches every operation"
    if x.device.type != "cpu":
        return f"the tensors are on {x.device}; the machine is the processor's"
    if x.dtype not in (torch.float32, torch.float64):
        return f"the machine computes in float32 and float64, not {x.dtype}"
    if x.numel() == 0:
        return "the input is empty"
    if torch.is_autocast_enabled("cpu"):
        return "autocast is on"
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return "the machine knows no torch.func transforms"
    if torch.autograd.forward_ad._current_level >= 0:
        return "the machine knows no forward-mode derivatives"
    tensors = (x, *steps.state, *steps.fresh)
    if any(type(t) is not Tensor and type(t) is not nn.Parameter for t in tensors):
        return f"the tensors are {type(x).__name__}"
    if any(t.dtype != x.dtype or t.device != x.device for t in tensors):
        return "the states are of another dtype or device than x"
    return None


def plain(tensor: Tensor) -> Tensor:
    """Return a tensor whose memory holds its numbers: torch negates and makes zeros lazily."""
    if tensor._is_zerotensor():
        return tensor.new_zeros(tensor.shape)
    return tensor.resolve_neg()
