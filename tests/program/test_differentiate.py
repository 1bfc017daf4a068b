"""Adjoints: right by finite differences, and as short as written by hand."""

import math

import numpy as np
import pytest
from programs import (
    CELLS,
    B,
    H,
    K,
    Sketch,
    T,
    arrays_for,
    assert_gradients_match,
    count,
    differences,
    gradients,
    prepared,
    seeds_for,
)

from recurra.errors import ProgramError
from recurra.program.check import check
from recurra.program.differentiate import Adjoint, differentiate
from recurra.program.program import Program

LSTMS = ("lstm-naive", "lstm-packed", "lstm-joined")


def names_of_saved(program: Program, adjoint: Adjoint) -> list[str]:
    """Return what each saved value is: its role, or the op that made it."""
    made = {instruction.output: instruction.op for instruction in program.instructions()}
    return [made.get(i, program.values[i].role) for i in adjoint.saved]


@pytest.mark.parametrize("name", CELLS)
def test_the_gradients_of_cells_are_those_of_finite_differences(name: str) -> None:
    assert_gradients_match(CELLS[name]())


@pytest.mark.parametrize("name", ["lstm-naive", "gru-before", "read-out"])
def test_a_program_need_not_be_simplified(name: str) -> None:
    program = CELLS[name]()
    arrays = arrays_for(program)
    seeds = seeds_for(program, arrays)
    found = gradients(program, arrays, seeds)
    for gradient, array in zip(found.parameters, arrays[2], strict=True):
        assert gradient is not None
        expected = differences(program, arrays, seeds, array)
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", LSTMS)
def test_the_adjoint_of_an_lstm_is_as_short_as_by_hand(name: str) -> None:
    program = prepared(CELLS[name]())
    adjoint = differentiate(program)
    step = adjoint.program
    assert sorted(names_of_saved(program, adjoint)) == sorted(
        ["input", "state", "state", "sigmoid", "sigmoid", "sigmoid", "tanh", "tanh"]
    )
    assert [i.op for i in step.sums] == ["outer", "outer", "total"]
    assert (count(step, "loop", "concat"), count(step, "loop", "linear_t")) == (1, 1)
    assert [i.op for i in step.after] == ["linear_t"]
    assert step.before == step.setup == ()
    (gates,) = (i.output for i in step.loop if i.op == "concat")
    assert step.values[gates].shape == (4 * H,)
    for product in (*step.sums, *step.after):
        assert product.inputs[0] == gates
    assert len(step.loop) == 25


def test_the_adjoint_of_a_gru_saves_no_more_than_torch() -> None:
    program = prepared(CELLS["gru-after"]())
    adjoint = differentiate(program)
    assert sorted(names_of_saved(program, adjoint)) == sorted(
        ["input", "state", "sigmoid", "sigmoid", "tanh", "slice"]
    )
    assert count(adjoint.program, "loop", "linear_t") == 1


def test_the_gradient_of_a_read_out_is_one_product_before_the_loop() -> None:
    program = prepared(CELLS["read-out"]())
    step = differentiate(program, [True, False]).program
    assert [i.op for i in step.before] == ["linear_t"]
    assert count(step, "loop", "linear_t") == 1
    assert [i.op for i in step.after] == ["linear_t"]


def test_an_input_that_needs_no_gradient_gets_none() -> None:
    program = prepared(CELLS["lstm-packed"]())
    adjoint = differentiate(program, [False])
    assert (adjoint.inputs, adjoint.program.outputs) == ((), ())
    assert count(adjoint.program, "after", "linear_t") == 0
    with pytest.raises(ProgramError, match="2 flags for 1 inputs"):
        differentiate(program, [True, False])


def test_what_no_result_needs_has_no_gradient() -> None:
    s = Sketch()
    x, unused, h = s.input(), s.input(), s.state()
    W, V, b = s.parameter(H, K), s.parameter(H, K), s.parameter(H)
    s("add", s("linear", unused, V), b)
    new = s("tanh", s("linear", x, W))
    program = prepared(s.program([new], [new]))
    arrays = arrays_for(program)
    found = gradients(program, arrays, seeds_for(program, arrays))
    assert found.inputs[1] is found.parameters[1] is found.parameters[2] is None
    assert found.inputs[0] is not None
    np.testing.assert_array_equal(found.states[0], np.zeros((B, H)))
    adjoint = differentiate(program)
    assert adjoint.weights == (program.parameters[0],)
    assert [i.op for i in adjoint.program.loop] == ["zeros"]
    assert h == program.states[0]


def test_states_may_pass_through_be_swapped_and_be_outputs() -> None:
    s = Sketch()
    x, a, b, c = s.input(H), s.state(), s.state(), s.state()
    program = s.program([a, x, a], [b, a, s("mul", x, c)])
    assert_gradients_match(program)


def test_several_uses_of_a_value_add_up() -> None:
    s = Sketch()
    x, h, W, b = s.input(H), s.state(), s.parameter(H, H), s.parameter(H)
    inner = s("tanh", s("add", s("linear", x, W), b))
    new = s("add", s("linear", s("mul", inner, h), W), s("mul", b, inner))
    program = s.program([new, inner], [new])
    assert_gradients_match(program)
    adjoint = differentiate(prepared(program))
    assert adjoint.weights.count(W) == 2
    assert adjoint.weights.count(b) == 1


def test_slices_that_overlap_or_leave_gaps_are_put_together() -> None:
    s = Sketch()
    x, h = s.input(6), s.state(2)
    g = s("tanh", x)
    low, mid, high = (s("slice", g, start=i, stop=i + 2) for i in (0, 1, 4))
    new = s("mul", s("mul", s("add", low, h), mid), high)
    assert_gradients_match(s.program([new], [new]))
    assert_gradients_match(s.program([high], [h]))
    assert_gradients_match(s.program([high, s("exp", g)], [new]))
    step = differentiate(prepared(s.program([high], [h]))).program
    assert [i.op for i in step.after if i.op in ("zeros", "concat", "add")] == ["zeros", "concat"]


def test_zeros_are_never_multiplied() -> None:
    s = Sketch()
    x, h = s.input(4), s.state(2)
    first = s("slice", s("exp", x), start=0, stop=2)
    program = prepared(s.program([first], [h]))
    arrays = arrays_for(program)
    arrays[0][0][...] = [0.0, 1.0, 0.0, 0.0]
    (found,) = gradients(program, arrays, [np.ones((T, B, 2)), np.zeros((B, 2))]).inputs
    assert found is not None
    np.testing.assert_allclose(found[0, 0], [1.0, math.e, 0.0, 0.0])


def test_nan_in_a_branch_that_is_not_taken_stays_there() -> None:
    s = Sketch()
    x, mask, h = s.input(H), s.input(H, "mask"), s.state()
    program = prepared(s.program([s("where", mask, x, s("log", x))], [h]))
    arrays = arrays_for(program)
    arrays[0][0][...] = -1.0
    arrays[0][1][...] = 1.0
    found = gradients(program, arrays, seeds := seeds_for(program, arrays), [True, False])
    np.testing.assert_array_equal(found.inputs[0], seeds[0])


def test_what_is_cheap_is_made_again_and_not_saved() -> None:
    s = Sketch()
    x, h, W = s.input(2), s.state(2), s.parameter(2, 4)
    z = s("sigmoid", x)
    joined = s("concat", s("mul", s("sub", 1.0, z), h), s("spread", s("slice", z, start=0, stop=1),
                                                         times=2))  # fmt: skip
    new = s("linear", joined, W)
    program = prepared(s.program([new], [new]))
    adjoint = differentiate(program)
    assert names_of_saved(program, adjoint) == ["state", "sigmoid"]
    assert_gradients_match(s.program([new], [new]))


def test_a_value_that_is_read_whole_and_in_part_is_saved_once() -> None:
    s = Sketch()
    x, h = s.input(4), s.state(2)
    whole = s("tanh", x)
    part = s("slice", whole, start=0, stop=2)
    new = s("mul", part, h)
    program = prepared(s.program([new], [new]))
    adjoint = differentiate(program)
    assert names_of_saved(program, adjoint) == ["state", "tanh"]


def test_the_adjoint_says_which_weights_it_reads() -> None:
    program = prepared(CELLS["lstm-packed"]())
    adjoint = differentiate(program)
    shapes = [program.values[i].shape for i in adjoint.parameters]
    assert [adjoint.program.values[i].shape for i in adjoint.program.parameters] == shapes
    sums = [adjoint.program.values[i.output].shape for i in adjoint.program.sums]
    assert sums == [program.values[i].shape for i in adjoint.weights]


def test_an_adjoint_has_no_adjoint() -> None:
    step = differentiate(prepared(CELLS["lstm-packed"]())).program
    with pytest.raises(ProgramError, match="sums"):
        differentiate(check(step))
