"""What every backend is asked to do, already checked."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from recurra.errors import ShapeError
from recurra.program.programs import Programs
from recurra.program.window import Window

State = tuple[Tensor, ...]


class SteppedCell(Protocol):
    """A cell as backends see it: a function of one step, and what torch calls its equations."""

    input_size: int
    output_size: int
    state_sizes: dict[str, int]
    programs: Programs

    def __call__(self, x: Tensor, *state: Tensor) -> tuple[Tensor, State]:
        """Step once."""
        ...

    def torch_kernel(self) -> tuple[str, tuple[Tensor, ...]] | None:
        """Return torch's kernel for these equations, if there is one."""
        ...


@dataclass(frozen=True)
class Steps:
    """A cell's run over time, in one direction.

    x: (T, B, I); state: each (B, size), what the run starts from;
    lengths: (B,) whole numbers from 0 to T, or None for all T;
    restart: (T, B), where a row's state becomes `fresh` before that step, or None;
    fresh: each (B, size); reverse: whether time runs from T - 1 to 0.
    window: how far gradients go back, or None for all the way; x is then (k + 1, T, B, I), the
        same for all ages, if the gradient of x is to go out by age, and so are the outputs if
        theirs come by age.
    clip_states: the norm to which each row's gradient of a state is cut before it enters the
        step before, or None.
    """

    x: Tensor
    state: State
    lengths: Tensor | None = None
    restart: Tensor | None = None
    fresh: State = ()
    reverse: bool = False
    window: Window | None = None
    clip_states: float | None = None


def check_range(lengths: Tensor, T: int) -> None:
    """Raise `ShapeError` unless the lengths lie between 0 and T."""
    if lengths.numel() and (int(lengths.min()) < 0 or int(lengths.max()) > T):
        raise ShapeError(
            f"lengths must lie between 0 and T={T}, got {int(lengths.min())} to "
            f"{int(lengths.max())}."
        )
