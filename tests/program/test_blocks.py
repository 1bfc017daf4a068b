"""Ops on a row's features as blocks: shapes, derivatives, and the rules that make products."""

import numpy as np
import pytest
from programs import Sketch, assert_gradients_match

from recurra.errors import ProgramError
from recurra.program.ops import find_op
from recurra.program.program import Program
from recurra.program.reference import run
from recurra.program.simplify import simplify
from recurra.program.trace_strides import moves_to

Attributes = dict[str, int | str]
OPS: list[tuple[str, Attributes]] = [
    ("sum", {"groups": 2, "inner": 3}),
    ("sum", {"groups": 1, "inner": 4}),
    ("amax", {"groups": 2, "inner": 2}),
    ("spread", {"times": 3, "inner": 4}),
    ("transpose", {"height": 3, "width": 2, "inner": 2}),
    ("transpose", {"height": 2, "width": 3}),
    ("matmul", {"groups": 1, "height": 3, "width": 3}),
    ("matmul", {"groups": 2, "height": 3, "width": 3}),
    ("matmul", {"groups": 3, "height": 2, "width": 2, "turned": "a"}),
    ("matmul", {"groups": 1, "height": 2, "width": 2, "turned": "b"}),
]


@pytest.mark.parametrize(("name", "attributes"), OPS)
def test_the_derivative_of_an_op_on_blocks_is_that_of_finite_differences(
    name: str, attributes: Attributes
) -> None:
    s = Sketch()
    operands = [s("tanh", s.input(12)) for _ in range(find_op(name).arity or 0)]
    assert_gradients_match(s.program([s(name, *operands, **attributes)], []))


@pytest.mark.parametrize(
    ("name", "attributes", "said"),
    [
        ("sum", {"groups": 2, "inner": 4}, "2 groups of 4 side by side"),
        ("spread", {"times": 2, "inner": 5}, "repeat 2 times, 5 together"),
        ("transpose", {"height": 5, "width": 2}, "blocks of 10"),
        ("matmul", {"groups": 1, "height": 5, "width": 2}, r"\(5, k\) and \(k, 2\)"),
        ("matmul", {"groups": 1, "height": 3, "width": 3, "turned": "c"}, "a or b turned"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(name: str, attributes: Attributes, said: str) -> None:
    shapes = [(12,)] * (find_op(name).arity or 0)
    with pytest.raises(ProgramError, match=said):
        find_op(name).shape(shapes, attributes)


def same(program: Program, sizes: list[int]) -> list[str]:
    """Hold a program to its simplified form, and return the ops of that."""
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(2, 3, n)) for n in sizes]
    short = simplify(program)
    wanted, found = (run(p, inputs, [], []).outputs[0] for p in (program, short))
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-13)
    return [i.op for i in short.loop]


def test_copies_that_are_multiplied_are_a_product() -> None:
    s = Sketch()
    a, b = s.input(6), s.input(8)  # two groups: (2, 3, 1) and (2, 1, 4)
    y = s("mul", s("spread", b, times=3, inner=4), s("spread", a, times=4))
    assert same(s.program([y], []), [6, 8]) == ["matmul"]


def test_copies_of_another_shape_are_no_product() -> None:
    s = Sketch()
    a, b = s.input(4), s.input(4)
    y = s("mul", s("spread", b, times=3), s("spread", a, times=3))
    assert "matmul" not in same(s.program([y], []), [4, 4])


@pytest.mark.parametrize(
    ("copied", "summed"),
    [
        ({"times": 4}, {"groups": 2, "inner": 4}),  # b (2, 3, 1), A (2, 3, 4) over the 3
        ({"times": 2, "inner": 6}, {"groups": 4}),  # b (2, 1, 6), A (2, 2, 6) over the 6
    ],
)
def test_sums_of_multiples_are_a_product(copied: Attributes, summed: Attributes) -> None:
    s = Sketch()
    small = 24 // int(copied["times"])
    y = s("sum", s("mul", s.input(24), s("spread", s.input(small), **copied)), **summed)
    assert same(s.program([y], []), [24, small]) == ["matmul"]


def test_a_sum_of_multiples_of_parameters_stays_as_it_is() -> None:
    s = Sketch()
    y = s("sum", s("mul", s.parameter(12), s("spread", s.input(4), times=3)), groups=4)
    assert [i.op for i in simplify(s.program([y], [])).loop] == ["spread", "mul", "sum"]


def test_a_sum_along_another_axis_stays_a_sum() -> None:
    s = Sketch()
    y = s("sum", s("mul", s.input(24), s("spread", s.input(6), times=4)), groups=4, inner=6)
    assert same(s.program([y], []), [24, 6])[-1] == "sum"


@pytest.mark.parametrize("turned", ["", "a", "b"])
def test_a_product_reads_transposed_matrices_as_they_are_stored(turned: str) -> None:
    s = Sketch()
    a, b = s.input(12), s.input(20)  # (3, 4) · (4, 5), or stored the other way
    sides = {"groups": 1, "height": 3, "width": 5} | ({"turned": turned} if turned else {})
    if turned == "a":
        a = s("transpose", a, height=3, width=4)
    elif turned == "b":
        b = s("transpose", b, height=4, width=5)
    else:
        a = s("transpose", a, height=4, width=3)
    assert same(s.program([s("matmul", a, b, **sides)], []), [12, 20]) == ["matmul"]


def test_a_transpose_of_a_transpose_is_nothing() -> None:
    s = Sketch()
    y = s("transpose", s("transpose", s.input(12), height=3, width=4), height=4, width=3)
    assert same(s.program([s("tanh", y)], []), [12]) == ["tanh"]


def arranged(shape: tuple[int, ...], pick: object) -> None:
    """Hold the moves that are found to NumPy's own."""
    size = int(np.prod(shape))
    wanted = pick(np.arange(size).reshape(shape)).ravel()  # type: ignore[operator]
    moves = moves_to(wanted, size)
    assert moves is not None
    found = np.arange(float(size))[None]
    for op, n, attributes in moves.steps:
        found = find_op(op).meaning(found, **attributes)
        assert found.shape == (1, n)
    np.testing.assert_array_equal(found[0], wanted)
    assert len(moves.steps) <= 4


def test_moves_along_axes_are_few_ops() -> None:
    arranged((4, 6), lambda x: x.T)
    arranged((2, 3, 4, 5), lambda x: x.transpose(3, 1, 0, 2))
    arranged((2, 3, 4, 5), lambda x: x.transpose(0, 2, 1, 3))
    arranged((30,), lambda x: x[1::3])
    arranged((30,), lambda x: x[2::3])
    arranged((10, 6), lambda x: x[:, 2:4])
    arranged((10, 6), lambda x: x[3:8, 5])
    arranged((6, 4), lambda x: np.broadcast_to(x[:, None, :, None], (6, 3, 4, 2)))
    arranged((6, 4), lambda x: np.tile(x.T, (2, 1)))


def test_moves_that_are_no_loops_are_left_to_slices() -> None:
    for flat in ([3, 2, 1, 0], [0, 4, 8], [0, 1, 3, 4, 5], [0, 2, 1, 3, 5, 9]):
        assert moves_to(np.array(flat), 10) is None


@pytest.mark.parametrize("turned", ["", "a", "b"])
@pytest.mark.parametrize(("m", "k", "n"), [(3, 4, 1), (1, 4, 3), (3, 1, 4), (1, 4, 1)])
def test_products_of_vectors_lie_along_rows(m: int, k: int, n: int, turned: str) -> None:
    s = Sketch()
    sides = {"groups": 2, "height": m, "width": n} | ({"turned": turned} if turned else {})
    program = s.program([s("matmul", s.input(2 * m * k), s.input(2 * k * n), **sides)], [])
    assert same(program, [2 * m * k, 2 * k * n]) == ["matmul"]
    (short,) = simplify(program).loop
    assert short.attribute("width") == max(m, n) or short.attribute("height") == m > 1
