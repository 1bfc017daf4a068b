"""Gradient clipping to a norm band [L, U], as the lesson has it."""

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm

from recurra.backends.memory import is_ordinary, is_too_short
from recurra.errors import ArgumentError, ArgumentTypeError

# Factors that the floating types hold with their inverses; applied as often as needed.
_STEP = 2.0**100
_HALF = (torch.float16, torch.bfloat16)
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
        params: parameters, or a module with parameters; those without a gradient are passed over,
            one that is there twice (tied weights) counts once.
        min_norm: L; shorter gradients are scaled up to it. 0 leaves them. Zero stays zero.
        max_norm: U; longer gradients are scaled down to it. `math.inf` leaves them.
        by: whose norm: "total", of all gradients together, as if they were one vector; "layer", of
            the parameters that each module within `params`, a module, has itself; "parameter", of
            each by itself.
        error_if_nonfinite: whether a norm that is NaN or infinite raises; otherwise the
            gradients it is of are left as they were. They are never scaled by it.

    Returns the total norm before scaling, a scalar tensor.
    Raises `ArgumentError` unless 0 <= min_norm <= max_norm, or for a norm that is not finite;
    the gradients are then unchanged. Raises `ArgumentTypeError` for what are no parameters.
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
        named = _named(params)
        owned = {"total": [*named.values()]}
        if by == "parameter":
            owned = {name: [p] for name, p in named.items()}
    known: set[int] = set()  # a gradient that two parameters share is one, too
    found = {
        name: [g for p in each if (g := _gradient(name, p)) is not None and not _known(g, known)]
        for name, each in owned.items()
    }
    return {name: each for name, each in found.items() if each or by == "total"}


def _named(params: object) -> dict[str, Tensor]:
    """Return parameters by name or number, each once however often it is among them."""
    if isinstance(params, nn.Module):
        return dict(params.named_parameters())
    if not isinstance(params, Iterable):
        raise ArgumentTypeError(f"params must be parameters or a module, got {params!r}.")
    seen: set[int] = set()
    named: dict[str, Tensor] = {}
    for k, p in enumerate([params] if isinstance(params, Tensor) else params):
        if not isinstance(p, Tensor):
            hint = " Pass .parameters(), not .named_parameters()." if _is_named(p) else ""
            kind = "a name and a parameter" if _is_named(p) else f"{type(p).__name__} {p!r}"
            raise ArgumentTypeError(f"params must hold parameters, got {kind} at {k}.{hint}")
        if not _known(p, seen):
            named[str(k)] = p
    return named


def _is_named(item: object) -> bool:
    return isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Tensor)


def _gradient(name: str, parameter: Tensor) -> Tensor | None:
    """Return a parameter's gradient, in memory that can be written; None if it has none."""
    gradient = parameter.grad
    if gradient is None:
        return None
    if not (gradient.is_floating_point() or gradient.is_complex()):
        raise ArgumentTypeError(
            f"a gradient of {name!r} is of {gradient.dtype}: whole numbers cannot be scaled."
        )
    if gradient.is_meta:
        raise ArgumentError(f"a gradient of {name!r} is on meta, where it has no values.")
    if gradient.layout == torch.strided and _overlaps(gradient):
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        parameter.grad = gradient
    return gradient


def _overlaps(tensor: Tensor) -> bool:
    """Return whether two of a tensor's numbers may lie at one place, as in an expanded view."""
    if tensor.is_contiguous():
        return False
    axes = zip(tensor.stride(), tensor.shape, strict=True)
    end = 0
    for stride, size in sorted((stride, size) for stride, size in axes if size > 1):
        if stride <= end:
            return True
        end += stride * (size - 1)
    return False


def _known(tensor: Tensor, seen: set[int]) -> bool:
    known = id(tensor) in seen
    seen.add(id(tensor))
    return known


def check_band(L: float, U: float) -> None:
    """Raise `ArgumentError` unless 0 <= L <= U and L is finite."""
    for name, value in (("min_norm", L), ("max_norm", U)):
        if isinstance(value, bool | str) or not hasattr(value, "__float__"):
            raise ArgumentTypeError(f"the norm band's {name} must be a number, got {value!r}.")
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
    for name, gradients in groups.items():
        if any(is_ordinary(g) and is_too_short(g) for g in gradients):
            raise ArgumentError(
                f"a gradient of {name!r} has no memory that holds its numbers: its storage was "
                "resized or freed. Clip before whatever frees gradients."
            )
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
    kinds = {type(g) for g in gradients if type(g) is not nn.Parameter}
    if len(kinds) > 1:  # those of torch.distributed cannot be computed with together with others
        norms = [_total_norm([g for g in gradients if type(g) is kind]) for kind in kinds]
        return total_of({str(k): norm for k, norm in enumerate(norms)})
    total = _whole(get_total_norm(gradients))
    filled = [g for g in gradients if g.numel()]
    if not filled or 1e-15 < total < math.inf:
        return total
    largest = max(float(_whole(g.abs().max())) for g in filled)
    if largest == 0 or not math.isfinite(largest):
        return total
    return largest * _whole(get_total_norm([g.to(_wide(g)) / largest for g in filled]))


def _whole(norm: Tensor) -> Tensor:
    """Return a norm over all processes, where the gradients are spread over several (DTensor)."""
    full = getattr(norm, "full_tensor", None)
    return norm if full is None else full()


def _wide(gradient: Tensor) -> torch.dtype:
    return torch.complex128 if gradient.is_complex() else torch.float64


def _scale(gradients: list[Tensor], norm: float, target: float) -> None:
    """Multiply by target / norm, in steps where the gradients' dtype does not hold that factor."""
    gradients = [g._values() if g.is_sparse else g for g in gradients]
    for g in [g for g in gradients if g.dtype in _HALF]:  # rounded once, not at each step
        g.copy_(g.to(torch.float64) * (target / norm))
    full = [g for g in gradients if g.dtype not in _HALF]
    for kind in {type(g) for g in full}:
        _scale_together([g for g in full if type(g) is kind], norm, target)


def _scale_together(gradients: list[Tensor], norm: float, target: float) -> None:
    while 0 < norm * _STEP < target:
        torch._foreach_mul_(gradients, _STEP)
        norm *= _STEP
    while 0 < target * _STEP < norm:
        torch._foreach_mul_(gradients, 1 / _STEP)
        norm /= _STEP
    torch._foreach_mul_(gradients, target / norm)
