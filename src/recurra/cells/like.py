"""What a cell computes with: the dtype and the device that x and its states must have."""

import torch
from torch import Tensor, nn


def like_of(module: nn.Module) -> Tensor | None:
    """Return a tensor of the real dtype and on the device that a module computes with.

    None where its tensors do not say it. Whole numbers say nothing, complex ones that their real
    part's dtype is meant. A cell's `computes_like` tells which it is where there are several.
    """
    told = getattr(module, "computes_like", None)
    if isinstance(told, str):
        return module.get_parameter(told)
    first: Tensor | None = None
    for parameter in module.parameters():
        if parameter.is_floating_point() and told is None:
            return parameter
        first = parameter if first is None and _says(parameter) else first
    if first is None:
        first = next((b for b in module.buffers() if b.dim() and _says(b)), None)
    if first is None:
        return None
    return first.detach().new_empty(0, dtype=first.dtype.to_real() if told is None else told)


def _says(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def zeros_like_of(module: nn.Module) -> Tensor:
    """Return a tensor to make zeros from: as `like_of`, of torch's own dtype if that is None."""
    like = like_of(module)
    return torch.empty(0) if like is None else like.detach()


def real_dtypes(module: nn.Module) -> dict[torch.dtype, str]:
    """Return the real dtypes of a module's parameters, with the name of the first of each."""
    found: dict[torch.dtype, str] = {}
    for name, tensor in module.named_parameters():
        if _says(tensor):
            found.setdefault(tensor.dtype.to_real(), name if tensor.is_floating_point() else "")
    return found
