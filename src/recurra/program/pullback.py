"""Takes gradients back through what a program sets up from its parameters."""

from collections.abc import Iterator, Mapping

import numpy as np

from recurra.program.emitter import Emitter
from recurra.program.ops import Array, find_op
from recurra.program.program import Instruction, Program


def through_setup(
    program: Program, values: Mapping[int, Array], gradients: dict[int, Array]
) -> None:
    """Add to `gradients`, from those of the setup's results, those of what they are made from."""
    for instruction in reversed(program.setup):
        if instruction.output not in gradients:
            continue
        d = gradients[instruction.output]
        if instruction.op in ("slice", "concat"):
            parts = parts_of(program, instruction, d)
        else:
            parts = pointwise_gradients(program, instruction, values, d)
        for index, gradient in parts:
            gradients[index] = gradients.get(index, 0) + gradient


def parts_of(program: Program, instruction: Instruction, d: Array) -> Iterator[tuple[int, Array]]:
    """Yield the operands of a slice or concat of parameters, each with its gradient."""
    attributes = dict(instruction.attributes)
    before = (slice(None),) * int(attributes.get("axis", 0))
    if instruction.op == "slice":
        whole = np.zeros(program.values[instruction.inputs[0]].shape, d.dtype)
        whole[(*before, slice(attributes["start"], attributes["stop"]))] = d
        yield instruction.inputs[0], whole
        return
    offset = 0
    for index in instruction.inputs:
        stop = offset + program.values[index].shape[len(before)]
        yield index, d[(*before, slice(offset, stop))]
        offset = stop


def pointwise_gradients(
    program: Program, instruction: Instruction, values: Mapping[int, Array], d: Array
) -> Iterator[tuple[int, Array]]:
    """Yield the operands of a pointwise op on parameters, each with its gradient."""
    emitter = Emitter({})
    known: dict[int, Array] = {}

    def enter(index: int) -> int:
        number = program.values[index].number
        own = emitter.add(program.values[index]) if number is None else emitter.constant(number)
        known[own] = values[index]
        return own

    row = find_op(instruction.op)
    assert row.derive is not None, f"{row.name} is a sum"
    own = emitter.add(program.values[instruction.output])
    known[own] = d
    y, *operands = map(enter, (instruction.output, *instruction.inputs))
    given = row.derive(*map(emitter.term, (own, y, *operands)))
    with np.errstate(all="ignore"):
        for made in emitter.setup:
            found = [read(emitter, known, i) for i in made.inputs]
            known[made.output] = np.asarray(find_op(made.op).meaning(*found), d.dtype)
    for index, term in zip(instruction.inputs, given, strict=True):
        if term is not None and program.values[index].number is None:
            yield index, np.broadcast_to(read(emitter, known, term.index), d.shape)


def read(emitter: Emitter, known: Mapping[int, Array], index: int) -> Array:
    """Return a value of the emitter: a number, or what is known of it."""
    number = emitter.values[index].number
    return known[index] if number is None else np.asarray(number)
