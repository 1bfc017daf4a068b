"""Each rewrite by itself, and that no program changes its meaning."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from programs import (
    CELLS,
    Array,
    Arrays,
    H,
    K,
    Sketch,
    arrays_for,
    count,
    gradients,
    prepared,
    results,
    seeds_for,
)

from recurra.program.check import check
from recurra.program.program import Program
from recurra.program.reference import run
from recurra.program.simplify import simplify, tidy


def ops(program: Program) -> list[str]:
    return [instruction.op for instruction in program.loop]


def tidied(write: Callable[[Sketch, int], int]) -> list[str]:
    """Return the ops that are left of an output that is written from a row of 6 features."""
    s = Sketch()
    y = write(s, s.input(6))
    return ops(check(tidy(s.program([y], []))))


def cut(s: Sketch, x: int, start: int, stop: int) -> int:
    return s("slice", x, start=start, stop=stop)


def test_dead_code_and_repeats_go() -> None:
    s = Sketch()
    x, y = s.input(), s.input()
    s("exp", x)
    first, second = s("tanh", s("add", x, y)), s("tanh", s("add", y, x))
    assert ops(tidy(s.program([s("sub", first, second)], []))) == ["add", "tanh", "sub"]


def test_what_is_not_commutative_is_not_a_repeat() -> None:
    s = Sketch()
    x, y = s.input(), s.input()
    swapped = s("concat", s("maximum", x, y), s("maximum", y, x), s("sub", x, y), s("sub", y, x))
    assert ops(tidy(s.program([swapped], []))).count("maximum") == 2
    assert ops(tidy(s.program([swapped], []))).count("sub") == 2


def test_zero_and_minus_zero_are_two_constants() -> None:
    s = Sketch()
    x = s.input()
    program = tidy(s.program([s("concat", s("add", x, 0.0), s("add", x, -0.0))], []))
    assert ops(program) == ["add", "add", "concat"]


def test_detours_go() -> None:
    assert tidied(lambda s, x: s("copy", x)) == []
    assert tidied(lambda s, x: s("neg", s("neg", x))) == []
    assert tidied(lambda s, x: cut(s, x, 0, 6)) == []
    assert tidied(lambda s, x: cut(s, cut(s, x, 1, 5), 1, 3)) == ["slice"]
    assert tidied(lambda s, x: s("add", x, s("neg", s("exp", x)))) == ["exp", "sub"]
    assert tidied(lambda s, x: s("sub", x, s("neg", s("exp", x)))) == ["exp", "add"]


def test_slices_see_through_concats() -> None:
    assert tidied(lambda s, x: cut(s, s("concat", x, s("exp", x)), 0, 6)) == []
    assert tidied(lambda s, x: cut(s, s("concat", s("exp", x), x), 7, 9)) == ["slice"]
    both = tidied(lambda s, x: cut(s, s("concat", x, s("exp", x), s("sin", x)), 6, 18))
    assert both == ["exp", "sin", "concat"]
    across = tidied(lambda s, x: cut(s, s("concat", x, s("exp", x)), 3, 9))
    assert across == ["exp", "concat", "slice"]


def test_neighbouring_slices_join() -> None:
    assert tidied(lambda s, x: s("concat", cut(s, x, 0, 2), cut(s, x, 2, 6))) == []
    assert tidied(lambda s, x: s("concat", cut(s, x, 1, 2), cut(s, x, 2, 4))) == ["slice"]
    apart = tidied(lambda s, x: s("concat", cut(s, x, 2, 6), cut(s, x, 0, 2)))
    assert apart == ["slice", "slice", "concat"]
    assert tidied(lambda s, x: s("concat", s("zeros", size=2), s("zeros", size=3))) == ["zeros"]


def test_a_concat_of_concats_is_one() -> None:
    def write(s: Sketch, x: int) -> int:
        return s("concat", s("concat", x, s("exp", x)), s("sin", x))

    assert tidied(write) == ["exp", "sin", "concat"]


def test_a_product_of_joined_input_and_state_is_split() -> None:
    s = Sketch()
    x, h = s.input(), s.state()
    new = s("linear", s("concat", x, h), s.parameter(H, K + H))
    program = check(simplify(s.program([new], [new])))
    assert ops(program) == ["linear", "linear", "add"]
    assert count(program, "setup", "slice") == 2


def test_a_product_of_joined_states_stays_one() -> None:
    s = Sketch()
    h, c = s.state(), s.state()
    y = s("linear", s("concat", h, c), s.parameter(H, 2 * H))
    assert ops(simplify(s.program([y], [y, y]))) == ["concat", "linear"]


@pytest.mark.parametrize("name", ["lstm-naive", "lstm-packed", "lstm-joined"])
def test_any_way_to_write_an_lstm_gives_the_same_step(name: str) -> None:
    program = prepared(CELLS[name]())
    assert [i.op for i in program.before] == ["linear", "add"]
    assert count(program, "loop", "linear") == 1
    # One sum of gates, then f·c + i·g.
    assert count(program, "loop", "add") == 2
    assert count(program, "loop", "slice") == 4
    assert len(program.loop) == 15


def test_additions_of_parts_that_do_not_meet_stay_apart() -> None:
    s = Sketch()
    x, h = s.input(6), s.state(6)
    first = s("add", cut(s, x, 0, 2), cut(s, h, 0, 2))
    second = s("add", cut(s, x, 4, 6), cut(s, h, 4, 6))
    shifted = s("add", cut(s, x, 2, 4), cut(s, h, 0, 2))
    program = simplify(s.program([first, second, shifted], [h]))
    assert ops(program).count("add") == 3


def assert_same_results(program: Program) -> None:
    arrays = arrays_for(program)
    expected = results(run(program, *arrays))
    for found, wanted in zip(results(run(prepared(program), *arrays)), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_additions_of_shifted_parts_join_where_they_are() -> None:
    s = Sketch()
    x, h = s.input(6), s.state(6)
    first = s("add", cut(s, x, 0, 2), cut(s, h, 2, 4))
    second = s("add", cut(s, h, 4, 6), cut(s, x, 2, 4))
    program = s.program([first, second], [h])
    assert ops(simplify(program)).count("add") == 1
    assert_same_results(program)


def test_a_part_may_be_added_to_two_parameters() -> None:
    s = Sketch()
    x = s.input(6)
    sums = [s("add", cut(s, x, i, i + 2), s.parameter(2)) for i in (0, 0, 2, 4)]
    program = s.program(sums, [])
    assert ops(simplify(program)).count("add") == 2
    assert_same_results(program)


def test_a_partial_sum_with_another_use_is_not_added_up_twice() -> None:
    s = Sketch()
    g, h, c, b = s.state(), s.state(), s.state(), s.parameter(H)
    s.input()
    partial = s("add", h, c)
    program = s.program([s("exp", partial), s("add", s("add", g, partial), b)], [g, h, c])
    assert ops(simplify(program)).count("add") == 3
    assert_same_results(program)


def test_slices_and_concats_of_a_matrix_keep_to_their_axes() -> None:
    s = Sketch()
    x, V, W = s.input(2), s.parameter(4, 6), s.parameter(4, 6)
    corner = s("slice", s("slice", V, start=1, stop=5, axis=1), start=1, stop=3, axis=0)
    inner = s("slice", s("slice", V, start=1, stop=5, axis=1), start=1, stop=3, axis=1)
    rows = s("concat", s("concat", V, W, axis=1), s("concat", W, V, axis=1), axis=0)
    part = s("slice", s("concat", V, W, axis=1), start=2, stop=4, axis=0)
    four = s("linear", x, inner)
    program = s.program(
        [
            s("linear", s("concat", x, x), corner),
            four,
            s("linear", s("concat", four, four, four), rows),
            s("linear", s("concat", four, four, four), part),
        ],
        [],
    )
    assert_same_results(program)


@pytest.mark.parametrize("name", CELLS)
def test_cells_keep_their_meaning(name: str) -> None:
    assert_same_results(CELLS[name]())


def test_simplifying_twice_is_simplifying_once() -> None:
    for cell in CELLS.values():
        assert simplify(simplify(cell())) == simplify(cell())


# Numbers whose sums and products are exact, so that rounding cannot excuse a difference.
FINITE = (-2.0, -1.0, -0.5, -0.0, 0.0, 0.5, 1.0, 2.0)
ANY = (*FINITE, np.nan, np.inf, -np.inf)
UNARY = ("neg", "abs", "relu", "copy")
BINARY = ("add", "add", "add", "sub", "mul", "maximum", "minimum", "gt", "eq")


class Draw:
    """A random program of ops whose results are exact."""

    def __init__(self, data: st.DataObject, products: bool) -> None:
        self.draw, self.products = data.draw, products
        self.s = Sketch()
        self.rows = [self.s.input(4), self.s.input(2), self.s.state(2), self.s.state(4)]
        self.leaves = list(self.rows)
        for _ in range(self.draw(st.integers(4, 14))):
            self.rows.append(self.step())

    def size(self, index: int) -> int:
        return self.s.builder.values[index].size

    def pick(self, pool: Sequence[int]) -> int:
        return self.draw(st.sampled_from(pool))

    def step(self) -> int:
        s, x = self.s, self.pick(self.rows[-6:])
        kinds = ["unary", "binary", "binary", "binary", "slice", "slice", "concat", "where"]
        kind = self.draw(st.sampled_from(kinds + ["linear"] * 3 * self.products))
        if kind == "unary":
            return s(self.draw(st.sampled_from(UNARY)), x)
        if kind == "binary":
            op = self.draw(st.sampled_from(BINARY))
            return s(op, x, self.partner(x, self.leaves if op == "mul" else self.rows))
        if kind == "slice":
            start = self.draw(st.integers(0, self.size(x) - 1))
            return cut(s, x, start, self.draw(st.integers(start + 1, self.size(x))))
        if kind == "concat":
            parts = [self.pick(self.rows) for _ in range(self.draw(st.integers(1, 2)))]
            return s("concat", x, *parts)
        if kind == "where":
            return s("where", x, self.partner(x, self.rows), self.partner(x, self.rows))
        return s("linear", x, s.parameter(self.draw(st.sampled_from([2, 4])), self.size(x)))

    def partner(self, x: int, pool: Sequence[int]) -> int:
        fitting = [i for i in pool if self.size(i) == self.size(x)]
        kind = self.draw(st.sampled_from(["row", "row", "parameter", "constant"]))
        if kind == "row" and fitting:
            return self.pick(fitting)
        if kind == "constant":
            return self.s.builder.constant(self.draw(st.sampled_from(FINITE)))
        return self.s.parameter(self.size(x))

    def program(self) -> Program:
        outputs = [self.rows[-1], *(self.pick(self.rows) for _ in range(2))]
        new = [self.pick([i for i in self.rows if self.size(i) == size]) for size in (2, 4)]
        return check(self.s.program(outputs, new))


def exact_arrays(program: Program, numbers: Sequence[float], seed: int) -> Arrays:
    rng = np.random.default_rng(seed)
    shapes = arrays_for(program)
    pools = (numbers, numbers, FINITE)
    inputs, states, parameters = (
        [rng.choice(pool, array.shape) for array in group]
        for pool, group in zip(pools, shapes, strict=True)
    )
    # Two steps keep the numbers small enough to be exact.
    return [x[:2] for x in inputs], states, parameters


@given(st.data(), st.integers(0, 99))
def test_random_programs_keep_nan_infinity_and_the_sign_of_zero(
    data: st.DataObject, seed: int
) -> None:
    program = Draw(data, products=False).program()
    arrays = exact_arrays(program, ANY, seed)
    expected = results(run(program, *arrays))
    for found, wanted in zip(results(run(prepared(program), *arrays)), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
        real = ~np.isnan(wanted)
        np.testing.assert_array_equal(np.signbit(found)[real], np.signbit(wanted)[real])


@given(st.data(), st.integers(0, 99))
def test_random_programs_with_products_keep_their_results(data: st.DataObject, seed: int) -> None:
    program = Draw(data, products=True).program()
    arrays = exact_arrays(program, ANY, seed)
    expected = results(run(program, *arrays))
    for found, wanted in zip(results(run(prepared(program), *arrays)), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@given(st.data(), st.integers(0, 99))
def test_random_programs_keep_their_gradients(data: st.DataObject, seed: int) -> None:
    program = Draw(data, products=True).program()
    arrays = exact_arrays(program, FINITE, seed)
    seeds = [np.sign(array) for array in seeds_for(program, arrays)]
    written = gradients(program, arrays, seeds)
    found = gradients(prepared(program), arrays, seeds)

    def listed(group: Sequence[Array | None], like: Sequence[Array]) -> list[Array]:
        return [np.zeros_like(a) if g is None else g for g, a in zip(group, like, strict=True)]

    for part, like in zip(("inputs", "states", "parameters"), arrays, strict=True):
        pairs = zip(
            listed(getattr(found, part), like), listed(getattr(written, part), like), strict=True
        )
        for gradient, wanted in pairs:
            np.testing.assert_array_equal(gradient, wanted)
