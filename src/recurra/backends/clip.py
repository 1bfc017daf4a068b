"""A state whose gradient is cut to a norm on its way back."""

from typing import Any

import torch
from torch import Tensor

from recurra.errors import BackendError


def clip_gradient(state: Tensor, most: float) -> Tensor:
    """Return `state` (B, n); each row's gradient is scaled down to the norm `most` if it is longer.

    A row whose gradient is not finite passes it on as it is.
    """
    clipped: Tensor = _Clip.apply(state, most)  # type: ignore[no-untyped-call]
    return clipped


def refuse_twice() -> None:
    """Raise `BackendError`: gradients that were cut are to be differentiated."""
    raise BackendError(
        "gradients that truncate= or clip_state_grad= has cut are no derivative of anything, and "
        "have none themselves. Leave out create_graph=True, or that option. (The derivatives of "
        "torch.func and those of forward mode are always such as can be derived again.)"
    )


class _Clip(torch.autograd.Function):
    """As `program.clip.clipped`, in torch's operations."""

    generate_vmap_rule = True  # gradients of several losses at once

    @staticmethod
    def forward(state: Tensor, most: float) -> Tensor:
        return state.view_as(state)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float], output: Tensor) -> None:
        ctx.most = inputs[1]

    @staticmethod
    def jvp(ctx: Any, *d: Any) -> Tensor:
        refuse_twice()
        raise AssertionError

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> tuple[Tensor, None]:
        if torch.is_grad_enabled():
            refuse_twice()
        largest = d.abs().amax(-1, keepdim=True).clamp(min=ctx.most)
        norm = (d / largest).square().sum(-1, keepdim=True).sqrt() * largest
        factor = ctx.most / norm
        return d * torch.where(factor < 1, factor, 1.0), None
