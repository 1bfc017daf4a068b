"""Activations and normalisation far out: values and gradients of the core are torch's."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from every_kind import Applied
from recurra import Recurrent, use_backend

pytest.importorskip("recurra._core")

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": F.elu,
    "elu 1.5": lambda x: F.elu(x, 1.5),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 0.5),
    "gelu": F.gelu,
    "gelu by tanh": lambda x: F.gelu(x, approximate="tanh"),
    "mish": F.mish,
    "silu": F.silu,
    "softplus": F.softplus,
    "logsigmoid": F.logsigmoid,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "atan": torch.atan,
    "asinh": torch.asinh,
    "log1p": torch.log1p,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float", "double"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_and_gradients_of_activations_are_torchs(name: str, dtype: torch.dtype) -> None:
    function, most = ACTIVATIONS[name], torch.finfo(dtype).max
    numbers = [math.nan, math.inf, 0.0, 1.0, 3.0, 6.0, 20.0, 88.0, 104.0, 1e4, 1e20, most, 1e-30]
    x = torch.tensor([*numbers, *(-v for v in numbers), 1e-40], dtype=dtype)
    given = x.clone().requires_grad_()
    wanted = torch.cat([function(v.reshape(1)) for v in given])
    (gradient,) = torch.autograd.grad(wanted.sum(), given)
    layer = Recurrent(Applied, len(x), 1, function=function).to(dtype)
    given = x.clone().requires_grad_()
    with use_backend("native"):
        found, _ = layer(given.reshape(1, 1, -1))
    (own,) = torch.autograd.grad(found.sum(), given)
    near = {"rtol": 2e-6, "atol": 1e-38, "equal_nan": True}
    torch.testing.assert_close(found.flatten(), wanted, **near)
    torch.testing.assert_close(own, gradient, **near)


@pytest.mark.parametrize("norm", [nn.LayerNorm(8), nn.GroupNorm(2, 8)], ids=["layer", "group"])
def test_a_normalisation_whose_squares_overflow_is_nan_and_not_0(norm: nn.Module) -> None:
    layer = Recurrent(Applied, 8, 1, function=norm)
    x = torch.randn(1, 2, 8)
    x[0, 0] *= 1e30
    for backend in ("native", "eager"):
        with use_backend(backend):
            out, _ = layer(x)
        assert out[0, 0].isnan().all()
        assert out[0, 1].isfinite().all()
