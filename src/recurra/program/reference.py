"""What a program means: an interpreter in NumPy, slow and readable."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra.errors import ProgramError
from recurra.program.differentiate import Adjoint
from recurra.program.ops import Array, find_op
from recurra.program.program import Instruction, Program
from recurra.program.pullback import through_setup


@dataclass(frozen=True)
class Result:
    """What a program gave over T steps of B rows.

    outputs: one (T, B, n) per output; states: one (B, n) per state, after the last step.
    values: by the index of a value, (T, B, n) where it has rows (a state: as it entered each
    step), the parameter's shape where it has none.
    sums: one array of a parameter's shape per instruction in `sums`.
    """

    outputs: list[Array]
    states: list[Array]
    values: dict[int, Array]
    sums: list[Array]


def run(
    program: Program,
    inputs: Sequence[Array],
    states: Sequence[Array],
    parameters: Sequence[Array],
    backwards: bool = False,
) -> Result:
    """Run a program over time; the arrays' common dtype is kept throughout.

    Args:
        program: a checked program, in parts or not.
        inputs: (T, B, n) per input.
        states: (B, n) per state, as they enter the first step.
        parameters: an array of its shape per parameter.
        backwards: whether the steps run from the last to the first, as those of an adjoint do.

    Raises ProgramError if there is no input, for T and B come from it, or if shapes do not fit.
    """
    dtype = np.result_type(*inputs, *states, *parameters)
    values = enter(program, inputs, states, parameters, dtype)
    lead = inputs[0].shape[:2]
    steps = range(lead[0])
    last = list(states)
    with np.errstate(all="ignore"):
        for instruction in program.setup:
            values[instruction.output] = meaning(program, instruction, values, dtype)
        run_on_all(program, program.before, values, lead, dtype)
        for i in (*program.states, *(instruction.output for instruction in program.loop)):
            values[i] = np.empty((*lead, program.values[i].size), dtype)
        for t in reversed(steps) if backwards else steps:
            for i, state in zip(program.states, last, strict=True):
                values[i][t] = state
            at_t = Step(program, values, t)
            for instruction in program.loop:
                values[instruction.output][t] = meaning(program, instruction, at_t, dtype)
            last = [values[i][t] for i in program.new_states]
        run_on_all(program, program.after, values, lead, dtype)
        for instruction in program.sums:
            values[instruction.output] = meaning(program, instruction, values, dtype)
    return Result(
        outputs=[values[i] for i in program.outputs],
        states=last,
        values=values,
        sums=[values[instruction.output] for instruction in program.sums],
    )


class Step(dict[int, Array]):
    """The values of one step, by index: rows are (B, n)."""

    def __init__(self, program: Program, values: dict[int, Array], t: int) -> None:
        self._program, self._values, self._t = program, values, t

    def __missing__(self, index: int) -> Array:
        array = self._values[index]
        return array[self._t] if self._program.values[index].rows else array


def enter(
    program: Program,
    inputs: Sequence[Array],
    states: Sequence[Array],
    parameters: Sequence[Array],
    dtype: np.dtype[Any],
) -> dict[int, Array]:
    """Return constants, inputs and parameters by index; raises ProgramError if a shape is off."""
    if not inputs:
        raise ProgramError("there must be an input: the steps and rows are counted on it.")
    T, B = inputs[0].shape[:2]
    values: dict[int, Array] = {}
    for kind, indices, arrays, lead in (
        ("input", program.inputs, inputs, (T, B)),
        ("state", program.states, states, (B,)),
        ("parameter", program.parameters, parameters, ()),
    ):
        if len(indices) != len(arrays):
            raise ProgramError(f"the program has {len(indices)} {kind}s, got {len(arrays)}.")
        for index, array in zip(indices, arrays, strict=True):
            wanted = (*lead, *program.values[index].shape)
            if array.shape != wanted:
                raise ProgramError(f"the {kind} v{index} must be {wanted}, got {array.shape}.")
            values[index] = array.astype(dtype)
    for index, value in enumerate(program.values):
        if value.number is not None:
            values[index] = np.asarray(value.number, dtype)
    return values


def meaning(
    program: Program, instruction: Instruction, values: dict[int, Array], dtype: np.dtype[Any]
) -> Array:
    """Return what an instruction gives for its operands' values."""
    attributes = dict(instruction.attributes)
    output = program.values[instruction.output]
    if output.rows:
        attributes.pop("axis", None)
    elif instruction.op in ("slice", "concat"):
        attributes.setdefault("axis", 0)
    operands = [values[i] for i in instruction.inputs]
    return np.asarray(find_op(instruction.op).meaning(*operands, **attributes), dtype)


def run_on_all(
    program: Program,
    part: Sequence[Instruction],
    values: dict[int, Array],
    lead: tuple[int, ...],
    dtype: np.dtype[Any],
) -> None:
    """Run a part on the rows of all steps at once."""
    for instruction in part:
        array = meaning(program, instruction, values, dtype)
        size = program.values[instruction.output].size
        values[instruction.output] = np.broadcast_to(array, (*lead, size))


@dataclass(frozen=True)
class Gradients:
    """The gradients of a loss; None where nothing arrives.

    inputs: (T, B, n) per input; states: (B, n) per state as it enters the first step;
    parameters: an array of its shape per parameter.
    """

    inputs: list[Array | None]
    states: list[Array]
    parameters: list[Array | None]


def run_adjoint(
    adjoint: Adjoint,
    program: Program,
    result: Result,
    d_outputs: Sequence[Array],
    d_states: Sequence[Array],
) -> Gradients:
    """Return the gradients of a program that gave `result`.

    Args:
        adjoint: of `program`.
        program: what was run.
        result: what it gave.
        d_outputs: (T, B, n) per output, the loss's gradient.
        d_states: (B, n) per state, the loss's gradient for the state after the last step.
    """
    back = run(
        adjoint.program,
        [*d_outputs, *(result.values[i] for i in adjoint.saved)],
        d_states,
        [result.values[i] for i in adjoint.parameters],
        backwards=True,
    )
    weights: dict[int, Array] = {}
    for index, gradient in zip(adjoint.weights, back.sums, strict=True):
        weights[index] = weights.get(index, 0) + gradient
    through_setup(program, result.values, weights)
    inputs = dict(zip(adjoint.inputs, back.outputs, strict=True))
    return Gradients(
        inputs=[inputs.get(i) for i in program.inputs],
        states=back.states,
        parameters=[weights.get(i) for i in program.parameters],
    )
