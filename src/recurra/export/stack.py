"""A recurrent layer as ONNX: layers over layers, one or two directions each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from recurra.cells.cell import Cell
from recurra.cells.like import zeros_like_of
from recurra.errors import ExportError
from recurra.export.equations import equations_of, write_direction
from recurra.export.graph import Graph, Port
from recurra.layers import GRU, LSTM, RNN, Recurrent

DROP_INS = (RNN, LSTM, GRU)
Layer = Recurrent | RNN | LSTM | GRU


def cells_of(layer: Layer) -> tuple[Cell, ...]:
    """Return a layer's cells with its weights: layer 0 forward, layer 0 backward, layer 1 ..."""
    return tuple(layer.cell_list() if isinstance(layer, Recurrent) else layer._cells())


@dataclass(frozen=True)
class Stack:
    """What a recurrent layer consists of.

    cells: layer 0 forward, layer 0 backward, layer 1 forward, ...; states: each one's shape for a
    row; fresh: for each state what it starts from, (L·D, *shape); dtype: of the numbers.
    """

    cells: tuple[Cell, ...]
    directions: int
    states: dict[str, tuple[int, ...]]
    fresh: tuple[torch.Tensor, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, layer: Layer) -> "Stack":
        """Read a layer."""
        cells = cells_of(layer)
        dtype = zeros_like_of(cells[0]).dtype if cells else torch.float32
        if isinstance(layer, Recurrent):
            _check_states(layer)
            like = torch.zeros((), dtype=dtype)
            states = {name: kinds[0].shape for name, kinds in layer.states().kinds.items()}
            fresh = tuple(s[:, 0].detach().cpu() for s in layer.fresh_state(like, 1))
            return cls(cells, layer.directions, states, fresh, dtype)
        states = {name: (size,) for name, size in cells[0].state_sizes.items()}
        fresh = tuple(torch.zeros(len(cells), *n, dtype=dtype) for n in states.values())
        return cls(cells, 2 if layer.bidirectional else 1, states, fresh, dtype)

    @property
    def learned(self) -> bool:
        """Whether there is a state to start from that is not zero."""
        return any(bool(fresh.count_nonzero()) for fresh in self.fresh)

    @property
    def numpy_dtype(self) -> "np.dtype[np.float32] | np.dtype[np.float64]":
        """The dtype as NumPy calls it."""
        return np.dtype(np.float32) if self.dtype == torch.float32 else np.dtype(np.float64)

    def state_ports(self, prefix: str) -> list[Port]:
        """Return a port for each state, (L·D, B, *shape)."""
        first = "start in the notes" if self.learned else "zeros"
        about = {
            "state": f"the state to go on from, at first {first}",
            "new": "the state after the last step",
        }
        return [
            Port(
                f"{prefix}_{name}",
                self.numpy_dtype,
                (len(self.cells), "B", *shape),
                f"{about[prefix]}: {name}",
                low=0.5,  # of one sign: a sum of positive terms may be among the states
                high=1.0,
            )
            for name, shape in self.states.items()
        ]


def write_stack(
    graph: Graph,
    stack: Stack,
    x: str,
    *,
    state: Sequence[str] | None = None,
    lengths: str | None = None,
) -> tuple[str, list[str]]:
    """Write a layer's run.

    Args:
        graph: where to.
        stack: the layer.
        x: (T, B, I).
        state: each (L·D, B, *shape), to start from; None for the layer's own.
        lengths: (B,) int64; None for all steps.

    Returns the outputs (T, B, D·O) and the last states, each (L·D, B, *shape).
    """
    valid = None if lengths is None else write_valid(graph, x, lengths)
    last: list[list[str]] = []
    for layer in range(len(stack.cells) // stack.directions):
        outputs = []
        for direction in range(stack.directions):
            k = layer * stack.directions + direction
            out, end = write_direction(
                graph,
                equations_of(stack.cells[k], stack.dtype),
                x,
                _start(graph, stack, k, x, state),
                valid=valid,
                reverse=direction == 1,
            )
            outputs.append(out)
            whole = [_shaped(graph, s, n) for s, n in zip(end, stack.states.values(), strict=True)]
            last.append([graph.add("Unsqueeze", s, graph.numbers(0)) for s in whole])
        x = graph.join(outputs, -1)
    return x, [graph.join(s, 0) for s in zip(*last, strict=True)]


def write_valid(graph: Graph, x: str, lengths: str) -> str:
    """Write which steps rows of x (T, B, ...) have: (T, B, 1) bool."""
    T = graph.add("Squeeze", graph.axis_size(x, 0))
    time = graph.add("Range", graph.constant(0, np.int64), T, graph.constant(1, np.int64))
    before = graph.add("Less", graph.add("Unsqueeze", time, graph.numbers(1)), lengths)
    return graph.add("Unsqueeze", before, graph.numbers(2))


def _start(graph: Graph, stack: Stack, k: int, x: str, state: Sequence[str] | None) -> list[str]:
    """Return what cell k starts from, each (B, size)."""
    if state is not None:
        own = [graph.add("Gather", s, graph.constant(k, np.int64), axis=0) for s in state]
        return [
            s if len(shape) == 1 else graph.add("Reshape", s, graph.numbers(-1, math.prod(shape)))
            for s, shape in zip(own, stack.states.values(), strict=True)
        ]
    starts = []
    for fresh in stack.fresh:
        row = fresh[k].flatten().numpy()
        shape = graph.join([graph.axis_size(x, 1), graph.numbers(len(row))], 0)
        starts.append(graph.add("Expand", graph.constant(row), shape))
    return starts


def _shaped(graph: Graph, state: str, shape: tuple[int, ...]) -> str:
    """Return a state (B, size) as (B, *shape)."""
    return state if len(shape) == 1 else graph.add("Reshape", state, graph.numbers(-1, *shape))


def _check_states(layer: Recurrent) -> None:
    """Raise `ExportError` where a layer has states that a graph cannot take and give."""
    states = layer.states()
    for name in states.uneven:
        sizes = ", ".join(map(str, states.kinds[name]))
        raise ExportError(
            f"the state {name!r} is not of one size in all layers ({sizes}): such a stack cannot "
            "be exported; export its layers one by one, as Recurrent of one layer each."
        )
    for name, kinds in states.kinds.items():
        if kinds[0].is_complex:
            raise ExportError(
                f"the state {name!r} is complex, which the operations of ONNX are not: write the "
                "cell with two real states to export it."
            )


def lengths_port(least: int = 0) -> Port:
    """Return the input of rows' steps."""
    return Port("lengths", np.dtype(np.int64), ("B",), "how many steps each row has", least, "T")


def check_streaming(directions: int) -> None:
    """Raise `ExportError` where a layer cannot run along a stream."""
    if directions == 2:
        raise ExportError(
            "a bidirectional layer needs the end of the input before its beginning: it cannot be "
            "exported with streaming=True."
        )
