"""Cuts an adjoint off: gradients that have gone back more than k steps are dropped.

An adjoint is linear in the gradients it is given, so it can be written out once for each *age*:
how many steps the gradients of a state have gone back since they left the output they are of.
What leaves a step at age j enters the step before it at age j + 1, and nothing leaves at age k.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from recurra.errors import ProgramError
from recurra.program.assemble import add_all
from recurra.program.differentiate import Adjoint
from recurra.program.emitter import Emitter, prune
from recurra.program.hoist import hoist
from recurra.program.peephole import RULES
from recurra.program.program import Instruction, Program

PRODUCTS = ("linear", "linear_t")
# With one operand that is a gradient these give its multiple; with none they give none.
_MULTIPLES = {*PRODUCTS, "mul", "div", "neg", "copy", "slice", "sum", "spread"}
_MULTIPLES |= {"transpose", "matmul"}


@dataclass(frozen=True)
class Window:
    """How far gradients go back.

    steps: k, the most steps back.
    arrives: whether the gradient of an output comes by age, (k + 1) of them; it is of age 0 if not.
    leaves: whether the gradient of an input goes out by age; their sum does if not.
    """

    steps: int
    arrives: bool = False
    leaves: bool = False

    @property
    def ages(self) -> int:
        """Return how many ages there are."""
        return self.steps + 1


def within(adjoint: Adjoint, window: Window) -> Adjoint:
    """Return the adjoint of all that lies in the window.

    Its inputs are the gradients of the outputs (of age 0, then 1, ... if they arrive by age), then
    what is saved; its states those of age 0, then 1, ...; its outputs the gradients of the
    adjoint's inputs, each of age 0, then 1, ... if they leave by age. The gradients of the first
    states are the sums over all ages of what is left in the states.
    """
    return _Aging(adjoint, window).adjoint()


class _Aging:
    def __init__(self, adjoint: Adjoint, window: Window) -> None:
        self.whole, self.window = adjoint, window
        self.program = program = adjoint.program
        self.emitter = Emitter(RULES)
        self.shared: dict[int, int] = {}  # values of the adjoint that are no gradients
        self.factors: set[int] = set()  # what stands for them, and their products
        self.ages: list[dict[int, int | None]] = [{} for _ in range(window.ages)]
        self.totals: dict[int, int | None] = {}
        count = len(program.inputs) - len(adjoint.saved)
        self.d_outputs, self.saved = program.inputs[:count], program.inputs[count:]
        self.gradients = {*self.d_outputs, *program.states}
        for i in program.instructions():
            if self.gradients.intersection(i.inputs):
                self.gradients.add(i.output)

    def adjoint(self) -> Adjoint:
        """Write all of it."""
        program, window = self.program, self.window
        inputs = self.d_inputs()
        states = [self.state(v, age) for age in range(window.ages) for v in program.states]
        saved = [self.read(v) for v in self.saved]
        parameters = [self.read(v) for v in program.parameters]
        self.share((*program.setup, *program.before, *program.loop, *program.after))
        late = program.after if window.leaves else ()
        for known in self.ages:  # age by age, so that what one needs is still in cache
            for i in (*program.before, *program.loop, *late):
                if i.output in self.gradients:
                    known[i.output] = self.multiple(i, known)
        outputs = self.outputs()
        for i in program.sums:
            operands = [self.or_zeros(self.total(v), v) for v in i.inputs]
            self.emitter.apply(i.op, operands, **dict(i.attributes))
        return replace(
            self.whole,
            program=self.finish((*inputs, *saved), states, parameters, outputs, self.new_states()),
        )

    def d_inputs(self) -> list[int]:
        """Return the inputs that are gradients of outputs."""
        inputs: list[int] = []
        for age, known in enumerate(self.ages):
            for v in self.d_outputs:
                known[v] = None
                if self.window.arrives or age == 0:
                    known[v] = own = self.leaf(v, age)
                    inputs.append(own)
        return inputs

    def share(self, instructions: Sequence[Instruction]) -> None:
        """Write what is no gradient, once for all ages."""
        for i in instructions:
            if i.output not in self.gradients:
                operands = [self.read(v) for v in i.inputs]
                own = self.emitter.apply(i.op, operands, **dict(i.attributes))
                self.shared[i.output] = own
                self.factors.add(own)

    def leaf(self, index: int, age: int) -> int:
        value = self.program.values[index]
        return self.emitter.add(
            replace(value, name=f"{value.name}, {age} back" if age else value.name)
        )

    def state(self, index: int, age: int) -> int:
        self.ages[age][index] = own = self.leaf(index, age)
        return own

    def read(self, index: int) -> int:
        """Return what stands for a value that is no gradient."""
        if index not in self.shared:
            value = self.program.values[index]
            number, emitter = value.number, self.emitter
            own = emitter.add(value) if number is None else emitter.constant(number)
            self.shared[index] = own
            self.factors.add(own)
        return self.shared[index]

    def multiple(self, i: Instruction, known: dict[int, int | None]) -> int | None:
        """Return what an instruction makes of gradients of one age, None for nothing."""
        emitter, attributes = self.emitter, dict(i.attributes)
        given = [known[v] if v in self.gradients else self.read(v) for v in i.inputs]
        some = [v for v in i.inputs if v in self.gradients and known[v] is not None]
        if not some:
            return None
        if i.op == "add" and None in given:
            return next(g for g in given if g is not None)
        if i.op in ("add", "sub", "concat", "where"):
            operands = [self.or_zeros(g, v) for g, v in zip(given, i.inputs, strict=True)]
            return emitter.apply(i.op, operands, **attributes)
        if i.op not in _MULTIPLES:
            raise ProgramError(f"{i.op} of a gradient is not linear: it cannot be cut off.")
        whole = [g for g in given if g is not None]
        if i.op == "mul":
            d, factor = whole if i.inputs[0] in self.gradients else reversed(whole)
            return self.times(d, factor)
        return emitter.apply(i.op, whole, **attributes)

    def times(self, d: int, factor: int) -> int:
        """Return a gradient times a factor, the factors of all ages multiplied once."""
        made = self.emitter.maker(d, "mul")
        for inner, other in (made.inputs, made.inputs[::-1]) if made is not None else ():
            if other in self.factors and inner not in self.factors:
                both = self.emitter.apply("mul", [other, factor])
                self.factors.add(both)
                return self.emitter.apply("mul", [inner, both])
        return self.emitter.apply("mul", [d, factor])

    def or_zeros(self, own: int | None, index: int) -> int:
        if own is not None:
            return own
        return self.emitter.apply("zeros", [], size=self.program.values[index].size)

    def total(self, index: int) -> int | None:
        """Return a gradient of all ages together, None for nothing."""
        if index not in self.gradients:
            return self.read(index)
        if index not in self.totals:
            late = next((i for i in self.program.after if i.output == index), None)
            if late is not None:
                self.totals[index] = self.multiple(late, {v: self.total(v) for v in late.inputs})
            else:
                each = [d for known in self.ages if (d := known[index]) is not None]
                self.totals[index] = add_all(self.emitter, each) if each else None
        return self.totals[index]

    def outputs(self) -> list[int]:
        if self.window.leaves:
            return [self.or_zeros(k[i], i) for i in self.program.outputs for k in self.ages]
        return [self.or_zeros(self.total(i), i) for i in self.program.outputs]

    def new_states(self) -> list[int]:
        """Return what leaves the step: nothing of age 0, of age j + 1 what was of age j."""
        new = self.program.new_states
        left = [self.or_zeros(None, i) for i in new]
        for known in self.ages[:-1]:
            left += [
                self.or_zeros(known[i], i) if i in self.gradients else self.read(i) for i in new
            ]
        return left

    def finish(
        self,
        inputs: Sequence[int],
        states: Sequence[int],
        parameters: Sequence[int],
        outputs: Sequence[int],
        new_states: Sequence[int],
    ) -> Program:
        """Put the program in its parts; sums over ages stay in the loop, near what they add."""
        emitter = self.emitter
        program = prune(
            Program(
                values=tuple(emitter.values),
                inputs=tuple(inputs),
                states=tuple(states),
                parameters=tuple(parameters),
                outputs=tuple(outputs),
                new_states=tuple(new_states),
                setup=tuple(emitter.setup),
                loop=tuple(emitter.rows),
                sums=tuple(emitter.sums),
            )
        )
        parts = hoist(program, pointwise=False)
        late = {i.output for i in parts.after if i.op in PRODUCTS}
        for i in parts.after:
            if late.intersection(i.inputs):
                late.add(i.output)
        early = tuple(i for i in parts.after if i.output not in late)
        after = tuple(i for i in parts.after if i.output in late)
        return replace(parts, loop=_products_last((*parts.loop, *early)), after=after)


def _products_last(loop: Sequence[Instruction]) -> tuple[Instruction, ...]:
    """Return the loop with pointwise work together: products come once all else has been done."""
    stage: dict[int, int] = {}  # how many products lie before a value
    for i in loop:
        stage[i.output] = max((stage.get(v, 0) for v in i.inputs), default=0) + (i.op in PRODUCTS)
    return tuple(
        sorted(loop, key=lambda i: (stage[i.output] - (i.op in PRODUCTS), i.op in PRODUCTS))
    )
