"""The eager loop: one call of the cell a step. Slow, and the meaning of every other backend."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from recurra.backends.clip import clip_gradient
from recurra.backends.steps import State, SteppedCell, Steps
from recurra.errors import ShapeError


def run(
    cell: SteppedCell,
    steps: Steps,
    *,
    gate: Callable[[int, State], State] | None = None,
    note: Callable[[int, State], None] | None = None,
) -> tuple[Tensor, State]:
    """Return the outputs (T, B, O), zero past each row's end, and each row's last state.

    A row past its end keeps its state, so that its last state is the one at its own last step;
    going backwards it keeps the state it starts from until its own end is reached. All of
    `steps` is obeyed but its window (`window.run`).

    gate: what the state goes through as it enters step t, to change the gradient that comes out.
    note: is told the state that leaves step t.
    """
    x, state = steps.x, steps.state
    T, B, _ = x.shape

    def enter(t: int, state: State) -> State:
        state = state if gate is None else gate(t, state)
        most = steps.clip_states
        return state if most is None else tuple(clip_gradient(s, most) for s in state)

    if T == 0:
        return x.new_zeros(0, B, cell.output_size), state
    if isinstance(cell, nn.Module) and not x.is_meta:
        for name, weight in cell.named_parameters():
            if weight.is_meta:  # torch would compute with what lies in memory
                raise ShapeError(f"the weight {name!r} is on meta, but x is on {x.device}.")
    valid = None
    if steps.lengths is not None:
        time = torch.arange(T, device=x.device).unsqueeze(1)
        valid = (time < steps.lengths).unsqueeze(-1)
        # Padding may hold anything, NaN too, and 0 · NaN is NaN in the backward pass.
        x = torch.where(valid, x, 0)
    inputs = x.unbind(0)  # one node of the graph; x[t] would make T of them, each T·B·I large
    outputs: list[Tensor] = [x] * T
    for t in reversed(range(T)) if steps.reverse else range(T):
        if steps.restart is not None:
            at = steps.restart[t].unsqueeze(-1)
            state = _select(at, steps.fresh, state)
        outputs[t], new = cell(inputs[t], *enter(t, state))
        if note is not None:
            note(t, new)
        state = new if valid is None else _select(valid[t], new, state)
    out = torch.stack(outputs)
    return out if valid is None else torch.where(valid, out, 0), state


def _select(where: Tensor, this: State, other: State) -> State:
    return tuple(torch.where(where, a, b) for a, b in zip(this, other, strict=True))
