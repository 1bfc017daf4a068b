"""The LSTM in its two forms against its formulas, written out in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from recurra.cells import LSTM
from recurra.errors import ArgumentError, ArgumentTypeError

INPUT, HIDDEN = 3, 4


def sigmoid(v: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-v))


@pytest.mark.parametrize("proj_size", [0, 2], ids=["whole", "projected"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("squash_cell", [False, True], ids=["usual", "lesson"])
def test_a_step_is_the_formulas(squash_cell: bool, bias: bool, proj_size: int) -> None:
    cell = LSTM(INPUT, HIDDEN, bias=bias, squash_cell=squash_cell, proj_size=proj_size).double()
    if bias:
        nn.init.normal_(cell.gates.bias_ih)
        nn.init.normal_(cell.gates.bias_hh)
    x = torch.randn(5, INPUT, dtype=torch.float64)
    h = torch.randn(5, proj_size or HIDDEN, dtype=torch.float64)
    c = torch.randn(5, HIDDEN, dtype=torch.float64)
    output, (new_h, new_c) = cell(x, h, c)

    w = {name: p.detach().numpy() for name, p in cell.gates.named_parameters()}
    both = np.concatenate([x.numpy(), h.numpy()], -1)  # the lesson's [x_t, h_{t-1}]
    W = np.concatenate([w["weight_ih"], w["weight_hh"]], -1)
    b = w["bias_ih"] + w["bias_hh"] if bias else np.zeros(4 * HIDDEN)
    gate = {
        letter: both @ W[k * HIDDEN : (k + 1) * HIDDEN].T + b[k * HIDDEN : (k + 1) * HIDDEN]
        for k, letter in enumerate("ifgo")
    }
    i, f, o = sigmoid(gate["i"]), sigmoid(gate["f"]), sigmoid(gate["o"])
    C = f * c.numpy() + i * np.tanh(gate["g"])
    C = sigmoid(C) if squash_cell else C
    H = o * np.tanh(C)
    if proj_size:
        assert cell.weight_hr is not None
        H = H @ cell.weight_hr.detach().numpy().T
    np.testing.assert_allclose(new_c.detach().numpy(), C, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(new_h.detach().numpy(), H, rtol=1e-10, atol=1e-12)
    assert output is new_h


def test_the_lessons_cell_state_stays_between_zero_and_one() -> None:
    x, h, c = 100 * torch.randn(5, INPUT), torch.randn(5, HIDDEN), 100 * torch.randn(5, HIDDEN)
    with torch.no_grad():
        _, (_, squashed) = LSTM(INPUT, HIDDEN, squash_cell=True)(x, h, c)
        _, (_, usual) = LSTM(INPUT, HIDDEN)(x, h, c)
    assert 0 <= float(squashed.min()) <= float(squashed.max()) <= 1
    assert float(usual.abs().max()) > 1


@pytest.mark.parametrize("forget_bias", [0.0, 1.0, 2.5])
def test_only_the_forget_gates_bias_starts_at_the_value_asked_for(forget_bias: float) -> None:
    cell = LSTM(INPUT, HIDDEN, forget_bias=forget_bias)
    i, f, g, o = (cell.gates.bias_ih + cell.gates.bias_hh).detach().chunk(4)
    assert torch.equal(f, torch.full((HIDDEN,), forget_bias))
    for other in (i, g, o):
        assert torch.equal(other, torch.zeros(HIDDEN))


def test_the_forget_bias_is_one_by_default() -> None:
    assert torch.equal(LSTM(INPUT, HIDDEN).gates.bias_ih.detach().chunk(4)[1], torch.ones(HIDDEN))


def test_without_bias_there_is_no_forget_bias() -> None:
    cell = LSTM(INPUT, HIDDEN, bias=False)
    assert [name for name, _ in cell.named_parameters()] == ["gates.weight_ih", "gates.weight_hh"]


def test_reset_parameters_sets_the_forget_bias_again() -> None:
    cell = LSTM(INPUT, HIDDEN, proj_size=2)
    before = {name: p.detach().clone() for name, p in cell.named_parameters()}
    for parameter in cell.parameters():
        nn.init.constant_(parameter, 7.0)
    cell.reset_parameters()
    for name, parameter in cell.named_parameters():
        if "bias" in name:
            assert torch.equal(parameter, before[name])
        else:
            assert not torch.equal(parameter, before[name])
            assert float(parameter.detach().abs().max()) < 7


def test_the_projection_sets_the_size_of_the_output_and_of_h() -> None:
    cell = LSTM(INPUT, HIDDEN, proj_size=2)
    assert cell.state_sizes == {"h": 2, "c": HIDDEN}
    assert cell.output_size == 2


@pytest.mark.parametrize("proj_size", [HIDDEN, HIDDEN + 1, -1])
def test_a_projection_that_does_not_shrink_is_refused(proj_size: int) -> None:
    with pytest.raises(ArgumentError, match="proj_size must be"):
        LSTM(INPUT, HIDDEN, proj_size=proj_size)


def test_a_projection_that_is_no_whole_number_is_refused() -> None:
    with pytest.raises(ArgumentTypeError, match="proj_size must be a whole number"):
        LSTM(INPUT, HIDDEN, proj_size=1.5)


def test_torch_has_a_kernel_for_the_usual_form_only() -> None:
    usual = LSTM(INPUT, HIDDEN, proj_size=2).torch_kernel()
    assert usual is not None
    assert usual[0] == "lstm"
    shapes = [tuple(weight.shape) for weight in usual[1]]
    assert shapes == [(16, 3), (16, 2), (16,), (16,), (2, 4)]
    assert LSTM(INPUT, HIDDEN, squash_cell=True).torch_kernel() is None


def test_the_repr_shows_the_form() -> None:
    assert "squash_cell=True" in repr(LSTM(INPUT, HIDDEN, squash_cell=True))
