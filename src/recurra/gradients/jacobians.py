"""The norms of the Jacobians on a run's way, from state to state, and of their product."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.backends import State
from recurra.cells.cell import Cell
from recurra.gradients.linearised import Step, jacobians, linearised, step_of
from recurra.gradients.watched import Run

Array = NDArray[np.float64]

_MOST_WHOLE = 256  # features of a state whose Jacobian is computed whole
_ROWS, _ROWS_AND_STEPS = 4, 512
_MOST_NUMBERS = 2**22  # of the Jacobians that are held at once
_TURNS, _TURNS_OF_PRODUCT = 40, 24  # of Lanczos' method; a product's largest stands out more
_DISTANCES = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987)


@dataclass(frozen=True)
class Path:
    """The norms of a run's Jacobians, each (T,), geometric means over `rows` rows.

    local: of ∂s_t/∂s_{t-1} (of ∂s_t/∂s_{t+1} where the run goes backward), the state as one
    vector; product: of ∂s_end/∂s_t, the end being the run's last step; bound: the product of the
    local norms on that way. NaN where no row has the step or nothing was measured.
    whole: whether matrices were computed whole, or by Lanczos' method.
    """

    local: Array
    product: Array
    bound: Array
    rows: int
    whole: bool


def path_norms(run: Run) -> Path:
    """Return the spectral norms of a run's Jacobians, on its first rows.

    Whole matrices and their singular values for states of up to 256 features; above that 40 turns
    of Lanczos' method, which needs products of the Jacobians and vectors only, and the product at
    distances 1, 2, 3, 5, 8, 13, ... alone. Cells run again, row by row, from the recorded states.
    """
    N = sum(run.sizes)
    rows = max(1, min(_ROWS, _ROWS_AND_STEPS // run.T)) if N <= _MOST_WHOLE else 1
    chosen = run.valid().any(0).nonzero().flatten()[:rows]
    order = list(range(run.T))[:: -1 if run.reverse else 1]
    x = torch.stack([run.x[t].detach()[chosen] for t in order])
    state = torch.stack([_flat(run.entered[t])[chosen] for t in order])
    valid = run.valid()[order][:, chosen]
    whole = N <= _MOST_WHOLE
    try:
        local, product = (_whole if whole else _by_turns)(run.cell, x, state, valid)
    except RuntimeError:  # a step that cannot be differentiated twice
        whole = True
        local, product = _whole(run.cell, x, state, valid)
    # From a step's end to the run's end: the factors of all later steps.
    later = torch.where(valid, local, 0.0).flip(0).cumsum(0).flip(0)
    bound = torch.cat([later[1:], torch.zeros_like(later[:1])])
    back = np.argsort(order)
    means = [_typical(logs, valid)[back] for logs in (local, product, bound)]
    return Path(means[0], means[1], means[2], len(chosen), whole)


def _typical(logs: Tensor, valid: Tensor) -> Array:
    """Return exp of the mean over the valid rows, (T,), NaN where there is none."""
    count = valid.sum(1)
    total = torch.where(valid, logs, 0.0).sum(1)
    found: Array = torch.where(count > 0, (total / count).exp(), torch.nan).numpy()
    return found


def _flat(state: State) -> Tensor:
    return torch.cat([s.detach() for s in state], -1)


def _whole(cell: Cell, x: Tensor, state: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logs of the local norms and of the products', each (T, R), in the run's order."""
    T, R, N = state.shape
    local = torch.empty(T, R, dtype=torch.float64)
    product = torch.zeros(T, R, dtype=torch.float64)
    chain = torch.eye(N, dtype=torch.float64).repeat(R, 1, 1)
    scale = torch.zeros(R, dtype=torch.float64)
    size = max(1, _MOST_NUMBERS // (R * N * N))
    for end in range(T, 0, -size):
        begin = max(0, end - size)
        of_steps = x[begin:end].flatten(0, 1), state[begin:end].flatten(0, 1)
        found = jacobians(cell, *of_steps).double().cpu().view(end - begin, R, N, N)
        local[begin:end] = _spectral_log(found)
        for t in range(end - 1, begin - 1, -1):
            product[t] = scale + _spectral_log(chain)
            longer = torch.where(valid[t].view(R, 1, 1), chain @ found[t - begin], chain)
            largest = longer.abs().amax((1, 2))
            # Kept near 1: the product may leave float64's range long before its logarithm does.
            by = torch.where(largest > 0, largest, 1)
            chain, scale = longer / by.view(R, 1, 1), scale + by.log()
    return local, product


def _spectral_log(matrices: Tensor) -> Tensor:
    """Return the logs of the spectral norms, NaN for what is not finite."""
    finite = torch.isfinite(matrices).all(-1).all(-1)
    norms = torch.linalg.matrix_norm(torch.where(finite[..., None, None], matrices, 0), 2)
    return torch.where(finite, norms.log(), math.nan)


def _by_turns(cell: Cell, x: Tensor, state: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return what `_whole` does, by Lanczos' method; NaN for products that are not measured."""
    T, R, N = state.shape
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(T * R, N, generator=generator, dtype=torch.float64).to(state)
    up, down = linearised(step_of(cell, x.flatten(0, 1)), state.flatten(0, 1))
    local = _largest(start, [up], [down], _TURNS).view(T, R)
    product = torch.full((T, R), math.nan, dtype=torch.float64)
    product[T - 1] = 0.0
    begins = torch.tensor([T - 1 - d for d in _DISTANCES if d < T])
    for r in range(R if len(begins) else 0):
        ups, downs = [], []
        for t in range(T):
            many = x[t, r].repeat(len(begins), 1), state[t, r].repeat(len(begins), 1)
            up, down = linearised(step_of(cell, many[0]), many[1])
            inside = ((begins < t) & valid[t, r]).unsqueeze(-1).to(state.device)
            ups.append(_only(inside, up))
            downs.append(_only(inside, down))
        product[begins, r] = _largest(start[: len(begins)], ups, downs[::-1], _TURNS_OF_PRODUCT)
    return local, product


def _only(inside: Tensor, linear: Step) -> Step:
    """Return the map where `inside` holds, (m, 1), and the identity elsewhere."""
    return lambda v: torch.where(inside, linear(v), v)


def _largest(v: Tensor, ups: list[Step], downs: list[Step], turns: int) -> Tensor:
    """Return the logs of the largest singular values of a chain of maps P, (m,), from v (m, N).

    By Lanczos' method on PᵀP, with every vector made orthogonal to all before it.
    """
    m, N = v.shape
    turns = min(turns, N)
    basis, diagonal, beside = v.new_zeros(m, turns, N), v.new_zeros(m, turns), v.new_zeros(m, turns)
    scale = v.new_zeros(m)
    with torch.no_grad():
        v = v / torch.linalg.vector_norm(v, dim=-1, keepdim=True)
        for turn in range(turns):
            basis[:, turn] = v
            u, up = _through(ups, v)
            w, down = _through(downs, u)
            if turn == 0:  # from here on in units of the first vector's stretch
                scale = torch.where(torch.isfinite(up + down), up + down, 0)
            w = w * (up + down - scale).exp().unsqueeze(-1)
            diagonal[:, turn] = (w * v).sum(-1)
            for _ in range(2):
                w = w - torch.einsum("mk,mkn->mn", torch.einsum("mkn,mn->mk", basis, w), basis)
            beside[:, turn] = norm = torch.linalg.vector_norm(w, dim=-1)
            v = torch.where(norm > 1e-12, 1 / norm, 0).unsqueeze(-1) * w
    between = beside[:, :-1]
    small = (
        torch.diag_embed(diagonal) + torch.diag_embed(between, 1) + torch.diag_embed(between, -1)
    )
    finite = torch.isfinite(small).all(-1).all(-1)
    largest = torch.linalg.eigvalsh(torch.where(finite[:, None, None], small, 0))[:, -1]
    logs = torch.where(finite, (largest.clamp(min=0).log() + scale) / 2, math.nan)
    return logs.double().cpu()


def _through(maps: list[Step], v: Tensor) -> tuple[Tensor, Tensor]:
    """Return v after the maps, of norm 1, and the log of what its norm was."""
    logs = v.new_zeros(len(v))
    for each in maps:
        v = each(v)
        norm = torch.linalg.vector_norm(v, dim=-1)
        v = v / torch.where(norm > 0, norm, 1).unsqueeze(-1)
        logs = logs + norm.log()
    return v, logs
