"""What leaves the loop, and what must stay."""

import numpy as np
import pytest
from programs import CELLS, H, K, Sketch, arrays_for, count, prepared, results

from recurra.program.check import check
from recurra.program.hoist import hoist
from recurra.program.program import Program
from recurra.program.reference import run


def ops(program: Program, part: str) -> list[str]:
    return [instruction.op for instruction in getattr(program, part)]


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("pointwise", [True, False])
def test_hoisting_alone_keeps_the_meaning(name: str, pointwise: bool) -> None:
    program = CELLS[name]()
    hoisted = check(hoist(program, pointwise))
    arrays = arrays_for(program)
    for found, expected in zip(
        results(run(hoisted, *arrays)), results(run(program, *arrays)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("order", ["(xb)h", "x(hb)", "(hb)(xc)", "(hx)b"])
def test_all_that_has_no_state_is_summed_before_the_loop(order: str) -> None:
    s = Sketch()
    x, h = s.input(), s.state()
    x = s("linear", x, s.parameter(H, K))
    h = s("linear", h, s.parameter(H, H))
    b, c = s.parameter(H), s.parameter(H)
    gate = {
        "(xb)h": lambda: s.total(x, b, c, h),
        "x(hb)": lambda: s.total(x, s.total(h, b, c)),
        "(hb)(xc)": lambda: s.total(s.total(h, b), s.total(x, c)),
        "(hx)b": lambda: s.total(h, x, c, b),
    }[order]()
    new = s("tanh", gate)
    program = check(hoist(s.program([new], [new])))
    assert ops(program, "setup") == ["add"]
    assert ops(program, "before") == ["linear", "add"]
    assert ops(program, "loop") == ["linear", "add", "tanh"]


def test_a_bias_under_the_reset_gate_stays_with_its_product() -> None:
    s = Sketch()
    x, h, b = s.input(H), s.state(), s.parameter(H)
    inner = s("add", s("linear", h, s.parameter(H, H)), b)
    new = s("tanh", s("add", x, s("mul", s("sigmoid", h), inner)))
    program = check(hoist(s.program([new], [new])))
    assert ops(program, "before") == []
    assert count(program, "loop", "add") == 2


def test_what_no_state_needs_comes_after_the_loop() -> None:
    program = prepared(CELLS["read-out"]())
    assert ops(program, "after") == ["linear", "add"]
    assert ops(program, "before") == ["linear"]
    assert count(program, "loop", "linear") == 1


def test_a_cell_whose_gates_are_of_the_input_has_no_product_in_the_loop() -> None:
    program = prepared(CELLS["min-gru"]())
    assert count(program, "before", "linear") == 1
    assert count(program, "loop", "linear") == 0
    assert "sigmoid" in ops(program, "before")


def test_an_output_and_a_product_of_the_same_state_stay_apart() -> None:
    s = Sketch()
    x, h = s.input(H), s.state()
    new = s("tanh", s("add", x, s("linear", h, s.parameter(H, H))))
    y = s("linear", h, s.parameter(2, H))
    program = prepared(s.program([y], [new]))
    assert ops(program, "loop") == ["linear", "add", "tanh"]
    assert ops(program, "after") == ["linear"]


def test_without_pointwise_only_products_and_what_they_need_leave() -> None:
    s = Sketch()
    x, h, W = s.input(H), s.state(), s.parameter(H, H)
    product = s("linear", s("exp", x), W)
    sine = s("sin", x)
    new = s("add", s("mul", sine, h), product)
    after = s("linear", s("cos", sine), W)
    program = check(hoist(s.program([after], [new]), pointwise=False))
    assert ops(program, "before") == ["exp", "linear"]
    assert ops(program, "loop") == ["sin", "mul", "add"]
    assert ops(program, "after") == ["cos", "linear"]


@pytest.mark.parametrize("name", CELLS)
def test_hoisting_what_is_hoisted_moves_nothing(name: str) -> None:
    program = prepared(CELLS[name]())
    again = hoist(program)
    for part in ("setup", "before", "loop", "after"):
        assert ops(again, part) == ops(program, part)
