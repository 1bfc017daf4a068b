"""Gradients that a cell gives itself (`torch.autograd.Function`), as part of its program.

`y = own_backward(v, x, ..., d, dx, ...)` is v, and the gradient of each x is its dx: instructions
of the same program, written for a gradient d that arrives (`d = arriving()`). What is derived
repeats them with the gradient that does arrive; what runs forward leaves them out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from recurra.program.dependence import makers
from recurra.program.program import Instruction, Program


@dataclass(frozen=True)
class OwnBackward:
    """An instruction `own_backward`, taken apart.

    arriving: the gradient that its pullback is written for. gradients: by the value, what the
    pullback gives it. pullback: the instructions on what arrives, in order.
    """

    value: int
    arriving: int
    gradients: tuple[tuple[int, int], ...]
    pullback: tuple[Instruction, ...]

    def reads(self) -> list[int]:
        """Return what the pullback reads besides what arrives."""
        made = {self.arriving, *(i.output for i in self.pullback)}
        operands = [v for i in self.pullback for v in i.inputs]
        return list(dict.fromkeys(v for v in operands if v not in made))

    def follow(
        self, gradient: int, apply: Callable[[Instruction, list[int]], int],
        known: Callable[[int], int],
    ) -> list[tuple[int, int]]:  # fmt: skip
        """Return each operand with its gradient, as `apply` writes the pullback."""
        own: dict[int, int] = {self.arriving: gradient}
        for i in self.pullback:
            operands = [own[v] if v in own else known(v) for v in i.inputs]
            own[i.output] = operands[0] if i.op == "detach" else apply(i, operands)
        return [(x, own[d] if d in own else known(d)) for x, d in self.gradients]


def take_apart(program: Program, instruction: Instruction) -> OwnBackward:
    """Return what an instruction `own_backward` says."""
    value, *rest = instruction.inputs
    count = len(rest) // 2
    arriving, gradients = rest[count], (*rest[:count], *rest[count + 1 :])
    pairs = tuple(zip(gradients[:count], gradients[count:], strict=True))
    on_it = {arriving}
    pullback = []
    wanted = _needed(program, [d for _, d in pairs])
    for i in program.instructions():
        if i.output in wanted and on_it.intersection(i.inputs) and i.op != "own_backward":
            on_it.add(i.output)
            pullback.append(i)
    return OwnBackward(value, arriving, pairs, tuple(pullback))


def _needed(program: Program, targets: Sequence[int]) -> set[int]:
    made, found, waiting = makers(program), set(), list(targets)
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += made[index].inputs if index in made else ()
    return found


def forward_only(program: Program) -> Program:
    """Return a program that gives the same without gradients of its own; values keep their index.

    A program without such gradients is returned itself.
    """
    if not any(i.op == "own_backward" for i in program.instructions()):
        return program
    on_it: set[int] = set()
    for i in program.instructions():
        if i.op == "arriving" or (i.op != "own_backward" and on_it.intersection(i.inputs)):
            on_it.add(i.output)

    def kept(part: Sequence[Instruction]) -> tuple[Instruction, ...]:
        return tuple(
            Instruction("copy", i.inputs[:1], i.output) if i.op == "own_backward" else i
            for i in part
            if i.output not in on_it
        )

    return replace(
        program, before=kept(program.before), loop=kept(program.loop), after=kept(program.after)
    )


def without_the_dead(program: Program, keep: Sequence[int]) -> Program:
    """Return the program without what neither its results nor `keep` need; values stay."""
    live = _needed(program, [*program.results(), *keep])

    def kept(part: Sequence[Instruction]) -> tuple[Instruction, ...]:
        return tuple(i for i in part if i.output in live)

    return replace(
        program, before=kept(program.before), loop=kept(program.loop), after=kept(program.after)
    )
