"""Gradient clipping to a norm band [L, U], as the lesson has it."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.utils import get_total_norm

from recurra.errors import ArgumentError

# Factors that the floating types hold with their inverses; applied as often as needed.
_STEP = 2.0**100
_HALF_STEP = 2.0**12


def clip_norm_band(g: Tensor, L: float, U: float) -> Tensor:
    """Return the gradient g, scaled to norm L if it is shorter and to norm U if it is longer.

    This is the lesson's pseudo-code; g may have any shape, the norm is that of all its elements.
    A zero gradient has no direction and stays zero. The result is a new tensor without a graph.
    Raises `ArgumentError` unless 0 <= L <= U, or when the norm is not finite.
    """
    check_band(L, U)
    g = g.detach().clone()
    _scale_into_band([g], L, U, error_if_nonfinite=True)
    return g


def clip_grad_norm_band_(
    params: Tensor | Iterable[Tensor],
    min_norm: float,
    max_norm: float,
    *,
    error_if_nonfinite: bool = True,
) -> Tensor:
    """Scale the gradients of `params` in place so that their total norm lies in the band.

    The norm is that of all gradients together, as if they were one vector. Zero stays zero.

    Args:
        params: parameters; those without a gradient are passed over.
        min_norm: L; shorter gradients are scaled up to it. 0 leaves them.
        max_norm: U; longer gradients are scaled down to it. `math.inf` leaves them.
        error_if_nonfinite: whether a norm that is NaN or infinite raises; otherwise the
            gradients are left as they were. They are never scaled by it.

    Returns the total norm before scaling, a scalar tensor.
    Raises `ArgumentError` unless 0 <= min_norm <= max_norm, or for a norm that is not finite;
    the gradients are then unchanged.
    """
    check_band(min_norm, max_norm)
    params = [params] if isinstance(params, Tensor) else params
    gradients = [p.grad for p in params if p.grad is not None]
    return _scale_into_band(gradients, min_norm, max_norm, error_if_nonfinite)


def check_band(L: float, U: float) -> None:
    """Raise `ArgumentError` unless 0 <= L <= U and L is finite."""
    # Written so that NaN fails.
    if not 0 <= L <= U or math.isinf(L):
        raise ArgumentError(f"the norm band needs 0 <= L <= U and a finite L, got L={L}, U={U}.")


@torch.no_grad()
def _scale_into_band(
    gradients: list[Tensor], L: float, U: float, error_if_nonfinite: bool
) -> Tensor:
    total = _total_norm(gradients)
    norm = float(total)
    if not math.isfinite(norm):
        if error_if_nonfinite:
            raise ArgumentError(
                f"the gradients' total norm is {norm}: they hold NaN or infinity. "
                "Pass error_if_nonfinite=False to leave them as they are."
            )
        return total
    if 0 < norm < L:
        _scale(gradients, norm, L)
    elif norm > U:
        _scale(gradients, norm, U)
    return total


def _total_norm(gradients: list[Tensor]) -> Tensor:
    """Return the norm of all gradients together, also where squares leave their dtype's range."""
    total = get_total_norm(gradients)
    filled = [g for g in gradients if g.numel()]
    if not filled or 1e-15 < total < math.inf:
        return total
    largest = max(float(g.abs().max()) for g in filled)
    if largest == 0 or not math.isfinite(largest):
        return total
    return largest * get_total_norm([g.to(torch.float64) / largest for g in filled])


def _scale(gradients: list[Tensor], norm: float, target: float) -> None:
    """Multiply by target / norm, in steps where the gradients' dtype does not hold that factor."""
    step = _HALF_STEP if any(g.dtype == torch.float16 for g in gradients) else _STEP
    while 0 < norm * step < target:
        torch._foreach_mul_(gradients, step)
        norm *= step
    while 0 < target * step < norm:
        torch._foreach_mul_(gradients, 1 / step)
        norm /= step
    torch._foreach_mul_(gradients, target / norm)
