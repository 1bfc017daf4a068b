"""Which values of a program depend on which: what every rewrite asks first."""

from collections import Counter
from collections.abc import Iterable

from recurra.program.program import Instruction, Program


def makers(program: Program) -> dict[int, Instruction]:
    """Return the instruction that makes each value that is a result."""
    return {instruction.output: instruction for instruction in program.instructions()}


def needed(program: Program, targets: Iterable[int]) -> set[int]:
    """Return the targets and every value they are computed from."""
    made = makers(program)
    found: set[int] = set()
    waiting = list(targets)
    while waiting:
        value = waiting.pop()
        if value not in found:
            found.add(value)
            if value in made:
                waiting.extend(made[value].inputs)
    return found


def stateful(program: Program) -> set[int]:
    """Return the values that depend on the states as they enter the step."""
    found = set(program.states)
    for instruction in program.instructions():
        if found.intersection(instruction.inputs):
            found.add(instruction.output)
    return found


def late(program: Program) -> set[int]:
    """Return the values that depend on a state and that no new state needs."""
    return stateful(program) - needed(program, program.new_states)


def uses(program: Program) -> Counter[int]:
    """Return how often each value is an operand or one of the program's results."""
    counts: Counter[int] = Counter()
    for instruction in program.instructions():
        counts.update(instruction.inputs)
    counts.update(program.outputs)
    counts.update(program.new_states)
    return counts
