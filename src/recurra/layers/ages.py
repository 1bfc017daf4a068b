"""Values between the layers of a stack, once for each age that their gradients come in."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def join(outputs: Sequence[Tensor], dropout: float) -> Tensor:
    """Return the directions' outputs (k + 1, T, B, O) as one, (k + 1, T, B, D·O), with dropout.

    All ages are one tensor in memory: there are k + 1 of it only so that k + 1 gradients come.
    """
    like = outputs[0]
    size = sum(out.shape[-1] for out in outputs)
    kept = F.dropout(like.new_ones(*like.shape[1:-1], size), dropout) if dropout else None
    joined: Tensor = _Join.apply(kept, *outputs)  # type: ignore[no-untyped-call]
    return joined


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kept: Tensor | None, *outputs: Tensor) -> Tensor:
        ctx.sizes = [out.shape[-1] for out in outputs]
        ctx.save_for_backward(*([] if kept is None else [kept]))
        one = torch.cat([out[0] for out in outputs], -1)
        one = one if kept is None else one * kept
        return one.expand(outputs[0].shape[0], *one.shape)

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> tuple[Tensor | None, ...]:
        for kept in ctx.saved_tensors:
            d = d * kept
        return None, *torch.split(d, ctx.sizes, -1)
