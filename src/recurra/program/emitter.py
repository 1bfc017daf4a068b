"""Writes a program anew, simplifying every instruction as it is written."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from recurra.program.dependence import needed
from recurra.program.ops import find_op
from recurra.program.program import Attribute, Instruction, Number, Program, Value
from recurra.program.term import Term

Attributes = dict[str, Attribute]
Rule = Callable[["Emitter", tuple[int, ...], Attributes], int | None]
Rules = Mapping[str, Sequence[Rule]]
Plan = Mapping[int, Callable[["Emitter", Callable[[int], int]], int]]

COMMUTATIVE = ("add", "mul")


class Emitter:
    """Collects values and instructions; an instruction that is there already is not repeated.

    rules: for an op, functions that may return a value which stands for the result; the first
        that returns one is followed.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.values: list[Value] = []
        self.setup: list[Instruction] = []
        self.rows: list[Instruction] = []
        self.sums: list[Instruction] = []
        self.made: dict[int, Instruction] = {}
        self._seen: dict[object, int] = {}

    def add(self, value: Value) -> int:
        """Add a value and return its index."""
        self.values.append(value)
        return len(self.values) - 1

    def constant(self, number: Number) -> int:
        """Return the index of a constant (-0.0 is not 0.0)."""
        key = repr(float(number))
        if key not in self._seen:
            self._seen[key] = self.add(Value((), "constant", False, number=number))
        return self._seen[key]

    def term(self, index: int) -> Term:
        """Return a value as a Term, for formulas."""
        return Term(self, index)

    def apply(self, op: str, inputs: Sequence[int], **attributes: Attribute) -> int:
        """Return the index of `op(*inputs)`, simplified by the rules."""
        inputs = tuple(inputs)
        numbers = [self.values[i].number for i in inputs]
        if inputs and None not in numbers:
            with np.errstate(all="ignore"):
                return self.constant(float(find_op(op).meaning(*map(np.float64, numbers))))
        for rule in self.rules.get(op, ()):
            found = rule(self, inputs, attributes)
            if found is not None:
                return found
        return self.emit(op, inputs, attributes)

    def emit(self, op: str, inputs: tuple[int, ...], attributes: Attributes) -> int:
        """Return the index of `op(*inputs)`, written where it belongs unless it is there."""
        row = find_op(op)
        is_sum = row.place == "sums"
        rows = not is_sum and (not inputs or any(self.values[i].rows for i in inputs))
        if op in ("slice", "concat"):
            axis = attributes.get("axis", 0)
            attributes = {name: value for name, value in attributes.items() if name != "axis"}
            attributes |= {} if rows else {"axis": axis}
        named = tuple(sorted(attributes.items()))
        key = (op, tuple(sorted(inputs)) if op in COMMUTATIVE else inputs, named)
        if key in self._seen and not is_sum:
            return self._seen[key]
        shape = row.shape([self.values[i].shape for i in inputs], attributes)
        output = self.add(Value(shape, "result", rows))
        instruction = Instruction(op, inputs, output, named)
        (self.sums if is_sum else self.rows if rows else self.setup).append(instruction)
        self.made[output] = instruction
        self._seen[key] = output
        return output

    def maker(self, index: int, op: str) -> Instruction | None:
        """Return the instruction that made the value if it is an `op`, None otherwise."""
        instruction = self.made.get(index)
        return instruction if instruction is not None and instruction.op == op else None


def rebuild(program: Program, rules: Rules, plan: Plan | None = None) -> Program:
    """Return the program written anew by the rules, without what no result needs.

    What is on rows ends in `loop`: hoist it afterwards. `plan` says for some values, from the
    emitter and from what each earlier value has become, what to write in their place.
    """
    plan = plan or {}
    emitter = Emitter(rules)
    new: dict[int, int] = {}

    def become(index: int) -> int:
        if index not in new:
            value = program.values[index]
            assert value.role != "result", f"v{index} is asked for before it is written"
            number = value.number
            new[index] = emitter.add(value) if number is None else emitter.constant(number)
        return new[index]

    for index in (*program.inputs, *program.states, *program.parameters):
        become(index)
    live = needed(program, program.results())
    for instruction in program.instructions():
        output = instruction.output
        if output not in live:
            continue
        if output in plan:
            new[output] = plan[output](emitter, become)
        else:
            inputs = [become(i) for i in instruction.inputs]
            new[output] = emitter.apply(instruction.op, inputs, **dict(instruction.attributes))
        keep_name(emitter, new[output], program.values[output].name)
    return prune(
        Program(
            values=tuple(emitter.values),
            inputs=tuple(map(become, program.inputs)),
            states=tuple(map(become, program.states)),
            parameters=tuple(map(become, program.parameters)),
            outputs=tuple(map(become, program.outputs)),
            new_states=tuple(map(become, program.new_states)),
            setup=tuple(emitter.setup),
            loop=tuple(emitter.rows),
            sums=tuple(emitter.sums),
        )
    )


def keep_name(emitter: Emitter, index: int, name: str) -> None:
    """Give a result that has no name the one it had before."""
    value = emitter.values[index]
    if name and not value.name and value.role == "result":
        emitter.values[index] = Value(value.shape, value.role, value.rows, name)


def prune(program: Program) -> Program:
    """Return the program without the instructions and values that no result needs."""
    live = needed(program, program.results())
    live.update(program.inputs, program.states, program.parameters)
    old = sorted(live)
    new = {index: position for position, index in enumerate(old)}

    def kept(part: Sequence[Instruction]) -> tuple[Instruction, ...]:
        return tuple(
            Instruction(i.op, tuple(new[v] for v in i.inputs), new[i.output], i.attributes)
            for i in part
            if i.output in live
        )

    def renumbered(indices: Sequence[int]) -> tuple[int, ...]:
        return tuple(new[index] for index in indices)

    return Program(
        values=tuple(program.values[index] for index in old),
        inputs=renumbered(program.inputs),
        states=renumbered(program.states),
        parameters=renumbered(program.parameters),
        outputs=renumbered(program.outputs),
        new_states=renumbered(program.new_states),
        loop=kept(program.loop),
        before=kept(program.before),
        after=kept(program.after),
        setup=kept(program.setup),
        sums=kept(program.sums),
    )
