"""The vanilla RNN against its formula, written out in NumPy."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recurra.cells import ACTIVATIONS, Elman
from recurra.errors import ArgumentError, ArgumentTypeError

Function = Callable[[np.ndarray], np.ndarray]


def sigmoid(v: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-v))


def softplus(v: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(v))


def elu(v: np.ndarray) -> np.ndarray:
    return np.where(v > 0, v, np.exp(v) - 1)


# Each activation's definition; SELU's two constants are those of Klambauer et al. (2017).
PHI: dict[str, Function] = {
    "identity": lambda v: v,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda v: np.where(v > 0, v, 0),
    "gelu": lambda v: v * (1 + np.vectorize(math.erf)(v / math.sqrt(2))) / 2,
    "silu": lambda v: v * sigmoid(v),
    "mish": lambda v: v * np.tanh(softplus(v)),
    "elu": elu,
    "selu": lambda v: 1.0507009873554805 * np.where(v > 0, v, 1.6732632423543772 * (np.exp(v) - 1)),
    "leaky_relu": lambda v: np.where(v > 0, v, 0.01 * v),
    "softplus": softplus,
    "softsign": lambda v: v / (1 + np.abs(v)),
    "hardtanh": lambda v: np.clip(v, -1, 1),
    "hardsigmoid": lambda v: np.clip(v / 6 + 0.5, 0, 1),
    "sin": np.sin,
}


def run(cell: Elman) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Step once from inputs large enough to reach the bends of every activation."""
    x = 3 * torch.randn(5, 3, dtype=torch.float64)
    h = 3 * torch.randn(5, 4, dtype=torch.float64)
    output, (new,) = cell.double()(x, h)
    return x, h, output, new


def with_random_biases(cell: Elman) -> Elman:
    for name, parameter in cell.named_parameters():
        if "bias" in name:
            nn.init.normal_(parameter)
    return cell


def test_every_activation_has_its_definition_here() -> None:
    assert set(PHI) == set(ACTIVATIONS)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("name", PHI)
def test_a_step_is_the_formula(name: str, bias: bool) -> None:
    cell = with_random_biases(Elman(3, 4, bias=bias, activation=name))
    x, h, output, new = run(cell)
    w = {key: value.detach().numpy() for key, value in cell.affine.named_parameters()}
    b = w["bias_ih"] + w["bias_hh"] if bias else 0
    wanted = PHI[name](h.numpy() @ w["weight_hh"].T + x.numpy() @ w["weight_ih"].T + b)
    np.testing.assert_allclose(new.detach().numpy(), wanted, rtol=1e-10, atol=1e-12)
    assert output is new


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
def test_the_read_out_is_one_product_with_the_new_state(bias: bool) -> None:
    cell = with_random_biases(Elman(3, 4, bias=bias, output_size=2))
    _, _, output, new = run(cell)
    assert cell.readout is not None
    wanted = new.detach().numpy() @ cell.readout.weight.detach().numpy().T
    if bias:
        wanted = wanted + cell.readout.bias.detach().numpy()
    else:
        assert cell.readout.bias is None
    np.testing.assert_allclose(output.detach().numpy(), wanted, rtol=1e-10, atol=1e-12)
    assert cell.output_size == 2


def test_without_bias_it_has_the_lessons_matrices_and_no_more() -> None:
    cell = Elman(3, 4, bias=False, output_size=2)
    shapes = {name: tuple(p.shape) for name, p in cell.named_parameters()}
    assert shapes == {
        "affine.weight_ih": (4, 3),
        "affine.weight_hh": (4, 4),
        "readout.weight": (2, 4),
    }


def test_a_callable_is_an_activation() -> None:
    cell = Elman(3, 4, activation=lambda v: v.square())
    _, _, _, squared = run(cell)
    torch.manual_seed(0)
    _, _, _, linear = run(Elman(3, 4, activation="identity"))
    torch.testing.assert_close(squared, linear.square(), rtol=1e-12, atol=0)


def test_a_module_is_an_activation_whose_weights_are_the_cells_own() -> None:
    cell = Elman(3, 4, activation=nn.PReLU())
    names = [name for name in cell.state_dict() if "affine" not in name]
    assert names == ["activation.weight"]
    _, _, _, new = run(cell)
    new.sum().backward()
    assert cell.get_parameter("activation.weight").grad is not None


def test_the_activation_can_be_changed_afterwards() -> None:
    cell = Elman(3, 4, activation="tanh")
    cell.activation = "identity"
    _, _, _, new = run(cell)
    assert new.abs().max() > 1
    assert cell.torch_kernel() is None


@pytest.mark.parametrize("name", ["tanhh", "", "TANH"])
def test_an_unknown_activation_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"activation='{name}' is not known.*tanh, sigmoid"):
        Elman(3, 4, activation=name)


@pytest.mark.parametrize("thing", [None, 3, ["tanh"]])
def test_an_activation_that_is_no_function_is_refused(thing: object) -> None:
    with pytest.raises(ArgumentTypeError, match="activation must be a name or a function"):
        Elman(3, 4, activation=thing)


def test_the_repr_shows_the_activation() -> None:
    assert "activation=relu" in repr(Elman(3, 4, activation="relu"))
    assert "activation=tanh" in repr(Elman(3, 4, activation=torch.tanh))
    assert "activation=PReLU" in Elman(3, 4, activation=nn.PReLU()).extra_repr()


def test_torch_has_a_kernel_for_tanh_and_relu_without_a_read_out() -> None:
    def kernel(**options: object) -> str | None:
        found = Elman(3, 4, **options).torch_kernel()
        return found and found[0]

    assert kernel() == "rnn_tanh"
    assert kernel(activation="relu") == "rnn_relu"
    assert kernel(activation="gelu") is None
    assert kernel(activation=torch.tanh) is None
    assert kernel(output_size=4) is None
