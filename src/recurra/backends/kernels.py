"""Torch's own kernels (oneDNN, cuDNN), for cells whose equations they are."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra.backends import eager
from recurra.backends.steps import State, SteppedCell, Steps
from recurra.errors import ShapeError
from recurra.program.trace_watch import GLOBAL_HOOKS, HOOKS

_GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def refusal(cell: SteppedCell, steps: Steps) -> str | None:
    """Return why torch's kernels cannot run this, or None where they can."""
    name = type(cell).__name__
    if steps.x.numel() == 0:
        return "the input is empty"
    if steps.restart is not None:
        return "torch's kernels know no reset"
    if steps.window is not None or steps.clip_states is not None:
        return "torch's kernels leave the gradients of states alone"
    if steps.lengths is not None and steps.x.is_meta:
        return "the lengths of meta tensors are not known"
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return "torch's kernels know no torch.func transforms"
    if not isinstance(cell, nn.Module) or cell.torch_kernel() is None:
        return f"torch has no kernel for the equations of {name}"
    if _definer(cell, "forward") is not _definer(cell, "torch_kernel"):
        return f"{name} defines a forward of its own"
    if any(getattr(nn.modules.module, hooks) for hooks in GLOBAL_HOOKS):
        return "a hook is on all modules, which a kernel would pass by"
    if any(getattr(m, hooks) for m in cell.modules() for hooks in HOOKS):
        return f"{name} has hooks, which a kernel would pass by"
    if any(weight.layout != torch.strided for weight in cell.parameters()):
        return f"a weight of {name} is not dense"
    return None


def run(cell: SteppedCell, steps: Steps) -> tuple[Tensor, State]:
    """Return what `eager.run` returns, up to rounding, by one call of torch's kernel."""
    if steps.lengths is None:
        return _run_full(cell, steps)
    return _run_ragged(cell, steps, steps.lengths)


def _run_full(cell: SteppedCell, steps: Steps) -> tuple[Tensor, State]:
    x = steps.x.flip(0) if steps.reverse else steps.x
    out, *state = _call(cell, (x,), steps.state)
    return out.flip(0) if steps.reverse else out, tuple(state)


def _run_ragged(cell: SteppedCell, steps: Steps, lengths: Tensor) -> tuple[Tensor, State]:
    """Pack the rows that have steps; those of length 0 keep their state and give zeros."""
    T, B, _ = steps.x.shape
    rows = lengths.nonzero().squeeze(-1)
    if rows.numel() == 0:
        return eager.run(cell, steps)
    few = rows.numel() < B
    x = steps.x[:, rows] if few else steps.x
    lengths = lengths[rows]
    x = _mirror(x, lengths) if steps.reverse else x
    packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
    order = rows[packed.sorted_indices]
    data, *last = _call(
        cell, (packed.data, packed.batch_sizes), tuple(s[order] for s in steps.state)
    )
    out, _ = pad_packed_sequence(packed._replace(data=data), total_length=T)
    out = _mirror(out, lengths) if steps.reverse else out
    if few:
        out = out.new_zeros(T, B, out.shape[-1]).index_copy(1, rows, out)
    both = zip(steps.state, last, strict=True)  # of two dtypes, under autocast
    return out, tuple(old.to(new.dtype).index_copy(0, order, new) for old, new in both)


def _call(cell: SteppedCell, inputs: tuple[Tensor, ...], state: State) -> list[Tensor]:
    kernel = cell.torch_kernel()
    assert kernel is not None
    name, weights = kernel
    _check_weights(name, weights, inputs[0], state)
    device, dtype = inputs[0].device.type, weights[0].dtype
    casts = device not in ("cpu", "meta") and dtype != torch.float64
    if not casts or not torch.is_autocast_enabled(device):
        return _run_kernel(name, weights, inputs, state)
    # Torch's own cast is to float16 for cuDNN, whatever it was asked for.
    low = torch.get_autocast_dtype(device)
    x, *sizes = inputs
    with torch.autocast(device, enabled=False):
        cast, state = tuple(w.to(low) for w in weights), tuple(s.to(low) for s in state)
        return _run_kernel(name, cast, (x.to(low), *sizes), state)


def _run_kernel(
    name: str, weights: tuple[Tensor, ...], inputs: tuple[Tensor, ...], state: State
) -> list[Tensor]:
    if inputs[0].device.type != "cpu":
        weights = _in_one_piece(weights)
    states = tuple(s.unsqueeze(0).contiguous() for s in state)  # cuDNN takes no other
    biases = len(weights) >= 4
    hx: Any = states if name == "lstm" else states[0]
    # (inputs, state, weights, biases, layers, dropout, training, both directions[, batch first])
    # A graph that torch.jit traces is held to what it is without gradients, and trained with them.
    training = torch.is_grad_enabled() or torch._C._get_tracing_state() is not None
    options: tuple[Any, ...] = (list(weights), biases, 1, 0.0, training, False)
    if len(inputs) == 1:
        result = getattr(torch._VF, name)(*inputs, hx, *options, False)
    else:
        result = getattr(torch._VF, name)(*inputs, hx, *options)
    out, *last = result
    return [out, *(s.squeeze(0) for s in last)]


def _in_one_piece(weights: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Copy weights into one piece of memory, as cuDNN wants them; of others it warns each time."""
    flat = torch.cat([weight.flatten() for weight in weights])
    parts = torch.split_with_sizes(flat, [weight.numel() for weight in weights])
    return tuple(part.view_as(w) for part, w in zip(parts, weights, strict=True))


def _check_weights(name: str, weights: tuple[Tensor, ...], x: Tensor, state: State) -> None:
    """Raise `ShapeError` unless the weights fit: oneDNN reads past the end of smaller ones."""
    h, H = state[0].shape[-1], state[-1].shape[-1]
    rows = _GATES[name] * H
    biases, projection = len(weights) >= 4, len(weights) % 2
    wanted = [(rows, x.shape[-1]), (rows, h), *[(rows,)] * 2 * biases, *[(h, H)] * projection]
    got = [tuple(weight.shape) for weight in weights]
    if got != wanted:
        raise ShapeError(f"the weights of {name} must be of {wanted}, got {got}.")
    if len({(weight.dtype, weight.device) for weight in weights}) > 1:
        kinds = ", ".join(f"{weight.dtype} on {weight.device}" for weight in weights)
        raise ShapeError(f"the weights of {name} must be of one dtype and device, got {kinds}.")


def _mirror(x: Tensor, lengths: Tensor) -> Tensor:
    """Turn each row's first `length` steps around, leaving its padding where it is."""
    time = torch.arange(x.shape[0], device=x.device).unsqueeze(1)
    source = torch.where(time < lengths, lengths - 1 - time, time)
    return x.gather(0, source.unsqueeze(-1).expand_as(x))


def _definer(cell: nn.Module, name: str) -> object:
    """Return the class (or the instance) that gives `cell` its `name`."""
    if name in vars(cell):
        return cell
    return next(c for c in type(cell).__mro__ if name in vars(c))
