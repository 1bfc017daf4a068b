"""Endless input, a piece at a time: a layer that keeps its state between the pieces."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from recurra.backends import State, Stepper, check_dense, is_ordinary, stepper
from recurra.cells.like import zeros_like_of
from recurra.errors import ArgumentError, ArgumentTypeError, ShapeError
from recurra.layers.stack import run_stack, together

if TYPE_CHECKING:
    from recurra.layers.recurrent import Recurrent


class Stream:
    """A layer run along a stream: `push` what has come, read what comes out.

    Pieces of any size give the same bits as the whole at once. Nothing is recorded for
    gradients, and there is no dropout between layers. Made by `layer.stream(batch_size)`.
    """

    def __init__(self, layer: "Recurrent", batch_size: int = 1) -> None:
        self._layer, self._cells = layer, layer.cell_list()
        like = zeros_like_of(self._cells[0])
        self._like = like if is_ordinary(like) else torch.empty(0, dtype=like.dtype)
        if not self._like.is_floating_point():
            raise ArgumentError(
                f"a stream needs weights of floating numbers, got {self._like.dtype}."
            )
        fresh = layer.flat_state(layer.fresh_state(self._like, batch_size))
        with torch.inference_mode(False):  # states are written to, inside that mode or not
            self._fresh = [
                tuple(s[k].detach().clone() for s in fresh) for k in range(len(self._cells))
            ]
            self._state = [tuple(s.clone() for s in fresh) for fresh in self._fresh]
        self._step = (batch_size, layer.input_size)
        self._steppers = self._short_way()

    def _short_way(self) -> list[Stepper] | None:
        found = [stepper(c, s) for c, s in zip(self._cells, self._state, strict=True)]
        steppers = [s for s in found if s is not None]
        return steppers if len(steppers) == len(found) else None

    @property
    def state(self) -> State:
        """The state now, each (L, B, size) in the cell's order, as the layer gives it: a copy."""
        return self._layer.whole_state(self._copied())

    @state.setter
    def state(self, state: Tensor | Sequence[Tensor]) -> None:
        given = self._layer.flat_state(self._layer.check_state(state, self._like, self._step[0]))
        for k, own in enumerate(self._state):
            for mine, theirs in zip(own, given, strict=True):
                mine.copy_(theirs[k].detach())

    def reset(self, rows: Tensor | Sequence[int] | None = None) -> None:
        """Start anew: all rows of the batch, or those that `rows` names by index or mask."""
        where = slice(None) if rows is None else torch.as_tensor(rows)
        for own, fresh in zip(self._state, self._fresh, strict=True):
            for mine, start in zip(own, fresh, strict=True):
                mine[where] = start[where]

    def push(self, x: Tensor) -> Tensor:
        """Run over the next steps and return their outputs.

        x: (B, I), one step, gives (B, O); (T, B, I), several ((B, T, I) with the layer's
        `batch_first`), gives (T, B, O). Raises `ShapeError` for anything else.
        """
        like = self._like
        if not isinstance(x, Tensor):
            raise ArgumentTypeError(f"x must be a tensor, got {type(x).__name__}.")
        check_dense("x", x)
        if x.shape == self._step and x.dtype == like.dtype and x.device == like.device:
            return self._run(x) if self._is_short(x) else self._run(x.unsqueeze(0))[0]
        B, features = self._step
        batch_first = self._layer.batch_first
        fits = x.dim() == 3 and x.shape[2] == features and x.shape[0 if batch_first else 1] == B
        if not fits or x.dtype != self._like.dtype or x.device != self._like.device:
            axes = "(B, T, I)" if batch_first else "(T, B, I)"
            raise ShapeError(
                f"x must be of (B, I) = {self._step} or {axes}, {self._like.dtype} on "
                f"{self._like.device}; got {tuple(x.shape)}, {x.dtype} on {x.device}."
            )
        out = self._run(x.transpose(0, 1) if batch_first else x)
        return out.transpose(0, 1) if batch_first else out

    def _copied(self) -> State:
        states = [tuple(s.clone() for s in own) for own in self._state]
        return together(states)

    def _is_short(self, x: Tensor) -> bool:
        return self._steppers is not None and is_ordinary(x)

    def _run(self, x: Tensor) -> Tensor:
        if self._steppers and x.shape[0] and self._is_short(x):
            for each in self._steppers:
                x = each(x)
            return x
        with torch.no_grad():
            out, last = run_stack(self._cells, 1, x, self._copied())
        for k, own in enumerate(self._state):
            for mine, theirs in zip(own, last, strict=True):
                if torch._is_functional_tensor(theirs):
                    theirs = torch._from_functional_tensor(theirs)
                mine.copy_(theirs[k])
        return out


def open_stream(layer: "Recurrent", batch_size: int) -> Stream:
    """Return a stream of the layer; raises `ArgumentError` where it runs backwards in time too."""
    if layer.bidirectional:
        raise ArgumentError(
            "a bidirectional layer needs the end of the input before its beginning: it cannot "
            "run along a stream. Build the layer with bidirectional=False."
        )
    return Stream(layer, batch_size)
