"""The RNN whose matrices are fully connected networks, against its formula in NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from recurra.cells import FCN, Elman
from recurra.cells.fcn import FullyConnected
from recurra.errors import ArgumentError, ArgumentTypeError

INPUT, HIDDEN, WIDTH, OUTPUT = 3, 4, 5, 2


def by_hand(net: FullyConnected, v: np.ndarray, depth: int, bias: bool) -> np.ndarray:
    assert len(net.layers) == depth
    for k, layer in enumerate(net.layers):
        v = np.tanh(v) if k else v
        v = v @ layer.weight.detach().numpy().T
        if bias:
            v = v + layer.bias.detach().numpy()
        else:
            assert layer.bias is None
    return v


@pytest.mark.parametrize("output_size", [None, OUTPUT], ids=["state", "read-out"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_step_is_the_formula(depth: int, bias: bool, output_size: int | None) -> None:
    cell = FCN(INPUT, HIDDEN, bias=bias, depth=depth, width=WIDTH, output_size=output_size).double()
    for name, parameter in cell.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
    x = torch.randn(6, INPUT, dtype=torch.float64)
    h = torch.randn(6, HIDDEN, dtype=torch.float64)
    output, (new,) = cell(x, h)
    wanted = np.tanh(
        by_hand(cell.net_hh, h.numpy(), depth, bias) + by_hand(cell.net_xh, x.numpy(), depth, bias)
    )
    np.testing.assert_allclose(new.detach().numpy(), wanted, rtol=1e-10, atol=1e-12)
    if output_size is None:
        assert output is new
    else:
        wanted = by_hand(cell.net_hy, wanted, depth, bias)
        np.testing.assert_allclose(output.detach().numpy(), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_at_depth_one_it_is_the_vanilla_rnn(activation: str) -> None:
    fcn = FCN(INPUT, HIDDEN, depth=1, activation=activation, output_size=OUTPUT).double()
    elman = Elman(INPUT, HIDDEN, activation=activation, output_size=OUTPUT).double()
    (xh,), (hh,), (hy,) = fcn.net_xh.layers, fcn.net_hh.layers, fcn.net_hy.layers
    for layer in (xh, hh, hy):
        nn.init.normal_(layer.bias)
    same = {
        "affine.weight_ih": xh.weight,
        "affine.bias_ih": xh.bias,
        "affine.weight_hh": hh.weight,
        "affine.bias_hh": hh.bias,
        "readout.weight": hy.weight,
        "readout.bias": hy.bias,
    }
    elman.load_state_dict(same)
    x = torch.randn(6, INPUT, dtype=torch.float64)
    h = torch.randn(6, HIDDEN, dtype=torch.float64)
    torch.testing.assert_close(fcn(x, h), elman(x, h), rtol=0, atol=1e-14)


def test_the_width_is_the_hidden_size_if_it_is_not_given() -> None:
    shapes = [tuple(layer.weight.shape) for layer in FCN(INPUT, HIDDEN, depth=3).net_xh.layers]
    assert shapes == [(HIDDEN, INPUT), (HIDDEN, HIDDEN), (HIDDEN, HIDDEN)]


def test_the_activation_stands_between_the_layers_too() -> None:
    linear = FCN(INPUT, HIDDEN, depth=3, width=WIDTH, activation="identity", bias=False).double()
    x = torch.randn(6, INPUT, dtype=torch.float64)
    _, (new,) = linear(x, torch.zeros(6, HIDDEN, dtype=torch.float64))
    product = torch.linalg.multi_dot([layer.weight for layer in reversed(linear.net_xh.layers)])
    torch.testing.assert_close(new, x @ product.T, rtol=1e-10, atol=1e-12)


def test_the_path_from_state_to_state_starts_orthogonal_and_biases_at_zero() -> None:
    cell = FCN(INPUT, HIDDEN, depth=2, width=WIDTH)
    for layer in cell.net_hh.layers:
        weight = layer.weight.detach()
        short = weight if weight.shape[0] <= weight.shape[1] else weight.T
        torch.testing.assert_close(short @ short.T, torch.eye(len(short)), rtol=0, atol=1e-5)
    for name, parameter in cell.named_parameters():
        if name.endswith("bias"):
            assert torch.count_nonzero(parameter) == 0


@pytest.mark.parametrize("option", ["depth", "width"])
@pytest.mark.parametrize("value", [0, -1])
def test_a_depth_or_width_below_one_is_refused(option: str, value: int) -> None:
    with pytest.raises(ArgumentError, match=f"{option} must be at least 1, got {value}"):
        FCN(INPUT, HIDDEN, **{option: value})


@pytest.mark.parametrize("option", ["depth", "width"])
@pytest.mark.parametrize("value", [1.5, "2", True])
def test_a_depth_or_width_that_is_no_whole_number_is_refused(option: str, value: object) -> None:
    with pytest.raises(ArgumentTypeError, match=f"{option} must be a whole number"):
        FCN(INPUT, HIDDEN, **{option: value})


def test_the_repr_shows_depth_width_and_activation() -> None:
    assert "depth=3, width=5, activation=relu" in repr(
        FCN(INPUT, HIDDEN, depth=3, width=WIDTH, activation="relu")
    )
