"""Writes a program: flat values for rows of any shape, and parameters taken from the recipe."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recurra.program.program import Attribute, Builder, Instruction, Number, Value
from recurra.program.trace_leaves import Named
from recurra.program.trace_randoms import Random
from recurra.program.trace_refusal import refusal
from recurra.program.trace_steps import Leaves
from recurra.program.trace_strides import moves_to
from recurra.program.trace_symbol import (
    BatchSize,
    Leaf,
    Row,
    new_row,
)
from recurra.program.trace_types import result_kind

Operand = Row | Leaf | Number
Positions = npt.NDArray[np.intp]

MOST_PIECES = 2048
MANY_PIECES = 4  # more are moved by ops on all features at once, where there are such


def count(trailing: Sequence[int]) -> int:
    """Return the number of features in a shape."""
    n = 1
    for size in trailing:
        n *= size
    return n


def broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape that the trailing shapes broadcast to."""
    first = shapes[0]
    if all(shape == first for shape in shapes):
        return first
    try:
        return tuple(np.broadcast_shapes(*shapes))
    except ValueError as error:
        seen = " and ".join(map(str, shapes))
        raise refusal(f"features of {seen} do not broadcast") from error


class Writer(Leaves):
    """A program and a recipe that are being written.

    dtype, device: what x and the states are. batch: what stands for the batch size.
    """

    def __init__(
        self, dtype: torch.dtype, device: torch.device, batch: BatchSize, base: Tensor
    ) -> None:
        super().__init__(device, base)
        self.dtype, self.batch = dtype, batch
        self.builder = Builder()
        self.parameters: list[int] = []
        self.wanted: list[int] = []
        self.randoms: list[Random] = []
        self.inputs: list[int] = []
        self._constants: dict[tuple[type, str], int] = {}
        self._vectors: dict[tuple[int, tuple[int, ...]], int] = {}

    # Values

    def enter(self, role: Any, trailing: tuple[int, ...], name: str) -> Row:
        """Return a new input or state."""
        index = self.builder.add(Value((count(trailing),), role, True, name))
        if role == "input":
            self.inputs.append(index)
        row = new_row(self, trailing, index, self.dtype)
        row.memory.caller = name
        return row

    def random(self, random: Random, trailing: tuple[int, ...], kind: torch.dtype) -> Row:
        """Return a new input that is drawn at random for each row and step."""
        self.randoms.append(random)
        row = self.enter("input", trailing, random.kind)
        row.kind, row.memory.caller = kind, ""
        return row

    def row(self, trailing: tuple[int, ...], index: int, kind: torch.dtype | None = None) -> Row:
        """Return a symbol for a value."""
        return new_row(self, trailing, index, kind or self.dtype)

    def constant(self, number: Number) -> int:
        """Return the index of a number."""
        if isinstance(number, bool):
            number = int(number)
        elif number != number:
            number = math.nan  # one NaN, so that programs compare equal
        key = (type(number), repr(number))
        if key not in self._constants:
            self._constants[key] = self.builder.constant(number)
        return self._constants[key]

    def full(self, trailing: tuple[int, ...], number: Number, kind: torch.dtype) -> Row:
        """Return a row symbol whose every feature is one number."""
        return self.row(trailing, self.constant(number), kind)

    def emit(self, op: str, inputs: Sequence[int], size: int, **attributes: Attribute) -> int:
        """Write an instruction that gives `size` features."""
        return self.builder.emit(op, inputs, (size,), **attributes)

    def number_of(self, row: Row) -> Number | None:
        """Return the number that all features of a row are, if that is known."""
        return self.builder.values[row.value].number

    def materialise(self, row: Row) -> int:
        """Return a value with rows for a row symbol that may be a constant or a parameter."""
        if self.builder.values[row.value].rows:
            return row.value
        size = count(row.trailing)
        zeros = self.builder.add(Value((size,), "result", True))
        self.builder.instructions.append(Instruction("zeros", (), zeros, (("size", size),)))
        if repr(self.number_of(row)) in ("0", "0.0", "False"):
            return zeros
        return self.emit("sub", (row.value, zeros), size)  # -0 - 0 is -0, and NaN stays

    def current(self, row: Row) -> int:
        """Return the value of a row whose memory has been written to since it was last read."""
        memory = row.memory
        if memory.torn:
            raise refusal(memory.torn)
        value = memory.value
        if row.place is not None:
            whole = self.row((memory.size,), value, row.kind)
            value = self.arrange([whole], row.place.features).value
        if row.detached and self.builder.values[value].rows:
            value = self.emit("detach", (value,), count(row.trailing))
        return value

    # Operands

    def lift(self, value: object) -> Operand:
        """Return an operand for what the user's code works with: a symbol or a number."""
        if isinstance(value, Row | Leaf):
            if value.recorder is not self:
                raise refusal("the cell uses a value of another call")
            return value
        if isinstance(value, BatchSize):
            raise refusal("the cell computes with the size of the batch")
        if isinstance(value, int | float):
            return value
        if isinstance(value, Tensor):
            plain = value.dim() == 0 and not value.requires_grad
            if plain and id(value) in self.created and not value.is_complex():
                number: Number = value.item()
                return number
            return self.hold(value)
        if isinstance(value, np.generic) and isinstance(value.item(), int | float):
            item: Number = value.item()
            return item
        raise refusal(f"a {type(value).__name__} among tensors")

    def fit(self, row: Row, trailing: tuple[int, ...]) -> int:
        """Return the index of a row symbol's value, broadcast."""
        if row.trailing == trailing or self.number_of(row) is not None:
            return row.value
        positions = np.arange(count(row.trailing)).reshape(row.trailing)
        return self.arrange([row], np.broadcast_to(positions, trailing)).value

    def pointwise(self, op: str, *values: object, kind: torch.dtype | None = None) -> Row:
        """Write an instruction that works on each feature by itself; operands broadcast."""
        operands = [self.lift(value) for value in values]
        rows = [operand for operand in operands if isinstance(operand, Row)]
        if not rows:
            raise refusal(f"{op} of tensors that are the same for all rows")
        if len({len(row.trailing) for row in rows}) > 1:
            shapes = " and ".join(str(("B", *row.trailing)) for row in rows)
            raise refusal(f"shapes {shapes} mix rows of the batch")
        kind = kind or result_kind(op, operands, self.dtype)
        axes = len(rows[0].trailing)
        shapes_seen = [row.trailing for row in rows]
        shapes_seen += [
            self.without_batch(o, axes) for o in operands if isinstance(o, Leaf) and o.meta.dim()
        ]
        trailing = broadcast(shapes_seen)
        indices = [self.index_of(operand, trailing) for operand in operands]
        if not any(self.builder.values[index].rows for index in indices):
            first = next(i for i, operand in enumerate(operands) if isinstance(operand, Row))
            indices[first] = self.materialise(self.row(trailing, indices[first]))
        return self.row(trailing, self.emit(op, indices, count(trailing)), kind)

    def index_of(self, operand: Operand, trailing: tuple[int, ...]) -> int:
        """Return the index of an operand of a pointwise op."""
        if isinstance(operand, Row):
            return self.fit(operand, trailing)
        if isinstance(operand, Leaf):
            return self.vector(operand, trailing)
        return self.constant(operand)

    def without_batch(self, leaf: Leaf, axes: int) -> tuple[int, ...]:
        """Return the trailing shape of a leaf that is to be broadcast over the batch."""
        shape = tuple(leaf.meta.shape)
        lead, trailing = shape[: max(len(shape) - axes, 0)], shape[max(len(shape) - axes, 0) :]
        if lead not in ((), (1,)):
            raise refusal(f"a parameter of {shape} beside rows of {('B', *['k'] * axes)}")
        return trailing

    # Moving features

    def arrange(self, rows: Sequence[Row], positions: Positions) -> Row:
        """Return the features at `positions` of the rows, one behind another."""
        trailing, flat = positions.shape, positions.ravel()
        kind = rows[0].kind
        if flat.size == 0:
            raise refusal("a tensor without features")
        if len(rows) == 1 and self.number_of(rows[0]) is not None:
            return self.row(trailing, rows[0].value, kind)
        return self.row(trailing, self._take(rows, flat), kind)

    def _take(self, rows: Sequence[Row], flat: Positions) -> int:
        size = flat.size
        breaks = np.flatnonzero(np.diff(flat) != 1) + 1
        if len(breaks) >= MANY_PIECES or (flat[1:] == flat[:-1]).any():
            moved = self._move(rows, flat)
            if moved is not None:
                return moved
        again = np.flatnonzero(flat[1:] == flat[0])
        if len(again) and size % (period := int(again[0]) + 1) == 0:
            tiled = flat.reshape(-1, period)
            if (tiled == tiled[0]).all():
                return self.emit("concat", [self._take(rows, tiled[0])] * len(tiled), size)
        ends = np.cumsum([count(row.trailing) for row in rows])
        pieces: list[int] = []
        for run in np.split(flat, breaks):
            start, stop = int(run[0]), int(run[-1]) + 1
            while start < stop:
                source = int(np.searchsorted(ends, start, side="right"))
                end = int(ends[source])
                first = end - count(rows[source].trailing)
                pieces.append(self.slice(rows[source], start - first, min(stop, end) - first))
                start = min(stop, end)
            if len(pieces) > MOST_PIECES:
                raise refusal(f"it moves features in more than {MOST_PIECES} pieces")
        return pieces[0] if len(pieces) == 1 else self.emit("concat", pieces, size)

    def _move(self, rows: Sequence[Row], flat: Positions) -> int | None:
        """Return the features at `flat` by ops on all of them at once, None where none do it."""
        sizes = [count(row.trailing) for row in rows]
        moves = moves_to(flat, sum(sizes))
        if moves is None:
            return None
        values = [self.materialise(row) for row in rows]
        value = values[0] if len(values) == 1 else self.emit("concat", values, sum(sizes))
        for op, size, attributes in moves.steps:
            value = self.emit(op, (value,), size, **attributes)
        return value

    def slice(self, row: Row, start: int, stop: int) -> int:
        """Return the value of some consecutive features of a row."""
        value = self.materialise(row)
        if start == 0 and stop == count(row.trailing):
            return value
        return self.emit("slice", (value,), stop - start, start=start, stop=stop)

    # Parameters

    def vector(self, leaf: Leaf, trailing: tuple[int, ...]) -> int:
        """Return the index of a leaf as a vector of parameters, broadcast to `trailing`."""
        key = (leaf.node, trailing)
        if key not in self._vectors:
            wanted = (*[1] * (leaf.meta.dim() - len(trailing)), *trailing)
            if leaf.meta.shape != wanted:
                leaf = self.on_leaves(Tensor.expand, (leaf, wanted), {})
            if leaf.meta.dim() != 1:
                leaf = self.on_leaves(Tensor.reshape, (leaf, (count(trailing),)), {})
            self._vectors[key] = self._parameter(leaf)
        return self._vectors[key]

    def matrix(self, leaf: Leaf) -> int:
        """Return the index of a leaf of shape (n, k) as a matrix of parameters."""
        key = (leaf.node, (-1, -1))
        if key not in self._vectors:
            self._vectors[key] = self._parameter(leaf)
        return self._vectors[key]

    def _parameter(self, leaf: Leaf) -> int:
        if leaf.meta.dtype != self.dtype:
            leaf = self.on_leaves(Tensor.to, (leaf, self.dtype), {})
        step = self.steps[leaf.node]
        name = step.name if isinstance(step, Named) else ""
        index = self.builder.add(Value(tuple(leaf.meta.shape), "parameter", False, name))
        self.parameters.append(index)
        self.wanted.append(leaf.node)
        return index
