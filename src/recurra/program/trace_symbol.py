"""What a cell is called with when it is traced: tensors without numbers that record."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import torch
from torch import Tensor

from recurra.program.trace_memory import Memory, Place
from recurra.program.trace_refusal import refusal

if TYPE_CHECKING:
    from recurra.program.trace_steps import Leaves


_OPERATORS = """add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod
    divmod rdivmod pow rpow neg pos abs invert
    lshift rlshift rshift rrshift and rand or ror xor rxor
    lt le gt ge bool int float complex hash round trunc floor ceil"""


class BatchSize(int):
    """The size of the batch axis: it may be passed on as a size, but never computed with."""

    def _refuse(self, *_: object) -> NoReturn:
        raise refusal("the cell computes with the size of the batch")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, BatchSize):
            return True
        raise refusal("the cell asks how large the batch is")

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        return "B"

    __str__ = __repr__

    def __format__(self, form: str) -> str:
        return "B"

    for _name in _OPERATORS.split():
        locals()[f"__{_name}__"] = _refuse
    del _name


class Symbol(Tensor):
    """A tensor that stands for one, without numbers: what is done with it is recorded.

    It is a tensor of torch's own kind (on the meta device), so that code in C++ that takes it
    for one finds one; all that torch does with it comes to `__torch_function__`.
    """

    recorder: "Leaves"

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Record a call that torch was asked for."""
        return find_recorder(args, kwargs or {}).call(func, tuple(args), dict(kwargs or {}))


class Row(Symbol):
    """What each row of the batch has: a tensor of shape (B, *trailing), flat in the program.

    trailing: the shape without the batch axis.
    value: the program's value, of as many features; a constant or parameter if all rows share it.
    kind: the dtype that torch would give it.
    memory: what it shares with its views; place: where it lies there, None for all in order.
    detached: whether gradients end at it.
    """

    trailing: tuple[int, ...]
    kind: torch.dtype
    memory: Memory
    place: Place | None
    detached: bool
    _known: int
    _seen: int

    @property
    def value(self) -> int:
        """Return the program's value that the row has now."""
        if self._seen != self.memory.version:
            self.know(self.recorder.current(self))
        return self._known

    def know(self, value: int) -> None:
        """Note the value that the row has now."""
        self._known, self._seen = value, self.memory.version


class Leaf(Symbol):
    """What is computed from parameters alone: torch computes it anew for every call.

    node: which step of the recipe gives it.
    meta: a tensor of its shape without numbers.
    """

    node: int
    meta: Tensor
    _is_param: bool
    is_number = False  # whether it stands for a number that the cell holds

    def __hash__(self) -> int:
        if self.is_number:
            raise refusal("a number that changes is used as a key")
        return id(self)


# What code that asks torch's core for a shape gets to see of a symbol. A cell is traced with each
# of them in turn: where one shows, the two programs differ.
BASES = tuple(torch.empty(shape, device="meta") for shape in ((1,), (2**40, 3)))


def new_row(recorder: "Leaves", trailing: tuple[int, ...], value: int, kind: torch.dtype) -> Row:
    """Return a row symbol for a value of the program."""
    row: Row = Tensor._make_subclass(Row, recorder.base, True)
    row.recorder, row.trailing, row.kind = recorder, trailing, kind
    row.memory, row.place, row.detached = Memory(value, math.prod(trailing)), None, False
    row.know(value)
    return row


def new_leaf(recorder: "Leaves", node: int, meta: Tensor, parameter: bool = False) -> Leaf:
    """Return a symbol for a step of the recipe."""
    leaf: Leaf = Tensor._make_subclass(Leaf, recorder.base, True)
    leaf.recorder, leaf.node, leaf.meta, leaf._is_param = recorder, node, meta, parameter
    return leaf


def each(value: Any) -> Any:
    """Yield what an argument holds: itself, or the items of lists, tuples, dicts and slices."""
    if isinstance(value, tuple | list):
        for item in value:
            yield from each(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from each(item)
    elif isinstance(value, slice):
        yield from (value.start, value.stop, value.step)
    else:
        yield value


def flat(values: Iterable[Any]) -> list[Any]:
    """Return what arguments hold, as `each` yields it."""
    found = []
    for value in values:
        if isinstance(value, tuple | list | dict | slice):
            found += each(value)
        else:
            found.append(value)
    return found


def replace(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return an argument with `change` applied to what it holds."""
    if isinstance(value, tuple):
        items = [replace(item, change) for item in value]
        if type(value) is tuple or type(value) is torch.Size:
            return tuple(items)
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, list):
        return [replace(item, change) for item in value]
    if isinstance(value, dict):
        return {key: replace(item, change) for key, item in value.items()}
    if isinstance(value, slice):
        return slice(*(change(item) for item in (value.start, value.stop, value.step)))
    return change(value)


def find_recorder(args: Sequence[Any], kwargs: Mapping[str, Any]) -> "Leaves":
    """Return the recorder of the first symbol among the arguments."""
    return next(a.recorder for a in each((*args, dict(kwargs))) if isinstance(a, Symbol))
