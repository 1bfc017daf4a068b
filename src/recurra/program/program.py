"""A cell's equations as data: values, and the instructions that make one from another."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["input", "state", "parameter", "constant", "result"]
Number = int | float
Attribute = int | float | bool | str


@dataclass(frozen=True)
class Value:
    """One value of a program.

    shape: () for a constant; (n,) for the n features a row has, or for a vector of parameters;
    (n, k) for a matrix of parameters. The batch axis is never part of it.
    rows: whether each row of the batch has its own (inputs, states and what depends on them).
    number: what a constant is.
    """

    shape: tuple[int, ...]
    role: Role
    rows: bool
    name: str = ""
    number: Number | None = None

    @property
    def size(self) -> int:
        """Return the number of features of a row or a vector."""
        (n,) = self.shape
        return n


@dataclass(frozen=True)
class Instruction:
    """`output = op(*inputs)`: values are named by their index in the program.

    attributes: what else the op needs, by name, in the order of the names.
    """

    op: str
    inputs: tuple[int, ...]
    output: int
    attributes: tuple[tuple[str, Attribute], ...] = ()

    def attribute(self, name: str) -> Attribute:
        """Return the attribute called `name`."""
        return dict(self.attributes)[name]


@dataclass(frozen=True)
class Program:
    """One step of a cell, as instructions in single-assignment form.

    inputs: what each step is given (x, then what is drawn at random for each step).
    states: the states as they enter the step; new_states: as they leave it, in the same order.
    parameters: the tensors that do not change over time.
    outputs: what each step gives out.
    setup: instructions on parameters only, run once a call.
    before: on all steps at once, before the loop; loop: step by step; after: on all steps, after
    the loop. `trace` puts every instruction in `loop`; `hoist` moves those that need not be there.
    sums: instructions whose results are summed over all rows and steps (gradients of parameters).
    """

    values: tuple[Value, ...]
    inputs: tuple[int, ...]
    states: tuple[int, ...]
    parameters: tuple[int, ...]
    outputs: tuple[int, ...]
    new_states: tuple[int, ...]
    loop: tuple[Instruction, ...]
    before: tuple[Instruction, ...] = ()
    after: tuple[Instruction, ...] = ()
    setup: tuple[Instruction, ...] = ()
    sums: tuple[Instruction, ...] = ()

    def instructions(self) -> Iterator[Instruction]:
        """Yield every instruction, in the order in which they run."""
        for part in (self.setup, self.before, self.loop, self.after, self.sums):
            yield from part

    def results(self) -> tuple[int, ...]:
        """Return what must be computed: outputs, new states and sums."""
        return (*self.outputs, *self.new_states, *(i.output for i in self.sums))


@dataclass
class Builder:
    """Collects the values and instructions of a program that is being written."""

    values: list[Value] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)

    def add(self, value: Value) -> int:
        """Add a value and return its index."""
        self.values.append(value)
        return len(self.values) - 1

    def constant(self, number: Number) -> int:
        """Add a constant and return its index."""
        return self.add(Value((), "constant", False, number=number))

    def emit(
        self, op: str, inputs: Iterable[int], shape: tuple[int, ...], **attributes: Attribute
    ) -> int:
        """Add an instruction on rows (or, if all its inputs are parameters, on parameters)."""
        inputs = tuple(inputs)
        rows = any(self.values[i].rows for i in inputs)
        output = self.add(Value(shape, "result", rows))
        named = tuple(sorted(attributes.items()))
        self.instructions.append(Instruction(op, inputs, output, named))
        return output
