"""Sums put in the order in which most of them can leave the loop."""

from collections.abc import Callable, Sequence

from recurra.program.dependence import makers, stateful, uses
from recurra.program.emitter import Emitter, rebuild
from recurra.program.peephole import RULES
from recurra.program.program import Program

Become = Callable[[int], int]


def associate(program: Program) -> Program:
    """Add first what does not depend on a state: (x + (h + b)) + c is (x + (b + c)) + h.

    Parameters are added to one another in `setup`. Only sums of three or more are touched, and
    only where their partial sums have no other use.
    """
    made, on_state, counts = makers(program), stateful(program), uses(program)
    setup = {instruction.output for instruction in program.setup}
    inner: set[int] = set()

    def absorbed(index: int) -> bool:
        is_sum = index in made and made[index].op == "add" and index not in setup
        return is_sum and counts[index] == 1

    def addends(index: int) -> list[int]:
        found = []
        for operand in made[index].inputs:
            if absorbed(operand):
                inner.add(operand)
                found += addends(operand)
            else:
                found.append(operand)
        return found

    plan = {}
    for instruction in reversed([*program.before, *program.loop, *program.after]):
        output = instruction.output
        if instruction.op == "add" and output not in inner:
            found = addends(output)
            if len(found) > 2:
                plan[output] = write_sum(program, found, on_state)
    return rebuild(program, RULES, plan)


def write_sum(
    program: Program, found: Sequence[int], on_state: set[int]
) -> Callable[[Emitter, Become], int]:
    """Return what writes the sum: rows without state, then parameters, then what has state."""
    without = [i for i in found if program.values[i].rows and i not in on_state]
    fixed = [i for i in found if not program.values[i].rows]
    having = [i for i in found if i in on_state]
    # A constant has no shape: among parameters alone it must come after one that has.
    fixed.sort(key=lambda i: program.values[i].shape == ())

    def write(emitter: Emitter, become: Become) -> int:
        def total(indices: Sequence[int]) -> list[int]:
            result = [become(i) for i in indices[:1]]
            for index in indices[1:]:
                result = [emitter.apply("add", [result[0], become(index)])]
            return result

        result: list[int] = []
        for partial in (total(without), total(fixed), total(having)):
            both = result + partial
            result = [emitter.apply("add", both)] if len(both) == 2 else both
        return result[0]

    return write
