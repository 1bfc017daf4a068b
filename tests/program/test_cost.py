"""The operations of programs, counted by hand."""

import pytest
from programs import H, K, Sketch, gru_after, lstm_packed

from recurra.program.cost import Flops, count_flops
from recurra.program.differentiate import differentiate
from recurra.program.hoist import hoist
from recurra.program.simplify import simplify


def test_an_lstm() -> None:
    program = hoist(simplify(lstm_packed()))
    # W·x and U·h of 4·H rows; two sums of 4·H, three σ, two tanh, three products, one sum of H.
    assert count_flops(program) == Flops(2 * 4 * H * K + 2 * 4 * H * H, (4 + 4 + 9) * H)
    # Each weight once for what goes on and once for its own gradient. Of H: ∂h' + ∂out, o and
    # tanh(c') 2, tanh' 3, ∂c' 1, i and g 2, tanh' 3, f and c 2, three σ' of 3; the bias 4.
    backward = count_flops(differentiate(program).program)
    assert backward == Flops(2 * (2 * 4 * H * K + 2 * 4 * H * H), (1 + 2 + 3 + 1 + 9 + 9 + 2) * H)
    assert backward.total == 240 + 81


def test_a_gru() -> None:
    program = hoist(simplify(gru_after()))
    # Two biases of 3·H, a sum of 2·H; σ, σ, tanh, r * ..., + ..., 1 - z, * n, z * h, + of H.
    assert count_flops(program) == Flops(2 * 3 * H * K + 2 * 3 * H * H, (3 + 3 + 2 + 9) * H)
    # ∂h' + ∂out, 1 - z, four products with it, tanh' 3, r and U·h 2, σ' of r 3, z: a difference
    # and (1 - z) * z and a product, ∂h one sum; the two biases 3 each.
    backward = count_flops(differentiate(program).program)
    assert backward == Flops(
        2 * (2 * 3 * H * K + 2 * 3 * H * H), (1 + 1 + 4 + 3 + 2 + 3 + 3 + 1 + 6) * H
    )


def test_moves_are_free_and_sums_count_what_goes_in() -> None:
    s = Sketch()
    x, h = s.input(6), s.state(6)
    both = s("concat", s("slice", x, start=0, stop=3), s("slice", h, start=0, stop=3))
    largest = s("spread", s("amax", both, groups=2), times=3)
    program = s.program([s("copy", s("detach", largest))], [h])
    assert count_flops(program) == Flops(0, 6)
    s("zeros", size=6)
    summed = s("sum", s("add", largest, x), groups=1)
    assert count_flops(s.program([summed], [h])) == Flops(0, 6 + 6 + 6)


def test_what_runs_once_a_call_is_not_counted() -> None:
    s = Sketch()
    x, h, w = s.input(), s.state(), s.parameter(H, K)
    doubled = s("add", w, w)
    program = s.program([s("linear", x, doubled)], [h])
    assert program.setup
    assert count_flops(program) == Flops(2 * H * K, 0)


@pytest.mark.parametrize("size", [1, 5])
def test_the_total_is_both(size: int) -> None:
    assert Flops(size, 2).total == size + 2
