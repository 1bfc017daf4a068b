"""Each op's meaning, its derivative against finite differences, and what it does with NaN."""

import math

import numpy as np
import pytest
from programs import Array, Sketch, arrays_for, assert_gradients_match, gradients, prepared

from recurra.errors import ProgramError
from recurra.program.ops import OPS, find_op
from recurra.program.program import Program
from recurra.program.reference import run

NAN, INF = math.nan, math.inf
POINTWISE = {name: op.arity for name, op in OPS.items() if op.pointwise}
COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne")
FLAT = (*COMPARISONS, "sign", "floor", "ceil", "trunc", "round")
# Where the derivative is compared, if not between 0.2 and 1.3
RANGES = dict.fromkeys(("asin", "acos", "atanh"), (-0.9, 0.9))
RANGES |= {"acosh": (1.2, 3.0), "fmod": (0.2, 0.6), "remainder": (0.2, 0.6)}
# name: attributes, for the ops on features that take one row
FEATURES: dict[str, dict[str, int]] = {
    "slice": {"start": 1, "stop": 4},
    "sum": {"groups": 2},
    "amax": {"groups": 2},
    "spread": {"times": 3},
    "transpose": {"height": 2, "width": 3},
}


def pointwise_program(name: str, kinds: str) -> Program:
    """One op on operands that are rows (r), parameters (p) or the constant 0.7 (c)."""
    s = Sketch()
    make = {"r": lambda: s.input(4), "p": lambda: s.parameter(4), "c": lambda: 0.7}
    y = s(name, *(make[kind]() for kind in kinds))
    return s.program([y], [])


def evaluate(name: str, *operands: list[float]) -> list[float]:
    """Return an op on rows of the numbers given."""
    s = Sketch()
    y = s(name, *(s.input(len(operand)) for operand in operands))
    result = run(s.program([y], []), [np.array([[operand]]) for operand in operands], [], [])
    return [float(number) for number in result.outputs[0][0, 0]]


def derivatives(name: str, *operands: list[float]) -> list[list[float]]:
    """Return the gradients of the sum of an op's results."""
    s = Sketch()
    program = s.program([s(name, *(s.input(len(operand)) for operand in operands))], [])
    arrays: tuple[list[Array], list[Array], list[Array]] = (
        [np.array([[operand]]) for operand in operands],
        [],
        [],
    )
    seeds = [np.ones_like(run(program, *arrays).outputs[0])]
    found = gradients(prepared(program), arrays, seeds).inputs
    return [[0.0] * len(operands[0]) if g is None else list(g[0, 0]) for g in found]


@pytest.mark.parametrize("name", [name for name in POINTWISE if name not in (*FLAT, "detach")])
def test_the_derivative_of_a_pointwise_op_is_that_of_finite_differences(name: str) -> None:
    kinds = {1: ["r"], 2: ["rr", "rp", "pr", "rc", "cr"], 3: ["rrr", "rpr", "rrc"]}
    for operands in kinds[POINTWISE[name] or 0]:
        program = pointwise_program(name, operands)
        if name == "where":
            s = Sketch()
            mask = s.input(4, "mask")
            others = [s.parameter(4) if kind == "p" else s.input(4) for kind in operands[1:]]
            program = s.program([s("where", mask, *others)], [])
        low, high = RANGES.get(name, (0.2, 1.3))
        assert_gradients_match(program, low, high)


@pytest.mark.parametrize(
    "name",
    [
        "abs",
        "relu",
        "tanh",
        "sigmoid",
        "erf",
        "sin",
        "maximum",
        "atan",
        "asinh",
        "sinh",
        "atan2",
        "logaddexp",
    ],
)
def test_the_derivative_holds_on_both_sides_of_zero(name: str) -> None:
    assert_gradients_match(pointwise_program(name, "r" * (POINTWISE[name] or 0)), -2.0, 2.0)


@pytest.mark.parametrize("exponent", [-1.0, 0.5, 1.0, 2.0, 3.0])
def test_the_derivative_of_a_constant_power_is_right(exponent: float) -> None:
    s = Sketch()
    assert_gradients_match(s.program([s("pow", s.input(3), exponent)], []), 0.2, 1.5)


@pytest.mark.parametrize("name", FLAT)
def test_steps_have_no_gradient(name: str) -> None:
    assert derivatives(name, *[[0.5, -1.0]] * (POINTWISE[name] or 0)) == [[0.0, 0.0]] * (
        POINTWISE[name] or 0
    )


@pytest.mark.parametrize("name", FEATURES)
def test_the_derivative_of_an_op_on_features_is_that_of_finite_differences(name: str) -> None:
    s = Sketch()
    y = s(name, s("tanh", s.input(6)), **FEATURES[name])
    assert_gradients_match(s.program([y], []))


def test_the_derivatives_of_products_and_concats_are_those_of_finite_differences() -> None:
    s = Sketch()
    x, W = s.input(2), s.parameter(3, 2)
    y = s("linear", x, W)
    back = s("linear_t", s("sin", y), W)
    joined = s("concat", back, s("mul", x, x), s("zeros", size=2), s("copy", y))
    assert_gradients_match(s.program([joined], []))


def test_setup_takes_slices_concats_and_pointwise_ops_of_parameters() -> None:
    s = Sketch()
    x, V, W, p = s.input(2), s.parameter(3, 4), s.parameter(1, 2), s.parameter(4)
    U = s("concat", s("slice", V, start=1, stop=3, axis=1), W, axis=0)
    q = s("where", s("gt", p, 0.0), s("exp", s("mul", p, 2.0)), s("sub", 1.0, s("pow", p, 2.0)))
    y = s("add", s("linear", x, s("tanh", U)), q)
    assert_gradients_match(s.program([y], []))


@pytest.mark.parametrize("name", [n for n in POINTWISE if n not in (*COMPARISONS, "sign", "where")])
def test_pointwise_ops_keep_nan(name: str) -> None:
    others = [[0.5]] * ((POINTWISE[name] or 0) - 1)
    assert math.isnan(evaluate(name, [NAN], *others)[0])
    if others and name != "pow":
        assert math.isnan(evaluate(name, [0.5], [NAN])[0])


def test_comparisons_with_nan_are_false_but_for_ne() -> None:
    found = {name: evaluate(name, [NAN, 1.0], [1.0, NAN]) for name in COMPARISONS}
    assert found.pop("ne") == [1.0, 1.0]
    assert all(result == [0.0, 0.0] for result in found.values())


def test_where_takes_nan_for_true_and_passes_nothing_to_what_is_not_taken() -> None:
    assert evaluate("where", [NAN, 0.0, -0.0, 2.0], [1.0] * 4, [5.0] * 4) == [1.0, 5.0, 5.0, 1.0]
    c, a, b = derivatives("where", [2.0, 0.0, NAN], [NAN] * 3, [INF] * 3)
    assert (c, a, b) == ([0.0] * 3, [1.0, 0.0, 1.0], [0.0, 1.0, 0.0])


def test_kinks_and_ties_have_the_gradients_that_torch_gives_them() -> None:
    assert derivatives("relu", [0.0, -1.0, 1.0, NAN]) == [[0.0, 0.0, 1.0, 1.0]]
    assert derivatives("abs", [0.0, -1.0, 1.0]) == [[0.0, -1.0, 1.0]]
    assert derivatives("sqrt", [0.0, -0.0]) == [[INF, -INF]]
    assert derivatives("maximum", [1.0, 1.0, NAN], [1.0, 2.0, 1.0]) == [[0.5, 0, 1], [0.5, 1, 1]]
    assert derivatives("minimum", [1.0, 1.0, NAN], [1.0, 2.0, 1.0]) == [[0.5, 1, 1], [0.5, 0, 1]]
    assert derivatives("pow", [0.0], [0.0]) == [[0.0], [0.0]]


def test_the_largest_of_a_group_shares_its_gradient_among_ties_and_keeps_nan() -> None:
    s = Sketch()
    program = s.program([s("amax", s.input(6), groups=2)], [])
    arrays = arrays_for(program)
    arrays[0][0][...] = [2.0, 2.0, 1.0, NAN, 1.0, 0.0]
    seeds = [np.ones((*arrays[0][0].shape[:2], 2))]
    (found,) = gradients(prepared(program), arrays, seeds).inputs
    assert found is not None
    np.testing.assert_array_equal(found[0, 0], [0.5, 0.5, 0.0, NAN, NAN, NAN])


def test_signs_of_zero_and_nan_are_those_of_torch() -> None:
    assert math.copysign(1, evaluate("relu", [-0.0])[0]) == -1
    assert evaluate("sign", [-2.0, 0.0, 3.0, INF, NAN]) == [-1.0, 0.0, 1.0, 1.0, 0.0]


def test_functions_have_their_values() -> None:
    x = [-1.5, 0.25, 2.0]
    assert evaluate("erf", x) == pytest.approx([math.erf(v) for v in x], rel=1e-15)
    assert evaluate("sigmoid", [0.0, -1e4, 1e4]) == [0.5, 0.0, 1.0]
    assert evaluate("rsqrt", [4.0]) == [0.5]
    assert evaluate("log1p", [1e-12]) == pytest.approx([1e-12], rel=1e-9)


def test_an_unknown_op_is_an_error() -> None:
    with pytest.raises(ProgramError, match="no op 'softmax'"):
        find_op("softmax")
