"""A recurrent layer run on from the states of many streams."""

from collections.abc import Sequence
from threading import Lock

import torch
from torch import Tensor

from recurra.cells.like import zeros_like_of
from recurra.layers import Recurrent
from recurra.layers.stream import Stream
from recurra.tasks.streaming.reader import Kept, State

_SHORT = 64  # rows that go in turns through steppers, whose weights are packed beforehand
_TURNS = (16, 8, 4, 2, 1)
_LARGEST = 2**21  # numbers of a layer; the weights of a larger one are not packed five times


class RunningLayer:
    """Runs a layer over the next steps of B streams.

    A call of the layer costs as much as some dozen rows; few rows that all have as many steps are
    pushed by steppers instead, which gives the same bits.
    """

    def __init__(self, layer: Recurrent) -> None:
        layer.states().check_even("a stream of a model")
        self._layer = layer
        self._names = [f"layer.{name}" for name in layer.state_sizes]
        self._steppers: dict[int, Stream] = {}
        self._lock = Lock()
        self._like = like = zeros_like_of(layer.cell_list()[0])
        small = sum(p.numel() for p in layer.parameters()) <= _LARGEST
        self._has_short_way = small and like.device.type == "cpu"

    def start(self) -> State:
        """Return the layer's state at the beginning of one stream, each flat: (L, size)."""
        fresh = self._layer.flat_state(self._layer.fresh_state(self._like, 1))
        return {n: s[:, 0].detach().clone() for n, s in zip(self._names, fresh, strict=True)}

    def run(self, x: Tensor, kept: Kept, lengths: Sequence[int]) -> Tensor:
        """Return the outputs (T, B, O) for x (T, B, I), and keep the states after them."""
        states = [kept.fixed[name] for name in self._names]  # (B, L, size)
        T, B, _ = x.shape
        even = min(lengths) == T
        if even and B <= _SHORT and self._has_short_way:
            out, last = self._run_short(x, states)
        else:
            start = self._layer.whole_state(tuple(s.to(x).transpose(0, 1) for s in states))
            given = None if even else torch.tensor(lengths, device=x.device)
            out, new = self._layer(x, start, given)
            last = [state.transpose(0, 1) for state in self._layer.flat_state(new)]
        kept.fixed.update(zip(self._names, last, strict=True))
        return out

    def _run_short(self, x: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        B = x.shape[1]
        outs: list[Tensor] = []
        lasts: list[list[Tensor]] = [[] for _ in states]
        first = 0
        with self._lock:
            while first < B:
                rows = next(n for n in _TURNS if n <= B - first)
                if rows not in self._steppers:
                    self._steppers[rows] = self._layer.stream(rows)
                stepper, part = self._steppers[rows], slice(first, first + rows)
                now = tuple(state[part].transpose(0, 1) for state in states)
                stepper.state = self._layer.whole_state(now)
                outs.append(stepper.push(x[:, part]))
                last = self._layer.flat_state(stepper.state)
                for all_rows, new in zip(lasts, last, strict=True):
                    all_rows.append(new.transpose(0, 1))
                first += rows
        if len(outs) == 1:
            return outs[0], [rows[0] for rows in lasts]
        return torch.cat(outs, 1), [torch.cat(rows) for rows in lasts]
