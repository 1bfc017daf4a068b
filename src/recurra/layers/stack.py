"""A stack of cells: layers over layers, one or two directions each."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.backends import State
from recurra.cells.cell import Cell
from recurra.recurrence import recur


def run_stack(
    cells: Sequence[Cell],
    directions: int,
    x: Tensor,
    state: State,
    *,
    lengths: Tensor | None = None,
    reset: Tensor | None = None,
    fresh: State | None = None,
    dropout: float = 0.0,
    checkpoint: int | None = None,
) -> tuple[Tensor, State]:
    """Run every layer over the outputs of the one below it.

    Args:
        cells: the cell of layer 0 forward, layer 0 backward, layer 1 forward, ...
        directions: D, 1 or 2.
        x: (T, B, I).
        state: each (L·D, B, size), rows in the order of `cells`.
        lengths, reset: as `recur` takes them.
        fresh: as `state`, what a reset restarts from.
        dropout: the probability of an output's being zeroed between two layers.
        checkpoint: as `recur` takes it.

    Returns the outputs (T, B, D·O) and the last states, each (L·D, B, size).
    """
    last: list[State] = []
    layers = len(cells) // directions
    for layer in range(layers):
        outputs = []
        for direction in range(directions):
            k = layer * directions + direction
            out, end = recur(
                cells[k],
                x,
                tuple(s[k] for s in state),
                lengths=lengths,
                reset=reset,
                fresh=None if fresh is None else tuple(s[k] for s in fresh),
                reverse=direction == 1,
                checkpoint=checkpoint,
            )
            outputs.append(out)
            last.append(end)
        x = outputs[0] if directions == 1 else torch.cat(outputs, -1)
        if dropout and layer < layers - 1:
            x = F.dropout(x, dropout)
    return x, tuple(torch.stack(s) for s in zip(*last, strict=True))
