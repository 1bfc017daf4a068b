"""From a cell to what the machine runs, found once and kept with the cell."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from recurra.backends.compiled import Compiled, compile_program
from recurra.backends.steps import SteppedCell, Steps
from recurra.errors import TraceError
from recurra.program.trace import Traced, trace

_INTERNAL = frozenset(vars(nn.Module()))
_PLAIN = (bool, int, float, str, type(None), torch.dtype, torch.device)


@dataclass(frozen=True)
class Prepared:
    """A cell's traced program, ready to run."""

    traced: Traced
    compiled: Compiled


def prepare(cell: SteppedCell) -> Prepared | str:
    """Return the cell's program, or why it has none."""
    assert isinstance(cell, nn.Module)
    programs = cell.programs
    held: list[Any] = []
    key = tuple(_key(cell, held))
    found = programs.known.get(key)
    if found is None:
        with programs.lock:
            found = programs.known.get(key)
            if found is None:
                found = programs.known[key] = _trace(cell)
                programs.held.extend(held)
    return found


def _trace(cell: Any) -> Prepared | str:
    try:
        traced = trace(cell, cell.input_size, cell.state_sizes)
        return Prepared(traced, compile_program(traced.program))
    except TraceError as error:
        return str(error)


def _key(cell: nn.Module, held: list[Any]) -> Iterator[Any]:
    """Yield all that the cell's equations may depend on, apart from its weights' values."""
    for module in cell.modules():
        yield type(module)
        yield module.training
        for name, value in vars(module).items():
            if name not in _INTERNAL and name != "programs":
                yield name
                yield _fingerprint(value, held)
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                yield name, None if tensor is None else tensor.shape


def _fingerprint(value: Any, held: list[Any]) -> Any:
    if isinstance(value, _PLAIN):
        return type(value), value
    if isinstance(value, dict):
        return tuple((k, _fingerprint(v, held)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return tuple(_fingerprint(v, held) for v in value)
    held.append(value)
    return id(value)


def leaves(prepared: Prepared, cell: SteppedCell) -> tuple[Tensor, ...]:
    """Return the tensors of the program's parameters, made from the cell's by torch."""
    assert isinstance(cell, nn.Module)
    tensors = dict(cell.named_parameters())
    tensors.update(cell.named_buffers())
    return prepared.traced.leaves(tensors)


def obstacle(cell: SteppedCell, steps: Steps) -> str | None:
    """Return what in this call the machine cannot do, or None."""
    x = steps.x
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
    return None
