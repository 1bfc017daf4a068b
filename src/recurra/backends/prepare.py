"""From a cell to what the machine runs, found once and kept with the cell."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from recurra.backends.compiled import Compiled, compile_program
from recurra.backends.memory import odd_weight
from recurra.backends.steps import SteppedCell, Steps
from recurra.errors import TraceError
from recurra.program.trace import Traced, trace
from recurra.program.trace_key import fingerprint


@dataclass(frozen=True, eq=False)
class Prepared:
    """A cell's traced program, ready to run."""

    traced: Traced
    compiled: Compiled


def prepare(cell: SteppedCell, dtype: torch.dtype) -> Prepared | str:
    """Return the cell's program for x of `dtype`, or why it has none."""
    assert isinstance(cell, nn.Module)
    odd = odd_weight(cell)  # a trace has symbols in the weights' places: it would not notice
    if odd is not None:
        return odd
    programs = cell.programs
    key = (dtype, fingerprint(cell))
    found = programs.known.get(key)
    if found is None:
        with programs.lock:
            found = programs.known.get(key)
            if found is None:
                found = programs.known[key] = _trace(cell, dtype)
    return found


def _trace(cell: Any, dtype: torch.dtype) -> Prepared | str:
    for tensor in (*cell.parameters(), *cell.buffers()):
        if tensor.device.type != "cpu":
            return f"a weight is on {tensor.device}; the machine is the processor's"
    for name, kind in cell.state_kinds.items():
        if kind.is_complex:
            return f"the state {name!r} is complex; the machine computes with real numbers"
    try:
        traced = trace(cell, cell.input_size, cell.state_sizes, dtype)
        return Prepared(traced, compile_program(traced.program))
    except TraceError as error:
        return str(error)


def leaves(prepared: Prepared, cell: SteppedCell) -> tuple[Tensor, ...]:
    """Return the tensors of the program's parameters, made from the cell's by torch."""
    assert isinstance(cell, nn.Module)
    return prepared.traced.leaves({path: _tensor(cell, path) for path in prepared.traced.names})


def _tensor(module: nn.Module, path: str) -> Tensor:
    *parts, name = path.split(".")
    for part in parts:
        module = module._modules[part]  # type: ignore[assignment]
    tensor = module._parameters.get(name)
    return module._buffers[name] if tensor is None else tensor  # type: ignore[return-value]


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
    if any(t.dtype != x.dtype or t.device != x.device for t in tensors):
        return "the states are of another dtype or device than x"
    return None
