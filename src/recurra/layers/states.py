"""The states of a layer's cells, as its user sees them and as its cells' runs have them.

A user sees one value for each state, in the cells' order: a tensor (L·D, B, size), or
(L·D, B, *shape), where the state is alike in all cells of the stack, else a tuple of L·D tensors
(B, size). Runs have each state flat: (L·D, B, size), or one tensor (B, size) a cell.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn

from recurra.backends import State, check_dense
from recurra.cells.cell import Cell
from recurra.cells.states import StateKind
from recurra.errors import ArgumentError, ShapeError
from recurra.recurrence import same_dtype


@dataclass(frozen=True)
class LayerStates:
    """What the states of a layer are: by name, the kind that each cell of the stack has."""

    kinds: dict[str, tuple[StateKind, ...]]

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> "LayerStates":
        """Read cells; raises `ArgumentError` unless their states have the same names."""
        every = [cell.state_kinds for cell in cells]
        for kinds in every[1:]:
            if list(kinds) != list(every[0]):
                raise ArgumentError(
                    f"the cells of a stack must have the same states: one has {list(every[0])}, "
                    f"another {list(kinds)}."
                )
        return cls({name: tuple(kinds[name] for kinds in every) for name in every[0]})

    @property
    def is_plain(self) -> bool:
        """Whether a user sees the states as runs have them: tensors (L·D, B, size), real."""
        return all(_alike(kinds) and kinds[0].is_plain for kinds in self.kinds.values())

    @property
    def uneven(self) -> list[str]:
        """The names of the states that are not alike in all cells."""
        return [name for name, kinds in self.kinds.items() if not _alike(kinds)]

    def check_even(self, what: str) -> None:
        """Raise `ArgumentError`, which says what needs it, unless states are alike in all cells."""
        for name in self.uneven:
            sizes = ", ".join(map(str, self.kinds[name]))
            raise ArgumentError(
                f"{what} takes no cell whose state differs in size from layer to layer, as "
                f"{name!r} does ({sizes}): take num_layers=1, or a cell whose states do not "
                "depend on input_size."
            )

    def zeros(self, like: Tensor, B: int) -> State:
        """Return zeros of B rows as a user sees a state, of the dtypes that go with `like`."""

        def zeros_of(kinds: tuple[StateKind, ...]) -> Any:
            if _alike(kinds):
                shape, dtype = (len(kinds), B, *kinds[0].shape), kinds[0].dtype(like.dtype)
                return like.new_zeros(shape, dtype=dtype)
            return tuple(like.new_zeros(B, *k.shape, dtype=k.dtype(like.dtype)) for k in kinds)

        return tuple(map(zeros_of, self.kinds.values()))

    def learned(self, like: Tensor) -> nn.ParameterList:
        """Return the state to start from as parameters, zeros at first, without the batch's axis.

        One a state where it is alike in all cells, (L·D, *shape), else a list with one a cell.
        """
        start = self.zeros(like, 1)
        return nn.ParameterList(
            s[:, 0] if isinstance(s, Tensor) else nn.ParameterList(each[0] for each in s)
            for s in start
        )

    def started(self, learned: nn.ParameterList, like: Tensor, B: int) -> State:
        """Return the learned state for B rows; raises `ShapeError` where it does not fit."""

        def rows(kind: StateKind, value: Any, *cells: int) -> Tensor:
            check_dense("the learned state", value)
            wanted, got = (*cells, *kind.shape), tuple(value.shape)
            if got != wanted:
                raise ShapeError(f"the learned state must be of {wanted}, got {got}.")
            one: Tensor = value.to(kind.dtype(like.dtype)) if kind.is_complex else value
            return one.unsqueeze(len(cells)).expand(*cells, B, *kind.shape)

        found: list[Any] = []
        for kinds, value in zip(self.kinds.values(), learned, strict=True):
            if _alike(kinds):
                found.append(rows(kinds[0], value, len(kinds)))
            else:
                found.append(tuple(rows(k, v) for k, v in zip(kinds, value, strict=True)))
        return tuple(found)

    def check(self, state: Tensor | Sequence[Tensor], like: Tensor, B: int) -> State:
        """Return a state of B rows as a tuple; raises `ShapeError` unless it fits."""
        names = ", ".join(self.kinds)
        if not isinstance(state, Iterable):
            raise ShapeError(f"state must be tensors ({names}), got {type(state).__name__}.")
        given: tuple[Any, ...] = (state,) if isinstance(state, Tensor) else tuple(state)
        if len(given) != len(self.kinds):
            raise ShapeError(
                f"state must be one value for each of ({names}), got {len(given)}."
                if self.uneven
                else f"state must be one tensor for each of ({names}), got {len(given)}."
            )
        checked: list[Any] = []
        for value, (name, kinds) in zip(given, self.kinds.items(), strict=True):
            if _alike(kinds):
                axes = "size" if len(kinds[0].shape) == 1 else "*shape"
                wanted = (len(kinds), B, *kinds[0].shape)
                _check_one(name, value, kinds[0], f"(L·D, B, {axes})", wanted, like)
                checked.append(value)
                continue
            if isinstance(value, Tensor) or not isinstance(value, Sequence):
                got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            else:
                got = f"{len(value)} values"
            if isinstance(value, Tensor | str) or got != f"{len(kinds)} values":
                sizes = ", ".join(str((B, *kind.shape)) for kind in kinds)
                raise ShapeError(
                    f"state {name!r} is not of one size in all layers: give a tuple of tensors "
                    f"of {sizes}, got {got}."
                )
            for kind, one in zip(kinds, value, strict=True):
                _check_one(name, one, kind, "(B, size)", (B, *kind.shape), like)
            checked.append(tuple(value))
        return tuple(checked)

    def flat(self, state: State) -> State:
        """Return a state that a user sees as runs have it."""
        return self._changed(state, StateKind.flat)

    def whole(self, state: State) -> State:
        """Return a state that runs have as a user sees it."""
        return self._changed(state, StateKind.whole)

    def _changed(self, state: State, change: Callable[[StateKind, Tensor], Tensor]) -> State:
        changed: list[Any] = []
        for kinds, value in zip(self.kinds.values(), state, strict=True):
            if _alike(kinds):
                changed.append(change(kinds[0], value))
            else:  # a stacked one, where flat sizes agree and shapes do not, comes apart by cell
                changed.append(tuple(change(k, v) for k, v in zip(kinds, value, strict=True)))
        return cast(State, tuple(changed))


def _alike(kinds: tuple[StateKind, ...]) -> bool:
    return all(kind == kinds[0] for kind in kinds)


def _check_one(
    name: str, value: object, kind: StateKind, axes: str, wanted: tuple[int, ...], like: Tensor
) -> None:
    if isinstance(value, Tensor):
        check_dense(f"state {name!r}", value)
    if not isinstance(value, Tensor) or value.shape != wanted:
        got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ShapeError(f"state {name!r} must be of {axes} = {wanted}, got {got}.")
    fits = value.dtype == kind.dtype(like.dtype) if kind.is_complex else same_dtype(value, like)
    if not fits or value.device != like.device:
        wanted_dtype = f" ({kind.dtype(like.dtype)} is wanted)" if kind.is_complex else ""
        raise ShapeError(
            f"state {name!r} is {value.dtype} on {value.device}, "
            f"but x is {like.dtype} on {like.device}{wanted_dtype}."
        )
