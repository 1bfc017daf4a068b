"""Which values of the forward pass are kept for the backward pass, and which are made again."""

from recurra.program.program import Instruction, Program

# Made again whatever it takes: their operands take no more room than they do.
REARRANGED = ("concat", "spread", "transpose", "copy", "zeros")
# Made again if their operands are kept anyway.
CHEAP = (
    *("slice", "neg", "abs", "sign", "relu", "add", "sub", "mul", "maximum", "minimum"),
    *("gt", "ge", "lt", "le", "eq", "ne", "where"),
)


def choose_saved(program: Program, read: set[int]) -> tuple[set[int], list[Instruction]]:
    """Return what to keep so that all values in `read` can be had, and what to run for that.

    `read` holds values that have rows; the instructions come in the order in which they run.
    Outputs are kept in any case, and never made again.
    """
    rows = (*program.before, *program.loop, *program.after)
    saved = set(read)
    again: set[Instruction] = set()
    while True:
        found = next(
            (i for i in reversed(rows) if i.output in saved and made_again(program, i, saved)), None
        )
        if found is None:
            return saved, [i for i in rows if i in again]
        again.add(found)
        saved.remove(found.output)
        saved.update(operands_with_rows(program, found))


def made_again(program: Program, instruction: Instruction, saved: set[int]) -> bool:
    """Return whether it is better to run the instruction again than to keep its result."""
    if instruction.output in program.outputs:
        return False
    if instruction.op in REARRANGED:
        return True
    return instruction.op in CHEAP and operands_with_rows(program, instruction) <= saved


def operands_with_rows(program: Program, instruction: Instruction) -> set[int]:
    """Return the operands that each row of the batch has its own of."""
    return {i for i in instruction.inputs if program.values[i].rows}
