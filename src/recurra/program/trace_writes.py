"""Makes what a cell writes in place functional: a tensor is a handle, and a write gives it another
value of the program, and its views theirs."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.program.trace_leaves import Call, Ref
from recurra.program.trace_memory import DETACHING, VIEWS, Place, by_numbers, is_basic
from recurra.program.trace_refusal import refusal, runs_in
from recurra.program.trace_symbol import BatchSize, Leaf, Row, each, replace
from recurra.program.trace_table import HANDLERS, functions, name_of
from recurra.program.trace_writer import Positions, Writer, broadcast, count

_OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "div": "div", "pow": "pow",
    "floordiv": "floor_divide", "mod": "remainder", "and": "logical_and", "or": "logical_or",
    "xor": "logical_xor",
}  # fmt: skip
_COUNTERPARTS = {f"__i{name}__": other for name, other in _OPERATORS.items()}
_IN_PLACE = {*_COUNTERPARTS, "__imatmul__", "__ilshift__", "__irshift__", "__setitem__",
             "__delitem__", "__set__", "__delete__"}  # fmt: skip
# What in torch.nn changes its own buffers at each step, by the file: what it changes, what helps.
_UPDATES = {
    "batchnorm.py": ("the running statistics: batch normalisation in training mixes rows of the "
                     "batch", "normalise over features (nn.LayerNorm), or call eval()"),
    "parametrizations.py": ("a vector of its own: spectral_norm in training takes a step of power "
                            "iteration each time", "call eval(), or normalise the weight outside"),
}  # fmt: skip
# What gives a tensor of its own, in no way a view.
_FRESH = {torch.zeros_like, torch.ones_like, torch.full_like, torch.empty_like, torch.clone,
          Tensor.clone}  # fmt: skip
_RESHAPING = {
    *("detach_", "requires_grad_", "squeeze_", "unsqueeze_", "transpose_", "swapaxes_"),
    *("swapdims_", "t_", "resize_", "resize_as_", "set_", "as_strided_"),
}


def is_in_place(name: str, kwargs: Mapping[str, Any]) -> bool:
    """Return whether a function of torch changes its first argument."""
    ending = name.endswith("_") and not name.endswith("__")
    return ending or name in _IN_PLACE or kwargs.get("inplace") is True


def no_write(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return why a call cannot change a tensor in place that is not its first argument, a row."""
    which = "the cell's own tensor (a parameter, buffer or attribute)"
    advice = "write what gives a new one"
    if args and isinstance(args[0], Tensor) and not isinstance(args[0], Leaf):
        which = "a tensor without the batch axis"
        advice = "make it of the batch, as torch.zeros(x.shape[0], ...) is, or write what gives one"
    if kwargs.get("out") is not None:
        which, advice = "what is given as out=", "write y = torch.tanh(x), not out=y"
    for part, why in _UPDATES.items():
        if runs_in(part):
            which, advice = why
    return f"{name_of(func)} changes in place {which}; {advice}"


class Writes(Writer):
    """A program and a recipe that are being written, by a cell that may write in place."""

    def linked(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
    ) -> Any:
        """Return what a call gave, each row of it in the memory where it lies for torch."""
        given = [arg for arg in args if isinstance(arg, Row)]
        surely = VIEWS.get(func)
        if isinstance(result, Row) and any(result is arg for arg in given):
            result = self.row(result.trailing, result.value, result.kind)
        if surely is None:
            return result
        if not given:
            if isinstance(result, Row):
                result.memory.caller = "a parameter"
            return result
        source = given[0]
        if surely and name_of(func) == "Tensor.__getitem__" and not is_basic(args[1]):
            return result  # torch has copied
        if surely:
            plain = replace((args[1:], kwargs), _without_symbols)
            if isinstance(result, Row):
                self._place(result, source, func, plain, None)
            elif isinstance(result, list | tuple):
                for item, row in enumerate(result):
                    self._place(row, source, func, plain, item)
            return result
        for row in result if isinstance(result, list | tuple) else (result,):
            for other in given:
                if isinstance(row, Row) and row.value == other.value:
                    row.memory.cousins.append(other.memory)
                    other.memory.cousins.append(row.memory)
                    row.memory.plain = other.memory.plain
        return result

    def _place(
        self, row: Row, source: Row, func: Any, plain: tuple[Any, Any], item: int | None
    ) -> None:
        value, (args, kwargs) = row.value, plain
        row.memory, row.detached = source.memory, source.detached or func in DETACHING
        if not (func in DETACHING and source.place is None):
            row.place = Place(source.place, source.trailing, by_numbers(func), args, kwargs, item)
        row.know(value)

    def written(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Record a call that changes its first argument, and return what it returns."""
        name = getattr(func, "__name__", "")
        target = args[0]
        if kwargs.pop("inplace", None) is True or name == "__setitem__":
            handler = HANDLERS.get(func)
        else:
            handler = HANDLERS.get(func) or self._counterpart(name)
        if handler is None or name in _RESHAPING:
            raise refusal(f"{name_of(func)} changes a tensor in place; write what gives a new one")
        result = handler(self, *args, **kwargs)
        if name == "__setitem__":
            return None
        if not isinstance(result, Row):
            raise refusal(f"{name_of(func)} changes a tensor in place; write what gives a new one")
        self.write(target, result, name_of(func))
        return target

    def is_unused(self, leaf: Leaf) -> bool:
        """Return whether a leaf was made new for the cell, and nothing else was made of it yet."""
        step = self.steps[leaf.node]
        if not isinstance(step, Call) or step.function not in _FRESH:
            return False
        later = (s for s in self.steps[leaf.node + 1 :] if isinstance(s, Call))
        return not any(
            isinstance(a, Ref) and a.node == leaf.node
            for s in later
            for a in each((s.args, dict(s.kwargs)))
        )

    def rebound(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Leaf:
        """Record a call that changes such a leaf as one that makes another."""
        plain = getattr(Tensor, func.__name__.rstrip("_"), None)
        if plain is None:
            raise refusal(no_write(func, args, kwargs))
        new: Leaf = self.on_leaves(plain, args, kwargs)
        leaf: Leaf = args[0]
        if new.meta.shape != leaf.meta.shape or new.meta.dtype != leaf.meta.dtype:
            raise refusal(no_write(func, args, kwargs))
        leaf.node, leaf.meta = new.node, new.meta
        return leaf

    def _counterpart(self, name: str) -> Any:
        plain = _COUNTERPARTS.get(name, name.rstrip("_"))
        known = (HANDLERS[f] for f in functions(plain) if f in HANDLERS)
        return next(known, None)

    def write(self, target: Row, new: Row, what: str, at: Positions | None = None) -> None:
        """Give a row the value of another; `at` is where in its memory, all of its own if None."""
        if new.value == target.value and at is None and new.kind is target.kind:
            return
        self._check_write(target, what)
        if new.kind is not target.kind and not (
            new.kind is torch.bool and target.kind is self.dtype
        ):
            raise refusal(f"{what} writes {new.kind} into a tensor of {target.kind}")
        memory = target.memory
        if at is None and target.place is not None:
            at = target.place.features
        wanted = target.trailing if at is None else at.shape
        if broadcast([wanted, new.trailing]) != wanted or len(new.trailing) != len(wanted):
            raise ValueError(f"features of {new.trailing} written into {wanted}")
        value, plain = self.fit(new, wanted), self._is_plain(target)
        if not torch.is_grad_enabled() and self.builder.values[value].rows:
            value = self.emit("detach", (value,), count(wanted))
        if at is not None:
            value = self._put(memory.size, memory.value, value, at.ravel(), target.kind)
        reason = (
            f"{what} writes into memory that reshape, contiguous or the like may share or copy; "
            "write .clone() behind it, or use the new tensor alone"
        )
        for cousin in memory.family()[1:]:
            cousin.torn, cousin.version = reason, cousin.version + 1
        memory.value, memory.version = value, memory.version + 1
        memory.plain = plain and not torch.is_grad_enabled()

    def _is_plain(self, row: Row) -> bool:
        """Return whether nothing in a row's memory has a gradient."""
        return row.memory.plain or self.builder.values[row.memory.value].number is not None

    def _put(self, size: int, old: int, new: int, at: Positions, kind: torch.dtype) -> int:
        """Return a value with some of its features, at numbers `at`, replaced."""
        if len(np.unique(at)) < len(at):
            raise refusal("a write into a tensor some of whose features are one; write .clone()")
        if len(at) == size and (at == np.arange(size)).all():
            return new
        rows = [
            self.row((n,), self.materialise(self.row((n,), v, kind)), kind)
            for n, v in ((size, old), (len(at), new))
        ]
        whole = np.arange(size)
        whole[at] = size + np.arange(len(at))
        return self.arrange(rows, whole).value

    def _check_write(self, target: Row, what: str) -> None:
        """Refuse a write that someone else would see, or that torch does not differentiate."""
        names = [memory.caller for memory in target.memory.family() if memory.caller]
        if names:
            raise refusal(
                f"{what} changes {names[0]!r} in place, which is the caller's own tensor; write "
                f"what gives a new one, or {names[0]}.clone() first"
            )
        plain = self._is_plain(target)
        if target.detached and not plain:
            raise refusal(f"{what} changes in place, behind detach(), what has a gradient")
        if not torch.is_grad_enabled() and not plain:
            raise refusal(f"{what} changes in place, without gradients, what has a gradient")


def _without_symbols(value: Any) -> Any:
    """Return an argument of a view as it is for the numbers of the features of two rows."""
    if isinstance(value, BatchSize):
        return 2
    if isinstance(value, Row):
        return torch.empty(2, *value.trailing, device="meta")
    return value
