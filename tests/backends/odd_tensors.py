"""Tensors whose numbers do not lie in memory of their own, where the core could read them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils._pytree import tree_map


class Wrapped(Tensor):
    """As quantised weights and DTensor do it: a shape without memory, and a tensor that has it."""

    @staticmethod
    def __new__(cls, inner: Tensor, grad: bool = False) -> "Wrapped":
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), dtype=inner.dtype, requires_grad=grad
        )

    def __init__(self, inner: Tensor, grad: bool = False) -> None:
        self.inner = inner.detach()

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None):  # type: ignore[no-untyped-def]
        bare = tree_map(lambda a: a.inner if isinstance(a, Wrapped) else a, (args, kwargs or {}))
        out = function(*bare[0], **bare[1])
        return cls(out) if function in (torch.ops.aten.detach.default,) else out


class Doubled(nn.Parameter):
    """As adapters do it: a parameter that has another value wherever torch computes with it."""

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None):  # type: ignore[no-untyped-def]
        with torch._C.DisableTorchFunctionSubclass():
            double = lambda a: a.as_subclass(Tensor) * 2 if type(a) is Doubled else a  # noqa: E731
            args, kwargs = tree_map(double, (args, kwargs or {}))
            return function(*args, **kwargs)


class Named(nn.Parameter):
    """A parameter with a name for what it is, and nothing else of its own."""


def resized(tensor: Tensor) -> Tensor:
    """Return a tensor whose memory has been taken away, as FSDP does it between calls."""
    tensor = tensor.detach().clone()
    tensor.untyped_storage().resize_(0)
    return tensor


def cut(tensor: Tensor) -> Tensor:
    """Return a tensor that has lost the memory of its last number."""
    tensor = tensor.detach().clone()
    tensor.untyped_storage().resize_(tensor.nbytes - tensor.itemsize)
    return tensor


def quantised(tensor: Tensor) -> Tensor:
    return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)


ODD: dict[str, Callable[[Tensor], Tensor]] = {
    "wrapped": Wrapped,
    "doubled": Doubled,
    "resized": resized,
    "cut": cut,
    "functional": torch._to_functional_tensor,
    "fake": lambda t: FakeTensorMode().from_tensor(t),
    "meta": lambda t: t.to("meta"),
    "mkldnn": lambda t: t.to_mkldnn(),
    "sparse": lambda t: t.to_sparse(),
    "csr": lambda t: t.to_sparse_csr(),
    "quantised": quantised,
    "nested": lambda t: torch.nested.nested_tensor([*t.unbind(0)]),
}
