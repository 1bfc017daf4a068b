"""The interpreter against cells written out in NumPy."""

import numpy as np
import pytest
from programs import B, H, K, Sketch, T, arrays_for, gru_after, lstm_packed, prepared, results

from recurra.errors import ProgramError
from recurra.program.check import check
from recurra.program.differentiate import differentiate
from recurra.program.reference import run, run_adjoint


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_an_lstm_is_the_one_in_the_books() -> None:
    program = lstm_packed()
    (x,), (h, c), (W, b, U, d) = arrays = arrays_for(program)
    result = run(check(program), *arrays)
    for t in range(T):
        i, f, g, o = np.split(x[t] @ W.T + b + h @ U.T + d, 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        np.testing.assert_allclose(result.outputs[0][t], h, rtol=1e-12)
    np.testing.assert_allclose(result.states[0], h, rtol=1e-12)
    np.testing.assert_allclose(result.states[1], c, rtol=1e-12)


def test_a_gru_is_the_one_in_the_books() -> None:
    program = gru_after()
    (x,), (h,), (W, b, U, d) = arrays = arrays_for(program)
    result = run(program, *arrays)
    for t in range(T):
        x_r, x_z, x_n = np.split(x[t] @ W.T + b, 3, axis=-1)
        h_r, h_z, h_n = np.split(h @ U.T + d, 3, axis=-1)
        z = sigmoid(x_z + h_z)
        h = (1 - z) * np.tanh(x_n + sigmoid(x_r + h_r) * h_n) + z * h
        np.testing.assert_allclose(result.outputs[0][t], h, rtol=1e-12)


def test_values_are_kept_per_step_and_states_as_they_enter() -> None:
    program = gru_after()
    arrays = arrays_for(program)
    result = run(program, *arrays)
    entering = result.values[program.states[0]]
    np.testing.assert_array_equal(entering[0], arrays[1][0])
    np.testing.assert_array_equal(entering[1:], result.outputs[0][:-1])
    np.testing.assert_array_equal(result.states[0], result.outputs[0][-1])
    for instruction in program.loop:
        size = program.values[instruction.output].size
        assert result.values[instruction.output].shape == (T, B, size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_that_of_the_arrays_all_the_way(dtype: type) -> None:
    s = Sketch()
    x, h = s.input(H), s.state()
    y = s("where", s("gt", x, 0.5), 1.0, s("erf", s("mul", h, 0.1)))
    program = s.program([y], [s("add", s("zeros", size=H), s("exp", y))])
    arrays = arrays_for(program)
    result = run(program, *([a.astype(dtype) for a in group] for group in arrays))
    assert {array.dtype for array in (*results(result), *result.values.values())} == {
        np.dtype(dtype)
    }


def test_a_program_may_run_from_the_last_step_to_the_first() -> None:
    s = Sketch()
    x, h = s.input(1), s.state(1)
    program = s.program([h], [s("add", s("mul", h, 10.0), x)])
    inputs = [np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)]
    result = run(program, inputs, [np.zeros((1, 1))], [], backwards=True)
    assert result.states[0].item() == 321
    assert result.outputs[0].ravel().tolist() == [32.0, 3.0, 0.0]


def test_no_steps_leave_the_states_as_they_are() -> None:
    program = prepared(lstm_packed())
    (x,), states, parameters = arrays_for(program)
    result = run(program, [x[:0]], states, parameters)
    np.testing.assert_array_equal(result.states, states)
    assert result.outputs[0].shape == (0, B, H)
    adjoint = differentiate(program)
    found = run_adjoint(adjoint, program, result, [x[:0, :, :1].repeat(H, -1)], states)
    np.testing.assert_array_equal(found.states, states)


def test_sums_are_over_all_rows_and_steps() -> None:
    s = Sketch()
    x, W = s.input(), s.parameter(H, K)
    program = prepared(s.program([s("linear", x, W)], []))
    arrays = arrays_for(program)
    result = run(program, *arrays)
    d = np.random.default_rng(2).standard_normal((T, B, H))
    found = run_adjoint(differentiate(program), program, result, [d], [])
    assert found.parameters[0] is not None
    np.testing.assert_allclose(
        found.parameters[0], np.einsum("tbn,tbk->nk", d, arrays[0][0]), rtol=1e-12
    )


def test_arrays_that_do_not_fit_are_an_error() -> None:
    program = lstm_packed()
    inputs, states, parameters = arrays_for(program)
    with pytest.raises(ProgramError, match=r"state v1 must be \(2, 3\), got \(2, 2\)"):
        run(program, inputs, [state[:, :2] for state in states], parameters)
    with pytest.raises(ProgramError, match="has 4 parameters, got 3"):
        run(program, inputs, states, parameters[:3])
    with pytest.raises(ProgramError, match="must be an input"):
        run(program, [], states, parameters)
