"""Takes every call of torch that a cell makes, and has it recorded, made or refused."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from recurra.errors import TraceError
from recurra.program.trace_elsewhere import Turned, Whole, call_elsewhere, whole_of
from recurra.program.trace_functions import watched
from recurra.program.trace_memory import Memory
from recurra.program.trace_refusal import OverAllRowsError, refusal
from recurra.program.trace_symbol import BatchSize, Leaf, Row, Symbol, each, flat, replace
from recurra.program.trace_table import HANDLERS, OF_BATCH, name_of
from recurra.program.trace_writer import count
from recurra.program.trace_writes import Writes, is_in_place, no_write

_CHOOSE = "; write torch.where(condition, a, b), which chooses for each row"
_TORCH = "; write it with torch's functions"
# What turns a tensor into numbers: what the user wrote, and what to write.
_READS = {
    "__bool__": ("a data-dependent `if`, `while`, `and` or `or` on a tensor", _CHOOSE),
    "is_nonzero": ("a data-dependent `if` on a tensor", _CHOOSE),
    "__contains__": ("`in` on a tensor", "; write (x == value).any(-1)"),
    "__index__": ("a tensor used as an index", "; write x.gather(1, index)"),
    "__array__": ("NumPy, which needs numbers,", _TORCH),
    "numpy": ("NumPy, which needs numbers,", _TORCH),
    "__reversed__": ("reversed() of a tensor", "; write x.flip(-1)"),
    "__iter__": ("a loop over the rows of the batch", "; loop over x.unbind(1)"),
    "__len__": ("len() of a tensor, which is the size of the batch,", ""),
    "numel": ("the number of all elements, which depends on the batch,", ""),
    "nelement": ("the number of all elements, which depends on the batch,", ""),
    **dict.fromkeys(
        ("item", "tolist", "__float__", "__int__", "__complex__", "allclose", "equal"),
        ("a tensor read as a number", "; keep it a tensor"),
    ),
}
_RANDOM = {
    "uniform", "exponential", "geometric", "cauchy", "log_normal", "random",
    "alpha_dropout", "bernoulli", "dropout", "dropout1d", "dropout2d", "dropout3d",
    "feature_alpha_dropout", "feature_dropout", "gumbel_softmax", "multinomial", "normal",
    "poisson", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm",
    "rrelu",
}  # fmt: skip
_TENSOR_PROPERTIES = ("T", "mT", "H", "mH", "real", "imag", "data", "grad")


class Recorder(Writes):
    """A program and a recipe, written by the calls of torch that a cell makes."""

    @cached_property
    def countings(self) -> dict[int, Leaf]:
        """Return the numbers from 0 on that the trace has needed, by how many they are."""
        return {}

    def call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record a call of torch, or make it if neither rows nor parameters are in it."""
        rows = leaves = batch = foreign = elsewhere = False
        for value in flat((*args, *kwargs.values())):
            kind = type(value)
            if kind is Row:
                rows = True
            elif kind is Leaf:
                leaves = True
            elif kind is BatchSize:
                batch = True
            elif kind is Whole or kind is Turned:
                elsewhere = True
            elif isinstance(value, Tensor):
                foreign = foreign or id(value) not in self.created
        name = getattr(func, "__name__", "")
        if not (rows or leaves or batch or foreign or elsewhere):
            return self._make(func, args, kwargs, name)
        if name in ("__repr__", "__str__", "__format__"):
            if any(isinstance(value, Leaf) and value.is_number for value in args):
                raise refusal("a number that changes is written as text")
            return "a traced tensor"
        if elsewhere:
            if is_in_place(name, kwargs) or kwargs.get("out") is not None:
                raise refusal(no_write(func, args, kwargs))
            return call_elsewhere(self, func, args, kwargs, name, _READS)
        own = args[0] if args and not rows and name.endswith("_") else None
        if isinstance(own, Leaf) and self.is_unused(own):
            return self.rebound(func, args, kwargs)
        self._check(func, args, kwargs, name, rows)
        if rows and is_in_place(name, kwargs):
            return self._record(func, args, kwargs, in_place=True)
        if rows or (batch and func in OF_BATCH):
            if foreign:
                args, kwargs = replace((args, kwargs), self._lifted)
            return self._record(func, args, kwargs)
        if batch:
            raise refusal(f"{name_of(func)} with the size of the batch")
        if name == "__get__" and func.__self__.__name__ not in _TENSOR_PROPERTIES:  # type: ignore[attr-defined]
            return self._property(func, args[0])
        return self._on_leaves(func, args, kwargs, name)

    def _lifted(self, value: Any) -> Any:
        """Return a tensor that the cell has from elsewhere as a leaf, to be read at each call."""
        plain = isinstance(value, Tensor) and not isinstance(value, Symbol)
        return self.hold(value) if plain and id(value) not in self.created else value

    def _make(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], name: str
    ) -> Any:
        if name.rstrip("_") in _RANDOM:
            raise refusal(f"{name_of(func)} draws numbers that all rows of the batch share")
        result = func(*args, **kwargs)
        for value in each(result):
            if isinstance(value, Tensor):
                self.created[id(value)] = value
        return result

    def _check(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str,
        rows: bool,
    ) -> None:
        """Refuse what reads numbers, changes tensors in place or leaves the program's dtype."""
        if name in _READS and (rows or name not in ("__len__", "__iter__", "numel", "nelement")):
            raise refusal(f"{_READS[name][0]} cannot be traced{_READS[name][1]}")
        if is_in_place(name, kwargs) and not (args and isinstance(args[0], Row)):
            raise refusal(no_write(func, args, kwargs))
        if kwargs.pop("out", None) is not None:
            raise refusal(no_write(func, args, {"out": True}))
        if torch.is_autocast_enabled(self.device.type if self.device.type != "meta" else "cpu"):
            raise refusal("autocast is on")

    def _record(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        in_place: bool = False,
    ) -> Any:
        handler = HANDLERS.get(func)
        if handler is None and not in_place:
            raise refusal(f"{name_of(func)} has no meaning in a program yet")
        for named in ("input", "other"):  # torch's names for what comes first and second
            if named in kwargs:
                args = (*args, kwargs.pop(named))
        try:
            if handler is None or in_place:
                return self.written(func, args, kwargs)
            result = self.linked(func, args, kwargs, handler(self, *args, **kwargs))
        except OverAllRowsError:
            return whole_of(self, f"{name_of(func)} without dims is over all rows of the batch")
        except TraceError:
            raise
        except Exception as error:
            raise refusal(f"{name_of(func)}: {error}") from error
        if not torch.is_grad_enabled():
            shared = [arg.memory for arg in args if isinstance(arg, Row)]
            return replace(result, lambda value: self._detached(value, shared))
        return result

    def _detached(self, value: Any, shared: list[Memory]) -> Any:
        if isinstance(value, Row):
            if self.builder.values[value.value].rows and not value.detached:
                value.know(self.emit("detach", (value.value,), count(value.trailing)))
            value.detached = True
            value.memory.plain = value.memory.plain or value.memory not in shared
        return value

    def _on_leaves(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], name: str
    ) -> Any:
        training = kwargs.get("training", args[2] if len(args) > 2 else True)
        if name in _RANDOM and training is not False:
            raise refusal(f"{name_of(func)} of parameters draws anew at each step")
        try:
            return self.on_leaves(func, args, kwargs)
        except TraceError:
            raise
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            raise refusal(f"{name_of(func)} of parameters alone: {error}") from error

    def _property(self, func: Callable[..., Any], tensor: Tensor) -> Any:
        if not isinstance(tensor, Leaf):
            return func(tensor)
        name = func.__self__.__name__  # type: ignore[attr-defined]
        if name == "device":
            return self.device
        if name.startswith("is_") and name != "is_leaf":
            return getattr(torch.empty(0, device=self.device, dtype=tensor.meta.dtype), name)
        return func(tensor.meta)


class Watch(TorchFunctionMode):
    """Hands every call of torch to a recorder, also those on plain tensors and on none."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder
        self._functions = watched(recorder)

    def __enter__(self) -> "Watch":
        """Watch the functions with a backward of their own, too."""
        self._functions.__enter__()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        """Watch no more."""
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._functions.__exit__(*error)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Hand on a call; what the recorder itself does is not watched."""
        profile = sys.getprofile()
        sys.setprofile(None)
        try:
            return self.recorder.call(func, tuple(args), dict(kwargs or {}))
        finally:
            sys.setprofile(profile)
