"""Every activation and pointwise function: values and gradients, at kinks, infinities and NaN."""

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tracing import H, Step, assert_agrees, assert_pointwise

from recurra.cells import ACTIVATIONS

Function = Callable[[Tensor], Tensor]
FUNCTIONS: dict[str, Function] = {
    **ACTIVATIONS,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "elu": lambda x: F.elu(x, 1.5),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 0.5),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "softplus": lambda x: F.softplus(x, 2.0, 3.0),
    "logsigmoid": F.logsigmoid,
    "hardtanh": lambda x: F.hardtanh(x, -0.5, 3.0),
    "relu6": F.relu6,
    "hardswish": F.hardswish,
    "tanhshrink": F.tanhshrink,
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
    "threshold": lambda x: F.threshold(x, 0.5, -2.0),
    "rrelu": F.rrelu,
    "relu method": lambda x: x.relu(),
    "nn.Tanh": nn.Tanh(),
    "nn.GELU": nn.GELU(),
    "nn.Softplus": nn.Softplus(),
    "nn.SiLU": nn.SiLU(),
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": lambda x: x.log1p(),
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "sin": torch.sin,
    "cos": torch.cos,
    "erf": torch.erf,
    "square": torch.square,
    "abs": abs,
    "sign": torch.sign,
    "neg": lambda x: -x,
    "pow 2": lambda x: x**2,
    "pow 3": lambda x: x**3,
    "pow 1.5": lambda x: x**1.5,
    "pow 0.5": lambda x: x**0.5,
    "pow -1": lambda x: x**-1,
    "pow -2.0": lambda x: torch.pow(x, -2.0),
    "rpow": lambda x: 2.0**x,
    "exp2": torch.exp2,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tan": torch.tan,
    "log2": torch.log2,
    "log10": torch.log10,
    "asin": torch.asin,
    "arccos": torch.arccos,
    "atan": torch.atan,
    "asinh": torch.asinh,
    "acosh": torch.acosh,
    "atanh": lambda x: x.atanh(),
    "floor": lambda x: torch.floor(x) * x,
    "ceil": lambda x: torch.ceil(x) * x,
    "trunc": lambda x: torch.trunc(x) * x,
    "round": lambda x: torch.round(x) * x,
    "round decimals": lambda x: torch.round(x, decimals=2) * x,
    "round tens": lambda x: torch.round(x * 100, decimals=-1) * x,
    "frac": torch.frac,
    "fmod": lambda x: torch.fmod(x, 0.7) * x,
    "remainder": lambda x: torch.remainder(x, 0.7) * x,
    "remainder of tensors": lambda x: torch.remainder(x, x * x + 0.3),
    "fmod of tensors": lambda x: torch.fmod(x, x * x + 0.3),
    "modulo": lambda x: (x % -0.7) * x,
    "modulo of": lambda x: (0.7 % (x.detach().abs() + 0.1)) * x,
    "floor_divide": lambda x: (x.detach() // 0.7) * x,
    "floor_divide of": lambda x: (5.0 // x.detach()) * x,
    "div floor": lambda x: torch.div(x, x.flip(-1) + 0.1, rounding_mode="floor") + x,
    "div trunc": lambda x: torch.div(x, 0.3, rounding_mode="trunc") + x,
    "atan2": lambda x: torch.atan2(x, x * 0.5 + 1),
    "arctan2": lambda x: torch.arctan2(x + 1, -x),
    "hypot": lambda x: torch.hypot(x, x.flip(-1) * 0.5 + 0.2),
    "hypot far out": lambda x: torch.hypot(x * 1e200, x * 2e200 + 1e190),
    "copysign": lambda x: torch.copysign(x, -x),
    "copysign of a number": lambda x: x.copysign(-0.0),
    "signbit": lambda x: torch.where(torch.signbit(x), x * 2, x),
    "logit": lambda x: torch.logit(torch.sigmoid(x)),
    "logit eps": lambda x: torch.logit(x, 0.01),
    "xlogy": lambda x: torch.xlogy(x, x * x),
    "xlogy of zeros": lambda x: torch.xlogy(x * 0, x),
    "xlogy of a number": lambda x: torch.xlogy(x, 3.0),
    "xlog1py": lambda x: torch.special.xlog1py(x, x * x),
    "deg2rad": torch.deg2rad,
    "rad2deg": torch.rad2deg,
    "sinc": torch.sinc,
    "logaddexp": lambda x: torch.logaddexp(x, x.sin()),
    "logaddexp2": lambda x: torch.logaddexp2(x, x.sin()),
    "fmax": lambda x: torch.fmax(x, x.sin()),
    "fmin": lambda x: torch.fmin(x * 0.5, x.cos()),
    "heaviside": lambda x: torch.heaviside(x.detach(), torch.full_like(x, 0.5)) * x,
    "isposinf": lambda x: torch.isposinf(x).double() + torch.isneginf(x).double() * 2,
    "rsub": lambda x: 1 - x,
    "rdiv": lambda x: 1 / x,
    "sub alpha": lambda x: torch.sub(x, x * x, alpha=2),
    "clamp": lambda x: x.clamp(-0.5, 1.0),
    "clamp crossed": lambda x: x.clamp(1.0, -1.0),
    "clamp_min": lambda x: x.clamp_min(0.5),
    "clamp_max": lambda x: torch.clamp(x, max=0.5),
    "clip": lambda x: torch.clip(x, -1, 1),
    "where": lambda x: torch.where(x > 0.5, x * 2, x / 3),
    "where not taken": lambda x: torch.where(x > 0, x.log(), torch.zeros_like(x)),
    "masked_fill": lambda x: x.masked_fill(x < 0, -1.0),
    "comparison": lambda x: (x >= 0.5).to(x.dtype) * x,
    "logical": lambda x: (((x > 0) & (x < 3)) | ~(x == x)).type_as(x) * x,
    "logical_xor": lambda x: torch.logical_xor(x > 0, x > 1).double() + x,
    "logical_not": lambda x: torch.logical_not(x).double() + x,
    "bool times": lambda x: (x > 0) * x,
    "maximum": lambda x: torch.maximum(x, torch.sin(x)),
    "minimum": lambda x: torch.min(x, x * 0.5),
    "lerp": lambda x: torch.lerp(x, x * 2, 0.3),
    "addcmul": lambda x: torch.addcmul(x, x, x, value=0.5),
    "addcdiv": lambda x: torch.addcdiv(x, x, x + 10, value=0.5),
    "nan_to_num": lambda x: torch.nan_to_num(x, 0.5, 2.0, -2.0),
    "isnan": lambda x: torch.isnan(x).double() + torch.isinf(x).double() * 2,
    "isfinite": lambda x: x.isfinite().double(),
    "detach": lambda x: x * x.detach(),
    "float methods": lambda x: x.double().to(x).contiguous().clone(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_features_is_torchs_and_so_is_its_gradient(name: str) -> None:
    assert_pointwise(FUNCTIONS[name])


@pytest.mark.parametrize("count", [1, H])
def test_prelu_learns_one_slope_or_one_per_feature(count: int) -> None:
    assert_agrees(Step(lambda m, x, h: m.phi(h), phi=nn.PReLU(count)))


def test_a_parameter_divides_to_whole_numbers() -> None:
    low = torch.tensor([0.1, -1.0, 0.5, 0.0, 0.3, -0.2])
    assert_agrees(
        Step(lambda m, x, h: (h.detach() // m.low.detach()) + h, low=low), gradients=False
    )
    assert_agrees(Step(lambda m, x, h: torch.fmod(h, m.low.exp()), low=low))


def test_glu_halves_the_features() -> None:
    assert_agrees(Step(lambda m, x, h: F.glu(torch.cat([h, h * 2], 1), 1)))


def test_bounds_may_be_tensors() -> None:
    low = torch.tensor([0.1, -1.0, 0.5, 0.0, 0.3, -0.2])
    assert_agrees(Step(lambda m, x, h: torch.clamp(h, min=m.low), low=low))
    assert_agrees(Step(lambda m, x, h: torch.clamp(h, m.low, m.high), low=low, high=low + 0.5))


def test_bounds_that_are_nan_give_nan() -> None:
    low = torch.tensor([0.1, -1.0, math.nan, 0.0, 0.3, -0.2])
    assert_agrees(Step(lambda m, x, h: torch.clamp(h, min=m.low), low=low), gradients=False)
