"""The options of the literature's cells, what they start as, and what each is made for."""

import pytest
import torch
from torch import Tensor, nn

from recurra.cells import (
    CELLS,
    JANET,
    LSTM,
    RHN,
    SLSTM,
    CoRNN,
    CoupledLSTM,
    IndRNN,
    LayerNormLSTM,
    MinGRU,
    PeepholeLSTM,
)
from recurra.cells.sizes import check_number
from recurra.errors import ArgumentError, ArgumentTypeError, RecurraError

INPUT, HIDDEN = 3, 4
OWN_EQUATIONS = [name for name in CELLS if name not in ("elman", "fcn", "gru", "lstm")]

REFUSED: list[tuple[str, dict[str, object], type[RecurraError], str]] = [
    ("peephole_lstm", {"forget_bias": "1"}, ArgumentTypeError, "forget_bias must be a number"),
    ("layer_norm_lstm", {"forget_bias": float("nan")}, ArgumentError, "must be finite, got nan"),
    ("coupled_lstm", {"forget_bias": None}, ArgumentTypeError, "forget_bias must be a number"),
    ("ind_rnn", {"activation": "rleu"}, ArgumentError, "activation='rleu' is not known"),
    ("ind_rnn", {"activation": 3}, ArgumentTypeError, "activation must be a name"),
    ("janet", {"beta": float("inf")}, ArgumentError, "beta must be finite, got inf"),
    ("janet", {"beta": True}, ArgumentTypeError, "beta must be a number, got True"),
    ("janet", {"longest": 1}, ArgumentError, "longest must be at least 2, got 1"),
    ("janet", {"longest": 0}, ArgumentError, "longest must be at least"),
    ("janet", {"longest": 9.5}, ArgumentTypeError, "longest must be a whole number"),
    ("janet", {"longest": 9, "bias": False}, ArgumentError, "needs bias=True"),
    ("co_rnn", {"dt": 0}, ArgumentError, "dt must be above 0, got 0"),
    ("co_rnn", {"gamma": -1.0}, ArgumentError, r"gamma must be above 0, got -1\.0"),
    ("co_rnn", {"epsilon": "4"}, ArgumentTypeError, "epsilon must be a number, got '4'"),
    ("s_lstm", {"heads": 3}, ArgumentError, "heads must divide hidden_size=4, got 3"),
    ("s_lstm", {"heads": 8}, ArgumentError, "heads must divide hidden_size=4, got 8"),
    ("s_lstm", {"heads": 0}, ArgumentError, "heads must be at least 1"),
    ("s_lstm", {"heads": 2.0}, ArgumentTypeError, "heads must be a whole number"),
    ("s_lstm", {"forget_bias": []}, ArgumentTypeError, "forget_bias must be a number"),
    ("rhn", {"depth": 0}, ArgumentError, "depth must be at least 1"),
    ("rhn", {"depth": 1001}, ArgumentError, "depth must be at most 1000"),
    ("rhn", {"transform_bias": None}, ArgumentTypeError, "transform_bias must be a number"),
]


@pytest.mark.parametrize(("name", "options", "kind", "message"), REFUSED)
def test_options_that_cannot_be_used_are_refused(
    name: str, options: dict[str, object], kind: type[RecurraError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        CELLS[name](INPUT, HIDDEN, **options)


def test_a_number_may_have_a_bound_below_it() -> None:
    check_number("rate", 0.5, above=0)
    check_number("rate", -3)
    with pytest.raises(ArgumentError, match=r"rate must be above 0\.5, got 0\.5"):
        check_number("rate", 0.5, above=0.5)


@pytest.mark.parametrize("name", OWN_EQUATIONS)
def test_torch_has_no_kernel_for_them(name: str) -> None:
    assert CELLS[name](INPUT, HIDDEN).torch_kernel() is None


def forget_bias_of(cell: nn.Module) -> Tensor:
    match cell:
        case LayerNormLSTM():
            return cell.bias.chunk(4)[1]
        case SLSTM():
            return cell.linear.bias.chunk(4)[1]
        case CoupledLSTM():
            return -cell.gates.bias_ih.chunk(3)[0]
        case JANET():
            return cell.gates.bias_ih.chunk(2)[0]
    return cell.gates.bias_ih.chunk(4)[1]


@pytest.mark.parametrize("kind", [PeepholeLSTM, LayerNormLSTM, CoupledLSTM, SLSTM])
@pytest.mark.parametrize("value", [None, 0.0, 2.5])
def test_only_the_forget_gates_bias_starts_at_the_value_asked_for(
    kind: type[PeepholeLSTM], value: float | None
) -> None:
    cell = kind(INPUT, HIDDEN) if value is None else kind(INPUT, HIDDEN, forget_bias=value)
    value = 1.0 if value is None else value
    assert torch.equal(forget_bias_of(cell).detach(), torch.full((HIDDEN,), value))
    biases = [p for name, p in cell.named_parameters() if "bias" in name]
    assert sum(int(b.count_nonzero()) for b in biases) == (HIDDEN if value else 0)


@pytest.mark.parametrize("name", OWN_EQUATIONS)
def test_the_weights_can_be_drawn_anew(name: str) -> None:
    cell = CELLS[name](INPUT, HIDDEN)
    fixed = {key: p.detach().clone() for key, p in cell.named_parameters()}
    for parameter in cell.parameters():
        nn.init.constant_(parameter, 7.0)
    cell.apply(lambda m: m.reset_parameters() if hasattr(m, "reset_parameters") else None)
    for key, parameter in cell.named_parameters():
        is_fixed = any(word in key for word in ("bias", "norm", "peephole"))
        assert torch.equal(parameter, fixed[key]) == is_fixed, key
        assert float(parameter.detach().abs().max()) < 7


def test_a_peephole_lstm_starts_as_an_lstm() -> None:
    usual, cell = LSTM(INPUT, HIDDEN), PeepholeLSTM(INPUT, HIDDEN)
    cell.gates.load_state_dict(usual.gates.state_dict())
    x, h, c = torch.randn(5, INPUT), torch.randn(5, HIDDEN), torch.randn(5, HIDDEN)
    torch.testing.assert_close(cell(x, h, c), usual(x, h, c))


def test_layer_norm_makes_the_scale_of_the_input_matter_little() -> None:
    cell = LayerNormLSTM(INPUT, HIDDEN).double()
    x = torch.randn(5, INPUT, dtype=torch.float64)
    h, c = torch.randn(2, 5, HIDDEN, dtype=torch.float64)
    torch.testing.assert_close(cell(1e6 * x, h, c), cell(1e3 * x, h, c), rtol=1e-5, atol=1e-5)


def test_a_coupled_lstms_cell_state_stays_between_what_it_was_and_what_comes_in() -> None:
    cell = CoupledLSTM(INPUT, HIDDEN)
    x, h, c = 100 * torch.randn(50, INPUT), torch.randn(50, HIDDEN), torch.rand(50, HIDDEN)
    with torch.no_grad():
        _, (_, new) = cell(x, h, c)
    assert float(new.abs().max()) <= 1


def test_a_min_gru_with_positive_candidates_stays_positive() -> None:
    x, h = 10 * torch.randn(50, INPUT), torch.rand(50, HIDDEN)
    assert float(MinGRU(INPUT, HIDDEN)(x, h)[0].detach().min()) > 0
    assert float(MinGRU(INPUT, HIDDEN, positive=False)(x, h)[0].detach().min()) < 0


@pytest.mark.parametrize("kind", [MinGRU, IndRNN])
def test_no_unit_sees_another_units_past(kind: type[MinGRU]) -> None:
    cell, x = kind(INPUT, HIDDEN), torch.randn(1, INPUT)
    jacobian = torch.autograd.functional.jacobian(lambda h: cell(x, h)[0], torch.rand(1, HIDDEN))
    square = jacobian.squeeze()
    assert torch.equal(square, square.diag().diag())
    assert square.diag().count_nonzero() > 0


def test_an_ind_rnns_recurrent_weights_start_between_zero_and_one() -> None:
    u = IndRNN(INPUT, 500).u.detach()
    assert 0 <= float(u.min()) < 0.05
    assert 0.95 < float(u.max()) < 1


@pytest.mark.parametrize("longest", [2, 50])
def test_a_janets_units_forget_at_rates_up_to_the_longest_dependency(longest: int) -> None:
    bias = forget_bias_of(JANET(INPUT, 500, longest=longest)).detach()
    steps = bias.exp()
    assert float(steps.min()) == pytest.approx(1, abs=0.02 * longest - 0.04 + 1e-6)
    assert float(steps.max()) == pytest.approx(longest - 1, abs=0.02 * longest - 0.04 + 1e-6)
    assert torch.equal(forget_bias_of(JANET(INPUT, HIDDEN)).detach(), torch.ones(HIDDEN))


def test_an_undriven_co_rnn_swings_and_dies_down() -> None:
    cell = CoRNN(INPUT, 1, gamma=4.0, epsilon=0.5, dt=0.1)
    for parameter in cell.parameters():
        nn.init.zeros_(parameter)
    h, z = torch.ones(1, 1), torch.zeros(1, 1)
    path = []
    with torch.no_grad():
        for _ in range(200):
            _, (h, z) = cell(torch.zeros(1, INPUT), h, z)
            path.append(float(h))
    assert min(path) < -0.5
    assert max(map(abs, path[-30:])) < 0.05


def test_a_deeper_rhn_carries_its_state_on_at_first() -> None:
    cell = RHN(INPUT, HIDDEN, depth=4, transform_bias=-30.0)
    x, h = torch.randn(5, INPUT), torch.randn(5, HIDDEN)
    torch.testing.assert_close(cell(x, h)[0], h)
    assert len(cell.others) == 3


def test_an_rhns_input_enters_its_first_layer_only() -> None:
    shapes = {name: tuple(p.shape) for name, p in RHN(INPUT, HIDDEN, depth=2).named_parameters()}
    assert [name for name, shape in shapes.items() if shape[-1] == INPUT] == ["first.weight_ih"]


# --- the sLSTM ---------------------------------------------------------------


def slstm_state(rows: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [torch.zeros(rows, HIDDEN, dtype=dtype) for _ in range(4)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [1.0, 300.0, 3000.0])
def test_gates_far_out_of_range_leave_an_slstm_and_its_gradients_finite(
    dtype: torch.dtype, scale: float
) -> None:
    cell = SLSTM(INPUT, HIDDEN, heads=2).to(dtype)
    state = slstm_state(20, dtype)
    outputs = []
    for _ in range(8):
        output, state = cell(scale * torch.randn(20, INPUT, dtype=dtype), *state)
        outputs.append(output)
        assert output.detach().abs().max() <= 1
        assert state[2].detach().min() >= 1
        assert all(s.isfinite().all() for s in state)
    torch.stack(outputs).float().sum().backward()
    assert all(p.grad.isfinite().all() for p in cell.parameters())


def test_the_first_input_is_all_that_an_slstm_knows_at_first() -> None:
    cell, x = SLSTM(INPUT, HIDDEN), torch.randn(5, INPUT)
    output, (_, c, n, m) = cell(x, *slstm_state(5))
    i, _, z, o = cell.linear(x).chunk(4, -1)
    torch.testing.assert_close(output, torch.sigmoid(o) * torch.tanh(z))
    torch.testing.assert_close(c, torch.tanh(z))
    assert torch.equal(n, torch.ones_like(n))
    assert torch.equal(m, i)


def test_an_slstms_output_does_not_depend_on_the_stabiliser() -> None:
    cell = SLSTM(INPUT, HIDDEN).double()
    _, (h, c, n, m) = cell(torch.randn(5, INPUT).double(), *slstm_state(5, torch.float64))
    x = torch.randn(5, INPUT).double()
    shifted = cell(x, h, 8 * c, 8 * n, m - torch.log(torch.tensor(8.0).double()))
    torch.testing.assert_close(cell(x, h, c, n, m)[0], shifted[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("normaliser", [-1.0, -0.3, 0.0, 1e-30, 0.2])
def test_an_slstm_may_start_from_any_state(normaliser: float) -> None:
    h, c, n, m = slstm_state(5)
    x = torch.randn(5, INPUT)
    output, state = SLSTM(INPUT, HIDDEN)(x, h, c + 0.5, n + normaliser, m)
    assert output.detach().abs().max() <= 1.5
    assert all(s.isfinite().all() for s in state)


def test_an_slstms_heads_do_not_see_one_another() -> None:
    cell, x = SLSTM(INPUT, 6, heads=3), torch.randn(1, INPUT)
    c, n, m = torch.rand(1, 6), torch.ones(1, 6) + 1, torch.zeros(1, 6)
    jacobian = torch.autograd.functional.jacobian(
        lambda h: cell(x, h, c, n, m)[0], torch.randn(1, 6)
    )
    blocks = jacobian.squeeze().reshape(3, 2, 3, 2).permute(0, 2, 1, 3)
    for j in range(3):
        for k in range(3):
            assert bool(blocks[j, k].count_nonzero()) == (j == k)


def test_each_gates_block_of_an_slstms_head_starts_orthogonal_on_its_own() -> None:
    cell = SLSTM(INPUT, 6, heads=2)
    for head in cell.weight_hh.detach():
        for block in head.chunk(4, -1):
            torch.testing.assert_close(block @ block.T, torch.eye(3), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "shown"),
    [
        ("min_gru", {"positive": False}, "positive=False"),
        ("ind_rnn", {"activation": "tanh"}, "activation=tanh"),
        ("janet", {"beta": 0.5}, "beta=0.5"),
        ("co_rnn", {"dt": 0.1}, "dt=0.1, gamma=2.7, epsilon=4.7"),
        ("s_lstm", {"heads": 2}, "heads=2"),
        ("rhn", {"depth": 5}, "depth=5"),
    ],
)
def test_the_repr_shows_the_options(name: str, options: dict[str, object], shown: str) -> None:
    assert shown in repr(CELLS[name](INPUT, HIDDEN, **options))
