"""Which tensors have memory of their own that holds their numbers, and where it lies."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from recurra.backends.steps import SteppedCell, Steps
from recurra.errors import BackendError, ShapeError


def _keys(tensor: Tensor) -> int:
    """Return what torch's dispatcher knows of a tensor, as bits."""
    keys: int = torch._C._dispatch_keys(tensor).raw_repr()
    return keys


def _lazily_negative() -> Tensor:
    return torch.empty(0, dtype=torch.complex64).conj().imag


_PLAIN = _keys(torch.empty(0)) | _keys(torch.empty(0, requires_grad=True))
_LAZY = _keys(_lazily_negative()) | _keys(torch._efficientzerotensor(0))  # `plain` resolves them
_FOREIGN, _NOT_PLAIN = ~(_PLAIN | _LAZY), ~_PLAIN


_AS_TORCH_DOES = nn.Parameter.__torch_function__


def is_ordinary(tensor: Tensor) -> bool:
    """Return whether torch's operations on a tensor read its own memory, and nothing else."""
    kind = type(tensor)
    # Elsewhere than on the processor only torch's operations run, which dispatch by themselves.
    away = tensor.device.type != "cpu" and kind.__torch_function__ is _AS_TORCH_DOES
    plain = kind is Tensor or kind is nn.Parameter or _is_parameter_by_name(kind)
    if not plain and not away:
        return False
    return not _keys(tensor) & _FOREIGN or (
        tensor.device.type != "cpu"
        and tensor.layout == torch.strided
        and not torch._is_functional_tensor(tensor)
    )


def _is_parameter_by_name(kind: type) -> bool:
    """Return whether a subclass of Parameter leaves torch's operations as they are."""
    if not issubclass(kind, nn.Parameter):
        return False
    return kind.__torch_function__ == nn.Parameter.__torch_function__


def is_too_short(tensor: Tensor) -> bool:
    """Return whether an ordinary tensor's memory ends before its last number."""
    count = tensor.numel()
    if not count:
        return False
    if not tensor.is_contiguous():
        count = 1 + sum(
            (size - 1) * step for size, step in zip(tensor.shape, tensor.stride(), strict=True)
        )
    return tensor.untyped_storage().nbytes() < (tensor.storage_offset() + count) * tensor.itemsize


def _refuse_short(name: str, tensor: Tensor) -> None:
    raise ShapeError(
        f"{name} is of {tuple(tensor.shape)}, {tensor.dtype}, but its memory has "
        f"{tensor.untyped_storage().nbytes()} bytes: its storage was resized. Some wrappers "
        "(FSDP) free weights between calls: call the model that they made, not a layer within."
    )


def check_dense(name: str, tensor: Tensor) -> None:
    """Raise `ShapeError` unless a tensor that a user gave is dense and its numbers are there."""
    if tensor.is_nested:
        raise ShapeError(
            f"{name} is a nested tensor: pad it by torch.nested.to_padded_tensor({name}, 0.0), "
            "and pass the rows' lengths."
        )
    if tensor.layout != torch.strided:
        layout = str(tensor.layout).removeprefix("torch.").removeprefix("_")
        raise ShapeError(
            f"{name} must be a dense tensor, got the layout {layout}: "
            f"convert it by {name}.to_dense()."
        )
    if not torch.compiler.is_compiling() and is_ordinary(tensor) and is_too_short(tensor):
        _refuse_short(name, tensor)


def odd(cell: SteppedCell, steps: Steps) -> str | None:
    """Return which tensor of a call has no memory of its own, and what it is; None if all have.

    Torch's operations may know what to do with such a tensor: it goes to the eager loop.
    Raises `ShapeError` where a tensor's memory was taken away.
    """
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return None  # its tensors stand for others, which are looked at when they are used
    own = (steps.x, *steps.state, *steps.fresh)
    masks = (steps.lengths, steps.restart)
    watched = torch._C._len_torch_dispatch_stack() > 0
    for tensor in (*own, *(m for m in masks if m is not None), *_weights(cell)):
        if not is_ordinary(tensor):
            if not watched:  # else the mode has made it, and knows it
                return f"{_name(cell, steps, tensor)} is {_kind(tensor)}"
        elif is_too_short(tensor):
            _refuse_short(_name(cell, steps, tensor), tensor)
    return None


def odd_weight(cell: SteppedCell) -> str | None:
    """Return which weight has no memory of its own, and what it is; None if all have."""
    for tensor in _weights(cell):
        if not is_ordinary(tensor):
            return f"the weight {_path(cell, tensor)!r} is {_kind(tensor)}"
    return None


def away(cell: SteppedCell, device: torch.device) -> str | None:
    """Return which weight is on another device; None if all are there."""
    for tensor in _weights(cell):
        if tensor.device != device:
            return f"the weight {_path(cell, tensor)!r} is on {tensor.device}, not on {device}"
    return None


def _weights(cell: SteppedCell) -> Iterator[Tensor]:
    """Yield parameters and buffers; torch's own iterators take five times as long."""
    if not isinstance(cell, nn.Module):
        return
    modules, seen = [cell], {id(cell)}
    while modules:
        own = modules.pop().__dict__
        for group in (own["_parameters"], own["_buffers"]):
            for tensor in group.values():
                if tensor is not None:
                    yield tensor
        for child in own["_modules"].values():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                modules.append(child)


def _name(cell: SteppedCell, steps: Steps, tensor: Tensor) -> str:
    named = {"x": (steps.x,), "a state": (*steps.state, *steps.fresh)}
    named |= {"lengths": (steps.lengths,), "reset": (steps.restart,)}  # type: ignore[dict-item]
    for name, group in named.items():
        if any(t is tensor for t in group):
            return name
    return f"the weight {_path(cell, tensor)!r}"


def _path(cell: SteppedCell, tensor: Tensor) -> str:
    assert isinstance(cell, nn.Module)
    named = (*cell.named_parameters(), *cell.named_buffers())
    return next(name for name, weight in named if weight is tensor)


def _kind(tensor: Tensor) -> str:
    """Return what a tensor that is not ordinary is, in words."""
    kind = type(tensor)
    if kind is not Tensor and kind is not nn.Parameter:
        return f"a {kind.__name__}, whose operations are its own"
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.layout != torch.strided:
        return f"of the layout {str(tensor.layout).removeprefix('torch.').removeprefix('_')}"
    if tensor.is_quantized:
        return "quantised"
    return "a tensor that stands for another"


def plain(tensor: Tensor) -> Tensor:
    """Return a tensor whose memory holds its numbers: torch negates and makes zeros lazily."""
    if tensor._is_zerotensor():
        return tensor.new_zeros(tensor.shape)
    return tensor.resolve_neg()


def address(tensor: Tensor) -> int:
    """Return where an ordinary tensor's numbers lie: the only way to the core.

    Raises `BackendError` for a tensor that has no memory of its own, `ShapeError` where it was
    taken away.
    """
    if _keys(tensor) & _NOT_PLAIN or not is_ordinary(tensor):
        raise BackendError(
            f"a tensor of {tuple(tensor.shape)} is {_kind(tensor)}: it has no memory that the "
            'native core could read. Run the layer under use_backend("eager").'
        )
    if is_too_short(tensor):
        _refuse_short("a tensor of the call", tensor)
    return tensor.data_ptr()
