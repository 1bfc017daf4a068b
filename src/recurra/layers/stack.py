"""A stack of cells: layers over layers, one or two directions each."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.backends import State
from recurra.cells.cell import Cell
from recurra.layers.ages import join
from recurra.program.window import Window
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
    truncate: int | None = None,
    clip_states: float | None = None,
) -> tuple[Tensor, State]:
    """Run every layer over the outputs of the one below it.

    Args:
        cells: the cell of layer 0 forward, layer 0 backward, layer 1 forward, ...
        directions: D, 1 or 2.
        x: (T, B, I).
        state: each (L·D, B, size), rows in the order of `cells`; a tuple of tensors (B, size)
            where cells differ in that state's size.
        lengths, reset: as `recur` takes them.
        fresh: as `state`, what a reset restarts from.
        dropout: the probability of an output's being zeroed between two layers.
        checkpoint, clip_states: as `recur` takes them.
        truncate: how many steps the gradient of an output goes back, along any path through
            layers and directions; None for all.

    Returns the outputs (T, B, D·O) and the last states, each (L·D, B, size).
    """
    last: list[State] = []
    layers = len(cells) // directions
    if truncate is not None and truncate >= x.shape[0] * (layers if directions == 2 else 1):
        truncate = None  # no path is as long
    for layer in range(layers):
        outputs = []
        top = layer == layers - 1
        window = None if truncate is None else Window(truncate, arrives=not top, leaves=layer > 0)
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
                window=window,
                clip_states=clip_states,
            )
            outputs.append(out)
            last.append(end)
        if top or truncate is None:
            x = outputs[0] if directions == 1 else torch.cat(outputs, -1)
            if dropout and not top:
                x = F.dropout(x, dropout)
        else:
            x = join(outputs, dropout)
    return x, together(last)


def together(states: Sequence[State]) -> State:
    """Return cells' states by state, each (L·D, B, size), or a tuple where sizes differ."""
    joined: list[Any] = [
        torch.stack(each) if all(s.shape[-1] == each[0].shape[-1] for s in each) else each
        for each in zip(*states, strict=True)
    ]
    return tuple(joined)
