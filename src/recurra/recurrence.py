"""One loop over time: any cell, its state, lengths, resets and direction."""

import torch
from torch import Tensor

from recurra.backends import State, Steps, choose
from recurra.cells.cell import Cell
from recurra.errors import ShapeError


def recur(
    cell: Cell,
    x: Tensor,
    state: State,
    *,
    lengths: Tensor | None = None,
    reset: Tensor | None = None,
    fresh: State | None = None,
    reverse: bool = False,
) -> tuple[Tensor, State]:
    """Run `cell` over time in one direction, on the backend that suits it.

    Args:
        cell: the equations of a step.
        x: (T, B, I).
        state: each (B, size), in the cell's order.
        lengths: (B,) whole numbers from 0 to T, as `check_lengths` returns them.
        reset: (T, B) bool; where true, a border lies between steps t - 1 and t, which no state
            crosses: going forward the row restarts before t, going backward before t - 1.
        fresh: each (B, size), the state a row restarts from; zeros if None.
        reverse: run from each row's own end to its beginning.

    Returns the outputs (T, B, O), zero past each row's end, and each row's last state.
    """
    restart = None
    if reset is not None:
        restart = torch.cat([reset[1:], reset.new_zeros(1, x.shape[1])]) if reverse else reset
        fresh = tuple(torch.zeros_like(s) for s in state) if fresh is None else fresh
    steps = Steps(x, state, lengths, restart, fresh or (), reverse)
    return choose(cell, steps)(cell, steps)


def check_lengths(lengths: object, T: int, B: int, device: torch.device) -> Tensor:
    """Return `lengths` as (B,) int64 on `device`.

    Raises `ShapeError` unless they are whole numbers from 0 to T, one for each row.
    """
    if not isinstance(lengths, Tensor):
        lengths = torch.as_tensor(lengths)
    if lengths.dtype not in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
        raise ShapeError(f"lengths must be whole numbers, got {lengths.dtype}.")
    if lengths.shape != (B,):
        raise ShapeError(
            f"lengths must be of ({B},), one for each row, got {tuple(lengths.shape)}."
        )
    if B and (int(lengths.min()) < 0 or int(lengths.max()) > T):
        raise ShapeError(
            f"lengths must lie between 0 and T={T}, got {int(lengths.min())} to "
            f"{int(lengths.max())}."
        )
    return lengths.to(device=device, dtype=torch.int64)


def check_reset(reset: Tensor, T: int, B: int, device: torch.device) -> Tensor:
    """Return `reset` on `device`; raise `ShapeError` unless it is bool and (T, B)."""
    if not isinstance(reset, Tensor) or reset.dtype != torch.bool or reset.shape != (T, B):
        got = f"{reset.dtype} of {tuple(reset.shape)}" if isinstance(reset, Tensor) else repr(reset)
        raise ShapeError(f"reset must be a bool tensor of (T, B) = ({T}, {B}), got {got}.")
    return reset.to(device)
