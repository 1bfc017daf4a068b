"""What reads streams of an estimator: many at a time, each with a state of its own."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from recurra.errors import ArgumentError

State = dict[str, Tensor]


@dataclass
class Kept:
    """What is kept of B streams.

    fixed: tensors by name, each (B, ...); loose: for each stream what tensors do not suit, or None.
    """

    fixed: State
    loose: list[Any]


class StreamReader(ABC):
    """Reads pieces of streams on from what is kept of them.

    by_step: whether a prediction is of each step of a piece, and not of all that was read.
    """

    by_step = False

    @abstractmethod
    def start(self, condition: Any = None) -> State:
        """Return the state of a stream of which nothing was read.

        Raises `ArgumentError` for a condition that the model does not have.
        """

    def refuse(self, condition: Any) -> None:
        """Raise `ArgumentError` where a condition is given to a model without labels."""
        if condition is not None:
            raise ArgumentError(f"condition={condition!r}: only a generator's stream has one.")

    @abstractmethod
    def read(self, piece: Any) -> Any:
        """Return a piece as a row of steps; raises `DataError` for another form."""

    def takes_nothing(self, fixed: State) -> bool:
        """Return whether a stream, as it is kept, can read a row without steps."""
        return True

    @abstractmethod
    def advance(self, kept: Kept, rows: Sequence[Any], most: int | None = None) -> list[Any]:
        """Read rows on, put what is kept after them into `kept`, and return the predictions.

        most: of a generator's symbols, how many are told; None for all that may come.
        """

    def fixed_of(self, state: State) -> tuple[State, Any]:
        """Return a stream's state as it is kept: tensors of fixed sizes, and the rest."""
        return state, None

    def state_of(self, fixed: State, loose: Any) -> State:
        """Return what is kept of a stream as its state: what `fixed_of` was given."""
        return fixed

    def room_of(self, loose: Any) -> int:
        """Return about how many bytes the rest takes."""
        return 0

    def check(self, state: Mapping[str, Tensor]) -> None:
        """Raise `ArgumentError` unless a state is of the form of this reader's."""
        self.check_form(self.start(), state)

    def check_form(self, wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
        """Raise `ArgumentError` unless a state has the tensors of the one that is wanted."""
        for name in sorted(wanted.keys() | state.keys()):
            if name not in wanted or name not in state:
                what = "has no" if name in wanted else "has another,"
                raise ArgumentError(f"the state {what} {name}: it is of another kind of stream.")
            have, want = state[name], wanted[name]
            fits = have.shape == want.shape or (self.grows(name) and have.dim() == want.dim())
            if have.dtype != want.dtype or not fits:
                raise ArgumentError(
                    f"the state's {name} is {have.dtype} of {tuple(have.shape)}, not "
                    f"{want.dtype} of {tuple(want.shape)}."
                )

    def grows(self, name: str) -> bool:
        """Return whether a tensor of the state may have any length."""
        return False
