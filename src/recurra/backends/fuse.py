"""Instructions that the machine does in one pass over memory instead of two or three."""

from collections.abc import Mapping, Sequence

from recurra.program.program import Instruction, Program


def fuse(
    program: Program, part: Sequence[Instruction], pinned: set[int], uses: Mapping[int, int]
) -> list[Instruction]:
    """Return the part with its common pairs and triples as one instruction each.

    sigmoid_gradient(d, y) is d · ((1 - y) · y), tanh_gradient(d, y) is d · (1 - y · y), for the
    gradient d of the result y; mul_add(a, b, c) is a · b + c, and so is matmul(a, b, c).

    pinned: values that must be there afterwards; uses: how often each value is read.
    """
    makes = {i.output: i for i in part if uses[i.output] == 1 and i.output not in pinned}
    gone: set[int] = set()
    result: list[Instruction] = []
    for i in part:
        found = _fused(program, i, makes)
        if found is not None:
            result.append(found[0])
            gone.update(found[1])
            if i.output in makes:  # whoever reads it next sees what it is now
                makes[i.output] = found[0]
        else:
            result.append(i)
    return [i for i in result if i.output not in gone]


Found = tuple[Instruction, tuple[int, ...]]  # the instruction, and the values it does without


def _fused(program: Program, i: Instruction, makes: Mapping[int, Instruction]) -> Found | None:
    if i.op not in ("mul", "add"):
        return None
    for d, other in (i.inputs, i.inputs[::-1]):
        inner = makes.get(other)
        if inner is None or not _row(program, d):
            continue
        found = _gradient(program, inner, makes) if i.op == "mul" else None
        if found is not None:
            op, y, gone = found
            return Instruction(op, (d, y), i.output), gone
        if i.op == "add" and inner.op == "mul" and all(_row(program, v) for v in inner.inputs):
            return Instruction("mul_add", (*inner.inputs, d), i.output), (other,)
        if i.op == "add" and inner.op == "matmul" and len(inner.inputs) == 2:
            operands = (*inner.inputs, d)
            return Instruction("matmul", operands, i.output, inner.attributes), (other,)
    return None


def _gradient(
    program: Program, inner: Instruction, makes: Mapping[int, Instruction]
) -> tuple[str, int, tuple[int, ...]] | None:
    """Return which activation's derivative this is, of what result, and what it is made by."""
    if inner.op == "mul":
        for y, rest in (inner.inputs, inner.inputs[::-1]):
            less = makes.get(rest)
            if less is not None and _from_one(program, less) and less.inputs[1] == y:
                return "sigmoid_gradient", y, (inner.output, rest)
    if _from_one(program, inner):
        square = makes.get(inner.inputs[1])
        if square is not None and square.op == "mul" and square.inputs[0] == square.inputs[1]:
            return "tanh_gradient", square.inputs[0], (inner.output, square.output)
    return None


def _from_one(program: Program, i: Instruction) -> bool:
    return i.op == "sub" and program.values[i.inputs[0]].number == 1


def _row(program: Program, value: int) -> bool:
    return len(program.values[value].shape) == 1
