"""Modules that were never written for Recurra, taken as cells."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from recurra.cells.cell import Cell, State
from recurra.cells.forms import Passing, call, read
from recurra.cells.like import real_dtypes, zeros_like_of
from recurra.cells.states import StateKind, StateSizes, read_states
from recurra.cells.trying import Fit, Tries
from recurra.errors import ArgumentTypeError, ShapeError


class Adapted(Cell):
    """A module as a `Cell` whose states are vectors of real numbers.

    Args:
        module: what steps.
        input_size: I, the features of x.
        fit: the form it has: how it takes its states, and how it gives them back.
    """

    def __init__(self, module: nn.Module, input_size: int, fit: Fit) -> None:
        flat = {name: kind.size for name, kind in fit.kinds.items()}
        super().__init__(input_size, flat, fit.output_size)
        self.module = module
        self.passed, self.keyword = fit.passing.kind, fit.passing.keyword
        self.record, self.gives = fit.passing.record, fit.gives
        if not all(kind.is_plain for kind in fit.kinds.values()):
            self._kinds = fit.kinds

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), states (B, size) -> the output, every new state (B, size)."""
        names, kinds = tuple(self.state_sizes), self._kinds
        if kinds is not None:
            state = tuple(k.whole(s) for k, s in zip(kinds.values(), state, strict=True))
        passing = Passing(self.passed, self.keyword, self.record)
        result = call(self.module, x, state, names, passing)
        output, new = read(result, self.gives, names)
        if kinds is not None:
            new = tuple(k.flat(s) for k, s in zip(kinds.values(), new, strict=True))
        return output, new


def adapt(
    module: nn.Module,
    input_size: int,
    hidden_size: int,
    state_sizes: StateSizes | None = None,
    *,
    told: bool = False,
) -> Cell:
    """Return `module` as a `Cell`, its form found by steps on zeros.

    `state_sizes` (or the module's attribute of that name) gives each state's name and size or
    shape, or the names alone where every size is `hidden_size`. Where there is neither, torch's
    own cells are known, and others are asked: what they give back when they are given no state,
    else whether they go on from one or two states of `hidden_size`.
    Raises `ShapeError`, with what each form gave, where none fits or more than one does.
    """
    name = type(module).__name__
    if isinstance(module, nn.RNNBase):
        raise ArgumentTypeError(
            f"torch.nn.{name} is a layer, which runs over time itself: take recurra.{name}, or its "
            f'cell, torch.nn.{name}Cell or "{"elman" if name == "RNN" else name.lower()}".'
        )
    kinds = None
    if state_sizes is not None:
        kinds = read_states("state_sizes", state_sizes, hidden_size)
    elif (own := getattr(module, "state_sizes", None)) is not None:
        kinds = read_states("state_sizes", own, hidden_size, whose=name)
    elif isinstance(module, nn.RNNCellBase):
        names = ("h", "c") if isinstance(module, nn.LSTMCell) else ("h",)
        kinds = {each: StateKind((module.hidden_size,)) for each in names}
        if not told:
            check_hidden_size(hidden_size, kinds)
    first: Tries | None = None
    for like, witness in likes(module):
        tries = Tries(module, like, input_size, strict=witness is not None)
        fit = tries.among(hidden_size) if kinds is None else tries.with_states(kinds)
        if fit is not None:
            if kinds is None and not told:
                check_hidden_size(hidden_size, fit.kinds)
            cell = Adapted(module, input_size, fit)
            if witness is not None:
                cell.computes_like = f"module.{witness}" if isinstance(witness, str) else witness
            return cell
        first = first or tries
    assert first is not None
    raise ShapeError(first.report())


def likes(module: nn.Module) -> list[tuple[Tensor, str | Any]]:
    """Return tensors of the dtypes that a module may compute with, most likely first.

    Each with the name of a parameter of that dtype, or the dtype; None where there is one only.
    """
    found = real_dtypes(module)
    like = zeros_like_of(module)
    if len(found) < 2:
        return [(like, None)]
    default = {zeros_like_of(nn.Module()).dtype: ""}
    return [
        (like.new_empty(0, dtype=dtype), name or dtype) for dtype, name in (default | found).items()
    ]


def check_hidden_size(hidden_size: int, kinds: Mapping[str, StateKind]) -> None:
    """Raise `ShapeError` unless a state of the cell is of the size that the user says."""
    if all(hidden_size not in (*kind.shape, kind.size) for kind in kinds.values()):
        states = ", ".join(f"{name!r}: {kind}" for name, kind in kinds.items())
        raise ShapeError(f"hidden_size is {hidden_size}, but the cell's states are {{{states}}}.")
