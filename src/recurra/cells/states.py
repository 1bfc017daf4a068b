"""What states a cell carries: each has a name and a shape, and is real or complex."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.cells.sizes import check_size
from recurra.errors import ArgumentError, ArgumentTypeError, ShapeError

StateSize = int | Sequence[int | torch.dtype]
StateSizes = Mapping[str, StateSize] | Sequence[str]

_EXAMPLES = '{"h": 16}, {"S": (4, 4)} or {"s": (16, torch.complex64)}'


@dataclass(frozen=True)
class StateKind:
    """What a state is for one row: its shape, and whether its numbers are complex.

    Layers and backends carry every state flat, as (..., size) real numbers. A cell, and the user
    of a layer, see it whole: (..., *shape), complex numbers where it says so.
    """

    shape: tuple[int, ...]
    is_complex: bool = False

    @property
    def size(self) -> int:
        """How many real numbers it is for a row."""
        return math.prod(self.shape) * (2 if self.is_complex else 1)

    @property
    def is_plain(self) -> bool:
        """Whether it is the same flat and whole: a vector of real numbers."""
        return len(self.shape) == 1 and not self.is_complex

    def dtype(self, real: torch.dtype) -> torch.dtype:
        """Return its dtype beside x of dtype `real`; raises `ShapeError` where there is none."""
        if not self.is_complex:
            return real
        if real not in (torch.float16, torch.float32, torch.float64):
            raise ShapeError(
                f"x is {real}, but the cell has complex states, which go with x of float32 or "
                "float64: convert x by x.float()."
            )
        return real.to_complex()

    def flat(self, whole: Tensor) -> Tensor:
        """Return a state (..., *shape) as (..., size)."""
        if self.is_plain:
            return whole
        lead = whole.shape[: whole.dim() - len(self.shape)]
        if self.is_complex:
            whole = torch.view_as_real(whole.resolve_conj())
        return whole.reshape(*lead, self.size)

    def whole(self, flat: Tensor) -> Tensor:
        """Return a state (..., size) as (..., *shape)."""
        if self.is_plain:
            return flat
        shape = (*flat.shape[:-1], *self.shape)
        if self.is_complex:
            return torch.view_as_complex(flat.reshape(*shape, 2))
        return flat.reshape(shape)

    def __str__(self) -> str:
        """Return the shape as text, as in "4 x 4" or "16 complex"."""
        shape = " x ".join(map(str, self.shape)) or "1"
        return f"{shape} complex" if self.is_complex else shape


def read_states(
    name: str, given: object, hidden_size: int | None = None, whose: str = ""
) -> dict[str, StateKind]:
    """Return what `given` says of the states, by their names.

    name: of the argument, for the errors; hidden_size: the size of states that are only named;
    whose: whose attribute `given` is, if it is one.
    Raises `ArgumentError` or `ArgumentTypeError` where it cannot be understood.
    """
    what = f"{whose}.{name}" if whose else name
    if isinstance(given, Mapping):
        states = given
    elif isinstance(given, Sequence) and not isinstance(given, str | bytes):
        if hidden_size is None or not all(isinstance(each, str) for each in given):
            raise ArgumentTypeError(_expected(what, given, hidden_size))
        if len(set(given)) < len(given):
            raise ArgumentError(f"{what} names a state twice: {given!r}.")
        states = dict.fromkeys(given, hidden_size)
    else:
        raise ArgumentTypeError(_expected(what, given, hidden_size))
    if not states:
        raise ArgumentError(f"{what} is empty: a recurrent cell carries at least one state.")
    return {key: _read_state(what, key, size) for key, size in states.items()}


def _expected(what: str, given: object, hidden_size: int | None) -> str:
    alone = '("h", "c") with the size hidden_size each, or ' if hidden_size is not None else ""
    return f"{what} must be names with sizes: {alone}{_EXAMPLES}; got {given!r}."


def _read_state(what: str, name: object, size: object) -> StateKind:
    if not isinstance(name, str):
        raise ArgumentTypeError(f"{what} must name the states by texts, got the name {name!r}.")
    of_state = f"the size of state {name!r}"
    if not isinstance(size, Sequence) or isinstance(size, str | bytes):
        if isinstance(size, torch.dtype):
            raise ArgumentTypeError(f"{of_state} is missing beside {size}: give (size, {size}).")
        return StateKind((check_size(of_state, size),))
    *axes, last = size if len(size) else (None,)
    if last is None:
        raise ArgumentError(f"{of_state} is empty: give a number, or a shape as (4, 4).")
    if not isinstance(last, torch.dtype):
        return StateKind(tuple(check_size(of_state, axis) for axis in size))
    if not last.is_complex:
        raise ArgumentError(
            f"state {name!r} cannot be of {last}: a state is of x's dtype, or complex; leave the "
            "dtype out, or say torch.complex64."
        )
    if not axes:
        raise ArgumentError(f"{of_state} is missing beside {last}: give (size, {last}).")
    return StateKind(tuple(check_size(of_state, axis) for axis in axes), is_complex=True)
