"""A device "second" that every machine has: its tensors lie in memory, and mix with no others.

What a GPU would refuse raises here, too: tensors of two devices in one operation, another device's
generator, memory handed to NumPy. Autocast casts what it casts on a GPU. Importing this changes
torch for the whole process, which is why the tests run it in one of their own.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

aten = torch.ops.aten


class _Module(_DummyBackendModule):
    """What torch asks a device's module; its random numbers are the processor's."""

    def get_rng_state(self, device: Any = None) -> Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: Tensor, device: Any = None) -> None:
        torch.set_rng_state(state)

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


_setup_privateuseone_for_python_backend("second", _Module())
DEVICE, CPU = torch.device("second:0"), torch.device("cpu")


class _Generator(torch.Generator):
    """A generator of either device; both draw the processor's numbers."""

    def __new__(cls, device: Any = "cpu") -> "_Generator":
        made = super().__new__(cls, "cpu")
        there = torch.device(device).type == DEVICE.type
        (_THERE.add if there else _THERE.discard)(made._cdata)
        return made


_THERE: set[int] = set()  # of the device's generators: torch hands them on as others of its own
_TorchsGenerator, torch.Generator = torch.Generator, _Generator

# What takes tensors of two devices on a GPU as well.
_FREE = {
    aten._copy_from.default,
    aten._pack_padded_sequence.default,
    aten._pack_padded_sequence_backward.default,
    aten._to_copy.default,
    aten.copy_.default,
}
_INDEXING = {
    aten._index_put_impl_.default,
    aten.index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
}
# What autocast computes on a GPU in the precision it was asked for, and what in float32.
_LOW = "addmm baddbmm bmm conv1d conv2d linear matmul mm mv"
_HIGH = (
    "binary_cross_entropy_with_logits cumprod cumsum exp expm1 huber_loss l1_loss layer_norm log "
    "log10 log1p log2 log_softmax logsumexp mse_loss nll_loss nll_loss_nd pow prod reciprocal "
    "rsqrt smooth_l1_loss softmax softplus sum"
)
_PROMOTED = "addcdiv addcmul dot index_put scatter_add tensordot"
# Kernels that torch asks for where it does not look at what a tensor is a subclass of.
_KERNELS = (
    aten._copy_from.default,
    aten.as_strided.default,
    aten.copy_.default,
    aten.empty.memory_format,
    aten.empty_strided.default,
    aten.fill_.Scalar,
    aten.view.default,
)


class DeviceError(RuntimeError):
    """An operation that a GPU would refuse."""


class Far(Tensor):
    """A tensor on the second device; `near` holds its numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> "Far":
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            near.shape,
            near.stride(),
            near.storage_offset(),
            dtype=near.dtype,
            device=DEVICE,
        )
        made.near = near
        return made

    @classmethod
    def __torch_dispatch__(
        cls, op: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return run(op, args, kwargs or {})

    def tolist(self) -> Any:
        return self.near.tolist()

    def __repr__(self) -> str:
        return f"Far({self.near!r})"


def run(op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run an operation with the numbers of its tensors; what is made on the device stays there."""
    far: list[Far] = []
    near: list[Tensor] = []
    _sort((args, tuple(kwargs.values())), far, near)
    asked = kwargs.get("device")
    goes_there = bool(far) if asked is None else torch.device(asked).type == DEVICE.type
    if far and near:
        _check(op, args, near)
    _check_generator(op, kwargs.get("generator"), goes_there)
    if op is aten._local_scalar_dense.default:
        return args[0].near.item()
    kwargs = {name: _each(value, _near) for name, value in kwargs.items()}
    if "device" in kwargs:
        kwargs["device"] = CPU
    found = op(*_each(args, _near), **kwargs)
    if op is aten._pack_padded_sequence.default:
        return Far(found[0]), found[1]  # the sizes stay with the processor
    if not goes_there:
        return found
    known = {id(t.near): t for t in far}  # what was changed in place
    return _each(found, lambda t: known[id(t)] if id(t) in known else Far(t))


def _sort(value: Any, far: list[Far], near: list[Tensor]) -> None:
    """Put the tensors in a value into two lists."""
    if isinstance(value, Tensor):
        (far if isinstance(value, Far) else near).append(value)
    elif isinstance(value, list | tuple):
        for part in value:
            _sort(part, far, near)


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a value with each of the tensors in it changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)([_each(part, change) for part in value])
    return value


def _near(tensor: Tensor) -> Tensor:
    return tensor.near if isinstance(tensor, Far) else tensor


def _check(op: Any, args: tuple[Any, ...], near: list[Tensor]) -> None:
    """Raise `DeviceError` for tensors of two devices; single numbers may come from either."""
    if op in _FREE:
        return
    mixed = [t for t in near if t.ndim]
    if op in _INDEXING and isinstance(args[0], Far):  # whose places may come from either
        mixed = [t for t in mixed if not any(t is place for place in args[1])]
    if mixed:
        shapes = [tuple(t.shape) for t in mixed]
        raise DeviceError(f"{op}: some tensors are on {DEVICE}, those of {shapes} on the cpu")


def _check_generator(op: Any, generator: Any, goes_there: bool) -> None:
    if not isinstance(generator, _TorchsGenerator):
        return
    if (generator._cdata in _THERE) != goes_there:
        places = [CPU, DEVICE] if goes_there else [DEVICE, CPU]
        raise DeviceError(f"{op}: the generator is on {places[0]}, the tensor on {places[1]}")


def _kernel(op: Any) -> Any:
    makes = op.name().startswith("aten::empty")

    def kernel(*args: Any, **kwargs: Any) -> Any:
        return run(op, args, {**kwargs, "device": DEVICE} if makes else kwargs)

    return kernel


def _autocast(op: Any, wanted: Callable[[list[Tensor]], torch.dtype]) -> Any:
    """Return the kernel that casts an operation's tensors of floats, but for those of float64."""

    def kernel(*args: Any, **kwargs: Any) -> Any:
        far: list[Far] = []
        _sort((args, tuple(kwargs.values())), far, [])
        dtype = wanted([t for t in far if t.is_floating_point()])

        def cast(t: Tensor) -> Tensor:
            return t.to(dtype) if t.is_floating_point() and t.dtype != torch.float64 else t

        with torch.autocast(DEVICE.type, enabled=False):
            named = {name: _each(value, cast) for name, value in kwargs.items()}
            return op(*_each(args, cast), **named)

    return kernel


def _widest(tensors: list[Tensor]) -> torch.dtype:
    return max((t.dtype for t in tensors), key=lambda dtype: dtype.itemsize, default=torch.float32)


_CASTS: list[tuple[str, Callable[[list[Tensor]], torch.dtype]]] = [
    (_LOW, lambda tensors: torch.get_autocast_dtype(DEVICE.type)),
    (_HIGH, lambda tensors: torch.float32),
    (_PROMOTED, _widest),
]
torch.__future__.set_overwrite_module_params_on_conversion(True)  # `.data` would lose `near`
_AUTOCAST = torch.library.Library("_", "IMPL")
_AUTOCAST.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
_LIBRARY = torch.library.Library("aten", "IMPL")  # as long as it lives
for _op in _KERNELS:
    _LIBRARY.impl(_op, _kernel(_op), "PrivateUse1")
for _names, _wanted in _CASTS:
    for _packet in (getattr(aten, name) for name in _names.split()):
        for _op in (getattr(_packet, name) for name in _packet.overloads() if "out" not in name):
            _LIBRARY.impl(_op, _autocast(_op, _wanted), "AutocastPrivateUse1")
