"""Turns a program into the program of its gradients, by the op table's derivatives alone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from recurra.errors import ProgramError
from recurra.program.assemble import Piece, add_all, assemble
from recurra.program.clip import clipped
from recurra.program.dependence import needed
from recurra.program.emitter import Emitter
from recurra.program.hoist import hoist
from recurra.program.ops import find_op
from recurra.program.own_backward import OwnBackward, take_apart
from recurra.program.peephole import RULES, slice_of, span
from recurra.program.program import Instruction, Program, Role, Value
from recurra.program.saving import choose_saved
from recurra.program.simplify import tidy
from recurra.program.term import Term


@dataclass(frozen=True)
class Adjoint:
    """The gradients of a program, as a program that runs from the last step to the first.

    program: its inputs are the gradients of each output, then the saved forward values; its
        states are the gradients of the forward states (before the last step: of the new states);
        its outputs are gradients of inputs; its sums are gradients of weights.
    saved: the forward values it reads, inputs, states as they enter the step, or results.
    inputs: the forward inputs whose gradients its outputs are. Others have none.
    weights: the forward parameters, or results of the forward `setup`, whose gradients its sums
        are. A matrix that is there twice gets the sum of both; what is not there has none.
    parameters: the forward parameters, or results of the forward `setup`, that its own are.
    """

    program: Program
    saved: tuple[int, ...]
    inputs: tuple[int, ...]
    weights: tuple[int, ...]
    parameters: tuple[int, ...]


def differentiate(
    program: Program, needs: Sequence[bool] | None = None, clip_states: float | None = None
) -> Adjoint:
    """Return the adjoint of a simplified program, in its parts or not.

    needs: for each input whether it needs a gradient; all do if it is None.
    clip_states: the norm to which each row's gradient of a state is cut as it leaves a step for
        the one before; None leaves it.

    Raises ProgramError if the program has sums: an adjoint has no adjoint.
    """
    if program.sums:
        raise ProgramError(f"a program with sums ({program.sums[0].op}) has no adjoint.")
    needs = [True] * len(program.inputs) if needs is None else needs
    if len(needs) != len(program.inputs):
        raise ProgramError(f"needs has {len(needs)} flags for {len(program.inputs)} inputs.")
    wanted = [i for i, need in zip(program.inputs, needs, strict=True) if need]
    return Backward(program, wanted, clip_states).adjoint(wanted)


class Backward:
    """An adjoint that is being written, from the forward program's end to its beginning."""

    def __init__(self, program: Program, wanted: Sequence[int], clip_states: float | None) -> None:
        self.program = program
        self.most = clip_states
        self.emitter = Emitter(RULES)
        self.active = find_active(program, wanted)
        self.pieces: dict[int, list[Piece]] = defaultdict(list)
        self.vectors: dict[int, list[int]] = defaultdict(list)
        self.weights: list[int] = []
        # By the index of a forward value, what stands for it here.
        self.read: dict[int, int] = {}
        add = self.emitter.add
        self.d_outputs = [add(self.gradient_value(i, "input")) for i in program.outputs]
        self.d_states = [add(self.gradient_value(i, "state")) for i in program.states]

    def gradient_value(self, index: int, role: Role) -> Value:
        """Return what holds the gradient of a forward value that comes from outside."""
        value = self.program.values[index]
        return Value(value.shape, role, value.rows, f"d {value.name}" if value.name else "")

    def forward(self, index: int) -> Term:
        """Return what stands for a forward value."""
        if index not in self.read:
            value = self.program.values[index]
            if value.number is not None:
                self.read[index] = self.emitter.constant(value.number)
            else:
                role: Role = "input" if value.rows else "parameter"
                self.read[index] = self.emitter.add(replace(value, role=role))
        return self.emitter.term(self.read[index])

    def adjoint(self, wanted: Sequence[int]) -> Adjoint:
        """Write all of it: `wanted` are the inputs to give gradients of."""
        program, emitter = self.program, self.emitter
        ends = (*program.outputs, *program.new_states)
        for index, given in zip(ends, (*self.d_outputs, *self.d_states), strict=True):
            self.receive(index, given)
        for instruction in reversed([*program.before, *program.loop, *program.after]):
            gradient = self.gradient_of(instruction.output)
            if gradient is not None:
                self.derive(instruction, gradient)
        for index, gradients in self.vectors.items():
            emitter.apply("total", [add_all(emitter, gradients)])
            self.weights.append(index)
        found = {index: self.gradient_of(index) for index in (*wanted, *program.states)}
        outputs = {i: d for i, d in found.items() if d is not None and i in wanted}
        new_states = [
            emitter.apply("zeros", [], size=program.values[i].size) if d is None else self.cut(d)
            for i, d in ((i, found[i]) for i in program.states)
        ]
        return self.finish(outputs, new_states)

    def cut(self, gradient: int) -> int:
        """Return the gradient of a state as it leaves the step."""
        if self.most is None:
            return gradient
        return clipped(self.emitter.term(gradient), self.most).index

    def receive(self, index: int, gradient: int, start: int = 0) -> None:
        """Take a gradient of the features of a forward value from `start` on."""
        if index in self.active:
            stop = start + self.emitter.values[gradient].size
            self.pieces[index].append(Piece(start, stop, gradient))

    def gradient_of(self, index: int) -> int | None:
        """Return the sum of what a forward value has received, None for nothing."""
        size = self.program.values[index].size
        return assemble(self.emitter, size, self.pieces[index])

    def derive(self, instruction: Instruction, gradient: int) -> None:
        """Give each operand of an instruction its gradient."""
        if instruction.op == "slice":
            start, _, _ = span(dict(instruction.attributes))
            self.receive(instruction.inputs[0], gradient, start)
        elif instruction.op == "concat":
            start = 0
            for index in instruction.inputs:
                stop = start + self.program.values[index].size
                self.receive(index, slice_of(self.emitter, gradient, start, stop))
                start = stop
        elif instruction.op == "own_backward":
            self.follow(take_apart(self.program, instruction), gradient)
        else:
            row = find_op(instruction.op)
            assert row.derive is not None, f"{row.name} is a sum"
            y, operands = self.forward(instruction.output), map(self.forward, instruction.inputs)
            d, attributes = self.emitter.term(gradient), dict(instruction.attributes)
            given = row.derive(d, y, *operands, **attributes)
            for index, term in zip(instruction.inputs, given, strict=True):
                if term is not None:
                    self.give(index, term.index)

    def follow(self, own: OwnBackward, gradient: int) -> None:
        """Give operands the gradients that the cell itself says."""

        def apply(i: Instruction, operands: list[int]) -> int:
            return self.emitter.apply(i.op, operands, **dict(i.attributes))

        for index, d in own.follow(gradient, apply, lambda v: self.forward(v).index):
            self.receive(index, d)

    def give(self, index: int, gradient: int) -> None:
        """Give an operand its gradient: to a row, a matrix (a sum already) or a vector."""
        value = self.program.values[index]
        if value.rows:
            self.receive(index, gradient)
        elif len(value.shape) == 2:
            self.weights.append(index)
        elif value.number is None:
            self.vectors[index].append(gradient)

    def finish(self, outputs: dict[int, int], new_states: Sequence[int]) -> Adjoint:
        """Choose what is saved, write what is made again, and put the program in its parts."""
        emitter, forward = self.emitter, self.program
        draft = Program(
            values=tuple(emitter.values),
            inputs=tuple(self.d_outputs),
            states=tuple(self.d_states),
            parameters=(),
            outputs=tuple(outputs.values()),
            new_states=tuple(new_states),
            setup=tuple(emitter.setup),
            loop=tuple(emitter.rows),
            sums=tuple(emitter.sums),
        )
        live = needed(draft, draft.results())
        kept, again = choose_saved(
            forward, {i for i, own in self.read.items() if own in live and forward.values[i].rows}
        )
        rerun = [self.made_again(instruction) for instruction in again]
        draft = replace(draft, values=tuple(emitter.values), loop=(*rerun, *draft.loop))
        live = needed(draft, draft.results())
        saved = sorted(kept)
        parameters = sorted(
            i
            for i, own in self.read.items()
            if own in live and draft.values[own].role == "parameter"
        )
        program = replace(
            draft,
            inputs=(*self.d_outputs, *(self.read[i] for i in saved)),
            parameters=tuple(self.read[i] for i in parameters),
        )
        return Adjoint(
            program=hoist(tidy(program), pointwise=False),
            saved=tuple(saved),
            inputs=tuple(outputs),
            weights=tuple(self.weights),
            parameters=tuple(parameters),
        )

    def made_again(self, instruction: Instruction) -> Instruction:
        """Return a forward instruction as one of the adjoint's."""
        inputs = tuple(self.forward(i).index for i in instruction.inputs)
        output = self.forward(instruction.output).index
        self.emitter.values[output] = replace(self.emitter.values[output], role="result")
        return Instruction(instruction.op, inputs, output, instruction.attributes)


def find_active(program: Program, wanted: Sequence[int]) -> set[int]:
    """Return the values a gradient has to reach: on a way from what is wanted, or a parameter."""
    active = {*wanted, *program.states, *program.parameters}
    for instruction in program.instructions():
        if active.intersection(instruction.inputs):
            active.add(instruction.output)
    return active
