"""A cell's step to first order: from the state before it to the state after it, row by row."""

from collections.abc import Callable

import torch
from torch import Tensor

from recurra.cells.cell import Cell
from recurra.gradients.adjoints import pull_back

Step = Callable[[Tensor], Tensor]  # (m, N) -> (m, N), row by row


def step_of(cell: Cell, x: Tensor) -> Step:
    """Return the step as a function of the state as one vector: (m, N) -> (m, N)."""
    sizes = list(cell.state_sizes.values())

    def step(state: Tensor) -> Tensor:
        _, new = cell(x, *torch.split(state, sizes, -1))
        return torch.cat(new, -1)

    return step


def jacobians(cell: Cell, x: Tensor, state: Tensor) -> Tensor:
    """Return ∂new/∂old of one step, row by row: x (m, I), state (m, N) -> (m, N, N)."""
    m, N = state.shape
    with torch.enable_grad():
        state = state.detach().requires_grad_()
        new = step_of(cell, x)(state)
    unit = torch.eye(N, dtype=state.dtype, device=state.device)
    if not new.requires_grad:
        return state.new_zeros(m, N, N)
    (found,) = pull_back([new], [state], [unit.unsqueeze(1).expand(N, m, N)])
    return state.new_zeros(m, N, N) if found is None else found.transpose(0, 1)


def linearised(step: Step, at: Tensor) -> tuple[Step, Step]:
    """Return v -> J·v and u -> Jᵀ·u, row by row, with J the Jacobian of a step at a state (m, N).

    Jᵀ·u is a backward pass; it is linear in u, so that a backward pass through it gives J·v.
    Raises `RuntimeError` where the step cannot be differentiated twice.
    """
    with torch.enable_grad():
        at = at.detach().requires_grad_()
        new = step(at)
        if not new.requires_grad:
            return torch.zeros_like, torch.zeros_like
        u = torch.zeros_like(new).requires_grad_()
        (back,) = torch.autograd.grad(new, at, u, create_graph=True, materialize_grads=True)

    def up(v: Tensor) -> Tensor:
        return _grad_or_zero(back, u, v)

    def down(v: Tensor) -> Tensor:
        return _grad_or_zero(new, at, v)

    _check_transposed(up, down, at)
    return up, down


def _check_transposed(up: Step, down: Step, at: Tensor) -> None:
    """Raise `RuntimeError` unless b·(J·a) = (Jᵀ·b)·a, as it is not where torch lost a second path.

    It does so without a word beside an operation that is marked as differentiable once.
    """
    ramp = torch.arange(at.numel(), dtype=at.dtype, device=at.device).view(at.shape)
    a, b = torch.cos(ramp), torch.sin(ramp + 1)
    Ja, Jb = up(a), down(b)
    off = ((b * Ja).sum(-1) - (Jb * a).sum(-1)).abs()
    size = (b.norm(dim=-1) * Ja.norm(dim=-1)).maximum(Jb.norm(dim=-1) * a.norm(dim=-1))
    if not (off <= torch.finfo(at.dtype).eps ** 0.5 * size).all():
        raise RuntimeError("the step cannot be differentiated twice.")


def _grad_or_zero(output: Tensor, input: Tensor, v: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(output, input, v, retain_graph=True, allow_unused=True)
    return torch.zeros_like(input) if found is None else found
