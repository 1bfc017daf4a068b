"""A user's own `Cell`, held to what it says of itself before anyone trains it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from recurra.cells.cell import Cell
from recurra.cells.foreign import Adapted, likes
from recurra.cells.forms import Passing
from recurra.cells.states import StateKind
from recurra.cells.trying import Fit, quietly
from recurra.errors import ArgumentError, ShapeError


def check_cell(cell: Cell) -> Cell:
    """Return a cell that one step on zeros has shown to do what it says.

    It is wrapped where its states are not vectors of real numbers, as backends have them.
    Raises `ArgumentError` or `ShapeError` where it takes or returns something else.
    """
    if isinstance(cell, Adapted):
        return cell
    first: ShapeError | None = None
    for like, witness in likes(cell):
        try:
            kinds = _check_step(cell, like, strict=witness is not None)
        except ShapeError as error:
            first = first or error
            continue
        if witness is not None:
            cell.computes_like = witness
        if all(kind.is_plain for kind in kinds.values()):
            return cell
        whole = Adapted(
            cell, cell.input_size, Fit(kinds, Passing("apart"), "output, states", cell.output_size)
        )
        if witness is not None:
            whole.computes_like = f"module.{witness}" if isinstance(witness, str) else witness
        return whole
    assert first is not None
    raise first


def check_is_initialised(cell: Cell) -> None:
    """Raise `ArgumentError` for a cell whose `__init__` has not called `Cell`'s."""
    if "input_size" not in vars(cell):
        name = type(cell).__name__
        raise ArgumentError(
            f"{name}.__init__ does not say its sizes: call super().__init__(input_size, "
            '{"h": hidden_size}) first in it.'
        )


def _check_step(
    cell: Cell, like: Tensor, strict: bool, kinds: Mapping[str, StateKind] | None = None
) -> dict[str, StateKind]:
    """Return what the cell's states are, complex ones that come from real zeros included."""
    given = cell.state_kinds if kinds is None else dict(kinds)
    name, real = type(cell).__name__, like.dtype
    wanted = {"x": (2, cell.input_size)} | {key: (2, *kind.shape) for key, kind in given.items()}
    dtypes = [real, *(kind.dtype(real) for kind in given.values())]

    def step() -> Any:
        pairs = zip(wanted.values(), dtypes, strict=True)
        return cell(*(like.new_zeros(shape, dtype=dtype) for shape, dtype in pairs))

    try:
        result = quietly(cell, step)
    except Exception as error:
        shapes = ", ".join(map(str, wanted.values()))
        raise ShapeError(f"{name} failed on one step with inputs of {shapes}: {error}") from error
    output, new = _parts(cell, result, given)
    sizes = {"the output": (cell.output_size,)} | {
        f"state {key!r}": kind.shape for key, kind in given.items()
    }
    for (what, shape), value in zip(sizes.items(), (output, *new), strict=True):
        if not isinstance(value, Tensor) or value.shape != (2, *shape):
            axes = ", ".join(map(str, shape))
            raise ShapeError(
                f"{name}.forward must return {what} of (B, {axes}) = {(2, *shape)} on a batch of "
                f"2, got {_describe(value)}."
            )
    if output.is_complex():
        raise ShapeError(
            f"{name}.forward must return a real output, as x is, got {output.dtype}: return "
            "output.real, or its two parts side by side."
        )
    seen = {
        key: replace(kind, is_complex=kind.is_complex or s.is_complex())
        for (key, kind), s in zip(given.items(), new, strict=True)
    }
    if seen != given and kinds is None:
        return _check_step(cell, like, strict, seen)
    for (key, kind), s in zip(given.items(), new, strict=True):
        if (strict or kind.is_complex) and s.dtype != kind.dtype(real):
            raise ShapeError(
                f"{name}.forward must return state {key!r} of {kind.dtype(real)} where x is "
                f"{real}, got {s.dtype}."
            )
    if strict and output.dtype != real:
        raise ShapeError(f"{name}.forward must return an output of {real}, got {output.dtype}.")
    return given


def _parts(cell: Cell, result: Any, kinds: Mapping[str, StateKind]) -> tuple[Any, tuple[Any, ...]]:
    name = type(cell).__name__
    if not (isinstance(result, tuple) and len(result) == 2):
        raise ArgumentError(
            f"{name}.forward must return (output, new_state), got {type(result).__name__}."
        )
    output, new = result
    if not isinstance(new, tuple) or len(new) != len(kinds):
        raise ArgumentError(
            f"{name}.forward must return {len(kinds)} new states "
            f"({', '.join(kinds)}) as a tuple, got {_describe(new)}."
        )
    return output, new


def _describe(value: object) -> str:
    if isinstance(value, Tensor):
        return str(tuple(value.shape))
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__
