"""A cell's program as ONNX: what is hoisted as one product, what is not as the body of a Scan."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recurra.cells.cell import Cell
from recurra.cells.foreign import Adapted
from recurra.errors import ExportError, TraceError
from recurra.export.graph import Graph, Port
from recurra.export.operations import OPERATIONS, Call
from recurra.program.hoist import hoist
from recurra.program.own_backward import forward_only
from recurra.program.program import Instruction, Program
from recurra.program.reference import meaning
from recurra.program.simplify import simplify
from recurra.program.trace import trace


@dataclass(frozen=True)
class Equations:
    """A cell to be written.

    program: in parts; arrays: by index its values that have no rows (weights, constants);
    name: of the cell's class, with its line.
    """

    program: Program
    arrays: dict[int, NDArray[Any]]
    dtype: np.dtype[Any]
    name: str


def equations_of(cell: Cell, dtype: torch.dtype) -> Equations:
    """Return a cell's equations; raises `ExportError` where they cannot be written down."""
    module = cell.module if isinstance(cell, Adapted) else cell
    name = f"{type(module).__name__} ({_line_of(module)})"
    if dtype not in (torch.float32, torch.float64):
        raise ExportError(f"{name} computes in {dtype}: convert it by .float() to export it.")
    try:
        traced = trace(cell, cell.input_size, cell.state_sizes, dtype)
    except TraceError as error:
        raise ExportError(f"{name} cannot be exported: {error}") from error
    if traced.randoms:
        raise ExportError(f"{name} draws random numbers at every step: that cannot be exported.")
    program = hoist(simplify(forward_only(traced.program)))
    tensors = {**dict(cell.named_parameters()), **dict(cell.named_buffers())}
    wide = np.dtype(str(dtype).removeprefix("torch."))
    arrays: dict[int, NDArray[Any]] = {
        i: np.asarray(v.number, wide) for i, v in enumerate(program.values) if v.number is not None
    }
    with torch.no_grad():
        leaves = [leaf.cpu().numpy() for leaf in traced.leaves(tensors)]
    arrays.update(zip(program.parameters, leaves, strict=True))
    with np.errstate(all="ignore"):
        for i in program.instructions():
            if all(v in arrays for v in i.inputs):  # it is the same for all rows and steps
                arrays[i.output] = meaning(program, i, arrays, wide)
    return Equations(program, arrays, wide, name)


def _line_of(module: nn.Module) -> str:
    code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
    where = code and f"{Path(code.co_filename).name}, line {code.co_firstlineno}"
    return where or "compiled"


class Writer:
    """Writes instructions into a graph.

    like: a value (..., n) there, whose leading axes all rows have; lead: how many those are;
    known: the names of values that are there already, by index.
    """

    def __init__(
        self, equations: Equations, graph: Graph, like: str, lead: int, known: dict[int, str]
    ) -> None:
        self.equations, self.graph, self.known = equations, graph, known
        self.like, self.lead = like, lead

    def operand(self, index: int) -> str:
        """Return the name of a value as it is."""
        if index in self.known:
            return self.known[index]
        return self.graph.constant(self.equations.arrays[index])

    def rows(self, index: int) -> str:
        """Return the name of a value with a row for each row of the batch."""
        if index in self.known:
            return self.known[index]
        lead = self.graph.add("Shape", self.like, start=0, end=self.lead)
        array = self.equations.arrays[index]
        shape = self.graph.join([lead, self.graph.numbers(array.shape[-1])], 0)
        return self.graph.add("Expand", self.graph.constant(array), shape)

    def write(self, instructions: Sequence[Instruction]) -> None:
        """Write instructions; raises `ExportError` for an op that ONNX has not."""
        for i in instructions:
            if i.output not in self.equations.arrays:
                self.known[i.output] = self._written(i)

    def _written(self, i: Instruction) -> str:
        equations = self.equations
        if i.op not in OPERATIONS:
            raise ExportError(f"{equations.name}: ONNX has no operation for {i.op!r}.")
        if i.op == "linear":
            weight = self.graph.constant(equations.arrays[i.inputs[1]].T)
            inputs = [self.rows(i.inputs[0]), weight]
        elif i.op in ("concat", "sum", "amax", "spread", "transpose", "matmul"):
            inputs = [self.rows(v) for v in i.inputs]
        else:
            inputs = [self.operand(v) for v in i.inputs]
        shapes = [equations.program.values[v].shape for v in i.inputs]
        sizes = [shape[-1] if shape else 0 for shape in shapes]
        attributes = dict(i.attributes)
        return OPERATIONS[i.op](
            Call(self.graph, inputs, sizes, attributes, equations.dtype, self.lead)
        )


def write_direction(
    graph: Graph,
    equations: Equations,
    x: str,
    state: Sequence[str],
    *,
    valid: str | None = None,
    reverse: bool = False,
) -> tuple[str, list[str]]:
    """Write a cell's run over time.

    Args:
        graph: where to.
        equations: the cell's.
        x: (T, B, I).
        state: each (B, size), to start from.
        valid: (T, B, 1) bool, which steps a row has; None for all.
        reverse: whether the steps run from the last to the first.

    Returns the outputs (T, B, O), zero where not valid, and the last states, as `recur` does.
    """
    program = equations.program
    every = Writer(equations, graph, x, 2, {program.inputs[0]: x})
    every.write(program.before)
    outside = set(every.known)
    loop = Loop(equations, every, state, valid, reverse)
    known, last = loop.write(_read(program, outside))
    every.known.update(known)
    every.write(program.after)
    out = every.rows(program.outputs[0])
    if valid is not None:
        out = graph.add("Where", valid, out, graph.constant(np.zeros((), equations.dtype)))
    return out, last


def _read(program: Program, outside: set[int]) -> list[int]:
    """Return what the loop reads of the steps' values that are there before it."""
    used = {v for i in program.loop for v in i.inputs} | set(program.new_states)
    return sorted(used & outside) or [program.inputs[0]]


class Loop:
    """The part of a program that runs step by step, as a Scan."""

    def __init__(
        self,
        equations: Equations,
        every: Writer,
        state: Sequence[str],
        valid: str | None,
        reverse: bool,
    ) -> None:
        self.equations, self.every, self.state = equations, every, state
        self.valid, self.reverse = valid, reverse
        self.body = Graph(outer=every.graph)

    def write(self, read: Sequence[int]) -> tuple[dict[int, str], list[str]]:
        """Write it; return the names of what it computed for all steps, and the last states."""
        equations, body, graph = self.equations, self.body, self.every.graph
        program = equations.program
        known = {v: self._enter(v, "state") for v in program.states}
        known |= {v: self._enter(v, "step") for v in read}
        scanned = [self.every.known[v] for v in read]
        valid = None
        if self.valid is not None:
            valid = body.take(Port(body.name("valid"), np.dtype(bool), ("B", 1)))
            scanned.append(self.valid)
        step = Writer(equations, body, known[read[0]], 1, known)
        step.write(program.loop)
        for v in program.new_states:
            self._leave(v, step, valid)
        kept = self._kept()
        for v in kept:
            self._give(v, step.operand(v))
        directions = [int(self.reverse)]
        outputs = graph.add_several(
            "Scan",
            [*self.state, *scanned],
            len(self.state) + len(kept),
            body=body.proto(body.name("step")),
            num_scan_inputs=len(scanned),
            scan_input_directions=directions * len(scanned),
            scan_output_directions=directions * len(kept),
        )
        count = len(self.state)
        return dict(zip(kept, outputs[count:], strict=True)), outputs[:count]

    def _enter(self, v: int, stem: str) -> str:
        size = self.equations.program.values[v].size
        port = Port(self.body.name(stem), self.equations.dtype, ("B", size))
        return self.body.take(port)

    def _leave(self, v: int, step: Writer, valid: str | None) -> None:
        """Make a new state an output of the step; a row past its end keeps the one it has."""
        new = step.rows(v)
        if valid is not None:
            old = self.body.inputs[len(self.body.outputs)].name  # states come first in both
            new = self.body.add("Where", valid, new, old)
        self._give(v, new)

    def _give(self, v: int, name: str) -> None:
        size = self.equations.program.values[v].size
        self.body.give(name, Port(self.body.name("new"), self.equations.dtype, ("B", size)))

    def _kept(self) -> list[int]:
        """Return what of the loop's values is read after it."""
        program = self.equations.program
        made = {*program.states, *(i.output for i in program.loop)}
        used = {v for i in program.after for v in i.inputs} | set(program.outputs)
        return sorted(used & made - set(self.equations.arrays))
