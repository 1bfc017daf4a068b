"""The check of a program before anything runs it; every fault names the instruction."""

from collections.abc import Sequence

from recurra.errors import ProgramError
from recurra.program.ops import OPS, Op, find_op
from recurra.program.program import Instruction, Program, Role
from recurra.program.shapes import Shape

PARTS = ("setup", "before", "loop", "after", "sums")


def check(program: Program) -> Program:
    """Return the program if it is well formed; raises ProgramError.

    Well formed: values are made once and before they are used, part after part (setup, before,
    loop, after, sums); ops are the table's, in the parts they belong to, with the shapes the
    table gives; `before` depends on no state; new states are ready when the loop ends and have
    the shapes of the states.
    """
    check_leaves(program)
    known = {*program.inputs, *program.states, *program.parameters}
    known |= {i for i, value in enumerate(program.values) if value.role == "constant"}
    on_state = set(program.states)
    ready = set(known)
    for part in PARTS:
        for position, instruction in enumerate(getattr(program, part)):
            try:
                check_instruction(program, part, instruction, known)
                if on_state.intersection(instruction.inputs):
                    expect(part != "before", "it depends on a state and cannot be in `before`")
                    on_state.add(instruction.output)
            except ProgramError as error:
                place = f"{part}[{position}]: {describe(program, instruction)}"
                raise ProgramError(f"{place}: {error}.") from None
            known.add(instruction.output)
        if part == "loop":
            ready = set(known)
    check_results(program, known, ready)
    return program


def expect(fits: bool, fault: str) -> None:
    """Raise a ProgramError with the fault unless all is well."""
    if not fits:
        raise ProgramError(fault)


def describe(program: Program, instruction: Instruction) -> str:
    """Return the instruction as text, such as `v7 (gate) = add(v3, v5)`."""
    operands = [name_of(program, i) for i in instruction.inputs]
    operands += [f"{name}={value}" for name, value in instruction.attributes]
    return f"{name_of(program, instruction.output)} = {instruction.op}({', '.join(operands)})"


def name_of(program: Program, index: int) -> str:
    """Return how texts call a value: its index, and its name or number if it has one."""
    if not 0 <= index < len(program.values):
        return f"v{index}"
    value = program.values[index]
    word = value.name if value.number is None else str(value.number)
    return f"v{index} ({word})" if word else f"v{index}"


def check_leaves(program: Program) -> None:
    """Check inputs, states, parameters and constants; raises ProgramError."""
    groups: tuple[tuple[Role, tuple[int, ...], bool], ...] = (
        ("input", program.inputs, True),
        ("state", program.states, True),
        ("parameter", program.parameters, False),
    )
    for role, indices, rows in groups:
        expect(len(set(indices)) == len(indices), f"the program lists one {role} twice.")
        for index in indices:
            known = 0 <= index < len(program.values)
            expect(known, f"the program's {role} v{index} is not among its values.")
            value = program.values[index]
            place = f"{name_of(program, index)} is listed as {role}"
            expect(value.role == role, f"{place} but its role is {value.role!r}.")
            expect(value.rows == rows, f"{place} but rows={value.rows}.")
            fits = len(value.shape) == 1 or (len(value.shape) == 2 and not rows)
            expect(fits and min(value.shape) > 0, f"{place} but its shape is {value.shape}.")
    for index, value in enumerate(program.values):
        if value.role == "constant":
            fits = value.number is not None and value.shape == () and not value.rows
            expect(fits, f"v{index} is a constant and must have a number and the shape ().")


def check_instruction(
    program: Program, part: str, instruction: Instruction, known: set[int]
) -> None:
    """Check one instruction of a part, given the values known by then; raises ProgramError."""
    op = find_op(instruction.op)
    count = len(instruction.inputs)
    expect(op.arity in (None, count), f"{op.name} takes {op.arity} operands, got {count}")
    for index in instruction.inputs:
        expect(index in known, f"{name_of(program, index)} is used before it is made")
    expect(0 <= instruction.output < len(program.values), "its output is not among the values")
    result = program.values[instruction.output]
    expect(result.role == "result", f"its output has the role {result.role!r}, not 'result'")
    expect(instruction.output not in known, "its output is made twice")
    operands = [program.values[i] for i in instruction.inputs]
    check_place(op, part, [value.rows for value in operands], [value.shape for value in operands])
    on_rows = part not in ("setup", "sums")
    expect(result.rows == on_rows, f"in `{part}` its output must have rows={on_rows}")
    try:
        shape = op.shape([value.shape for value in operands], dict(instruction.attributes))
    except KeyError as error:
        raise ProgramError(f"the attribute {error} is missing") from None
    expect(shape == result.shape, f"it gives {shape}, its output is said to be {result.shape}")


def check_place(op: Op, part: str, rows: Sequence[bool], shapes: Sequence[Shape]) -> None:
    """Check that an op may be in a part, on operands that have rows or not; raises ProgramError."""
    if part == "sums":
        expect(op.place == "sums", f"{op.name} cannot be in `sums`")
        expect(all(rows), "a sum takes values that have rows")
    elif part == "setup":
        expect(op.place == "any", f"{op.name} cannot be in `setup`")
        expect(not any(rows), "`setup` takes parameters only")
    else:
        expect(op.place != "sums", f"{op.name} can only be in `sums`")
        if op is OPS["linear"] or op is OPS["linear_t"]:
            expect(list(rows) == [True, False], "it takes a value with rows and a parameter")
        elif op.pointwise:
            expect(any(rows), "one of its operands must have rows")
        else:
            expect(all(rows), "all its operands must have rows")


def check_results(program: Program, known: set[int], ready: set[int]) -> None:
    """Check outputs and new states; `ready` is known when the loop ends; raises ProgramError."""
    sums = {instruction.output for instruction in program.sums}
    for index in program.outputs:
        name = name_of(program, index)
        expect(index in known - sums, f"the output {name} is never made.")
        expect(program.values[index].rows, f"the output {name} has no rows.")
    fits = len(program.states) == len(program.new_states)
    expect(fits, f"{len(program.states)} states become {len(program.new_states)} new states.")
    for state, new in zip(program.states, program.new_states, strict=True):
        name = name_of(program, new)
        expect(new in ready, f"the new state {name} is not made when the loop ends.")
        expect(program.values[new].rows, f"the new state {name} has no rows.")
        old_shape, new_shape = program.values[state].shape, program.values[new].shape
        same = old_shape == new_shape
        expect(same, f"the state {name_of(program, state)} {old_shape} becomes {new_shape}.")
