"""Gradient clipping to a norm band [L, U], as the lesson has it."""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from recurra.errors import ArgumentError

# Factors that the floating types hold with their inverses; applied as often as needed.
_STEP = 2.0**100
_HALF_STEP = 2.0**12
WAYS = ("total", "layer", "parameter")  # whose norm the band is for


def clip_norm_band(g: Tensor, L: float, U: float) -> Tensor:
    """Return the gradient g, scaled to norm L if it is shorter and to norm U if it is longer.

    This is the lesson's pseudo-code; g may have any shape, the norm is that of all its elements.
    A zero gradient has no direction and stays zero. The result is a new tensor without a graph.
    Raises `ArgumentError` unless 0 <= L <= U, or when the norm is not finite.
    """
    g = g.detach().clone()
    clip_groups_({"g": [g]}, L, U)
    return g


def clip_grad_norm_band_(
    params: nn.Module | Tensor | Iterable[Tensor],
    min_norm: float,
    max_norm: float,
    *,
    by: str = "total",
    error_if_nonfinite: bool = True,
) -> Tensor:
    """Scale the gradients of `params` in place so that their norm lies in the band.

    Args:
        params: parameters, or a module with parameters; those without a gradient are passed over.
        min_norm: L; shorter gradients are scaled up to it. 0 leaves them. Zero stays zero.
        max_norm: U; longer gradients are scaled down to it. `math.inf` leaves them.
        by: whose norm: "total", of all gradients together, as if they were one vector; "layer", of
            the parameters that each module within `params`, a module, has itself; "parameter", of
            each by itself.
        error_if_nonfinite: whether a norm that is NaN or infinite raises; otherwise the
            gradients it is of are left as they were. They are never scaled by it.

    Returns the total norm before scaling, a scalar tensor.
    Raises `ArgumentError` unless 0 <= min_norm <= max_norm, or for a norm that is not finite;
    the gradients are then unchanged.
    """
    groups = gradient_groups(params, by)
    norms = clip_groups_(groups, min_norm, max_norm, error_if_nonfinite=error_if_nonfinite)
    return total_of(norms)


def total_of(norms: Mapping[str, Tensor]) -> Tensor:
    """Return the norm of all groups' gradients together."""
    each = [*norms.values()]
    if len(each) == 1:
        return each[0]
    total: Tensor = torch.tensor([float(norm) for norm in each], dtype=torch.float64).norm()
    return total


def gradient_groups(
    params: nn.Module | Tensor | Iterable[Tensor], by: str = "total"
) -> dict[str, list[Tensor]]:
    """Return the gradients that there are, in the groups that `clip_grad_norm_band_` clips."""
    if by not in WAYS:
        raise ArgumentError(f"by must be one of {', '.join(map(repr, WAYS))}, got {by!r}.")
    if by == "layer":
        if not isinstance(params, nn.Module):
            raise ArgumentError("by='layer' needs the module itself, not its parameters.")
        seen: set[int] = set()  # weights that two layers share belong to the first
        owned = {
            name: [p for p in module.parameters(recurse=False) if not _known(p, seen)]
            for name, module in params.named_modules()
        }
    else:
        if isinstance(params, nn.Module):
            named = dict(params.named_parameters())
        else:
            each = [params] if isinstance(params, Tensor) else params
            named = {str(k): p for k, p in enumerate(each)}
        owned = {"total": [*named.values()]}
        if by == "parameter":
            owned = {name: [p] for name, p in named.items()}
    found = {name: [p.grad for p in each if p.grad is not None] for name, each in owned.items()}
    return {name: each for name, each in found.items() if each or by == "total"}


def _known(parameter: Tensor, seen: set[int]) -> bool:
    known = id(parameter) in seen
    seen.add(id(parameter))
    return known


def check_band(L: float, U: float) -> None:
    """Raise `ArgumentError` unless 0 <= L <= U and L is finite."""
    # Written so that NaN fails.
    if not 0 <= L <= U or math.isinf(L):
        raise ArgumentError(f"the norm band needs 0 <= L <= U and a finite L, got L={L}, U={U}.")


@torch.no_grad()
def clip_groups_(
    groups: Mapping[str, list[Tensor]], L: float, U: float, *, error_if_nonfinite: bool = True
) -> dict[str, Tensor]:
    """Scale each group's gradients into the band, and return the norms from before.

    Raises `ArgumentError` for a band that is none, and if a norm is not finite and that is an
    error; no gradient is changed then.
    """
    check_band(L, U)
    norms = {name: _total_norm(gradients) for name, gradients in groups.items()}
    numbers = {name: float(norm) for name, norm in norms.items()}
    for name, norm in numbers.items():
        if error_if_nonfinite and not math.isfinite(norm):
            whose = "the gradients' total norm" if len(norms) == 1 else f"the norm of {name!r}"
            raise ArgumentError(
                f"{whose} is {norm}: there is NaN or infinity among the gradients. "
                "Pass error_if_nonfinite=False to leave them as they are."
            )
    for name, norm in numbers.items():
        if 0 < norm < L:
            _scale(groups[name], norm, L)
        elif U < norm < math.inf:
            _scale(groups[name], norm, U)
    return norms


def _total_norm(gradients: list[Tensor]) -> Tensor:
    """Return the norm of all gradients together, also where squares leave their dtype's range."""
    # The rows of a sparse gradient may come in parts, whose sums count.
    gradients = [g.coalesce().values() if g.is_sparse else g for g in gradients]
    total = get_total_norm(gradients)
    filled = [g for g in gradients if g.numel()]
    if not filled or 1e-15 < total < math.inf:
        return total
    largest = max(float(g.abs().max()) for g in filled)
    if largest == 0 or not math.isfinite(largest):
        return total
    return largest * get_total_norm([g.to(_wide(g)) / largest for g in filled])


def _wide(gradient: Tensor) -> torch.dtype:
    return torch.complex128 if gradient.is_complex() else torch.float64


def _scale(gradients: list[Tensor], norm: float, target: float) -> None:
    """Multiply by target / norm, in steps where the gradients' dtype does not hold that factor."""
    gradients = [g._values() if g.is_sparse else g for g in gradients]
    step = _HALF_STEP if any(g.dtype == torch.float16 for g in gradients) else _STEP
    while 0 < norm * step < target:
        torch._foreach_mul_(gradients, step)
        norm *= step
    while 0 < target * step < norm:
        torch._foreach_mul_(gradients, 1 / step)
        norm /= step
    torch._foreach_mul_(gradients, target / norm)
