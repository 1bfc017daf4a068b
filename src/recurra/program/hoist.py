"""Moves out of the loop what need not be in it."""

from dataclasses import replace

from recurra.program.associate import associate
from recurra.program.dependence import needed, stateful
from recurra.program.program import Instruction, Program


def hoist(program: Program, pointwise: bool = True) -> Program:
    """Return the program in its parts: before, loop (what new states need of a state), after.

    With `pointwise`, all that depends on no state goes to `before`, and sums are put in the order
    that lets most of them. Without, only products (linear, linear_t) that the loop needs go there,
    with what they are computed from: what else the loop needs stays in it, so that it is not
    stored for every step.
    """
    if pointwise:
        program = associate(program)
    rows = (*program.before, *program.loop, *program.after)
    on_state = stateful(program)
    in_loop = needed(program, program.new_states)
    if pointwise:
        first = {i.output for i in rows} - on_state
    else:
        products = [
            i.output
            for i in rows
            if i.op in ("linear", "linear_t") and i.output in in_loop - on_state
        ]
        first = needed(program, products)

    def part(instruction: Instruction) -> str:
        if instruction.output in first:
            return "before"
        return "loop" if instruction.output in in_loop else "after"

    return replace(
        program,
        before=tuple(i for i in rows if part(i) == "before"),
        loop=tuple(i for i in rows if part(i) == "loop"),
        after=tuple(i for i in rows if part(i) == "after"),
    )
