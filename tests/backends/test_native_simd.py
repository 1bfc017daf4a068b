"""Every instruction set of the core: every small size, and how exact each function is."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from every_kind import KINDS, build, on, random_state
from recurra import Recurrent, use_backend

_core = pytest.importorskip("recurra._core")

PRECISIONS = {"float": torch.float32, "double": torch.float64}
both_precisions = pytest.mark.parametrize("dtype", PRECISIONS.values(), ids=PRECISIONS)


@pytest.fixture(params=_core.simd_choices())
def simd(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run the test on each instruction set that this processor has."""
    before = _core.simd()
    _core.use_simd(request.param)
    assert _core.simd() == request.param
    yield request.param
    _core.use_simd(before)


def test_another_instruction_set_is_refused() -> None:
    before = _core.simd()
    with pytest.raises(ValueError, match="no instruction set 'mmx'"):
        _core.use_simd("mmx")
    assert _core.simd() == before


# --- sizes -------------------------------------------------------------------


def assert_as_in_double(layer: Recurrent, x: Tensor, **options: object) -> None:
    """Hold outputs and gradients to the loop's in float64, within rounding."""
    state = random_state(layer, x.shape[1])
    dtype = x.dtype
    found = on("native", layer, x, state, **options)
    layer.double()
    x, *state = (t.detach().double().requires_grad_() for t in (x, *state))
    wanted = on("eager", layer, x, state, **options)
    bound = 200 * torch.finfo(dtype).eps
    for f, w in zip(found, wanted, strict=True):
        error = (f.double() - w).abs().max() / w.abs().max().clamp(min=1)
        assert error <= bound, error / bound


@both_precisions
def test_every_size_from_1_to_33_is_right(simd: str, dtype: torch.dtype) -> None:
    for n in range(1, 34):  # each of I, H and B takes every size; the three are never equal
        I, H, B = n, 1 + (7 * n) % 33, 1 + (16 * n) % 33  # noqa: E741
        layer = build("lstm", I, H, dtype)
        x = torch.randn(3, B, I, dtype=dtype, requires_grad=True)
        assert_as_in_double(layer, x, lengths=[1 + (b + n) % 3 for b in range(B)])


@pytest.mark.parametrize("size", [3, 17])
@both_precisions
def test_every_cell_is_right(simd: str, dtype: torch.dtype, size: int) -> None:
    for kind in KINDS:
        layer = build(kind, size, size, dtype)
        assert_as_in_double(layer, torch.randn(3, 5, size, dtype=dtype, requires_grad=True))


def test_the_same_row_has_the_same_bits_wherever_it_lies(simd: str) -> None:
    for H in (1, 7, 16, 33):
        layer, row = build("lstm", 9, H), torch.randn(4, 1, 9)
        with use_backend("native"), torch.no_grad():
            alone, _ = layer(row)
            for B in range(2, 20):
                assert torch.equal(layer(row.expand(4, B, 9))[0], alone.expand(4, B, H))


# --- functions ---------------------------------------------------------------


class Applied(nn.Module):
    """A cell that gives a function of its input."""

    state_sizes = ("h",)

    def __init__(self, input_size: int, _: int, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        return self.function(x), (h,)


def apply(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return `function` of all numbers in x, by the core."""
    layer = Recurrent(Applied, x.numel(), 1, function=function)
    with use_backend("native"):
        out, _ = layer.to(x.dtype)(x.reshape(1, 1, -1))
    return out.reshape(x.shape)


# Name -> the function, the same in long double, the range with an answer, the ULP stated in
# native/src/mathematics.h ("1 ULP or so" of the C library is taken as 1.5).
Function = tuple[Callable[[Tensor], Tensor], Callable[..., np.ndarray], tuple[float, float], float]
FUNCTIONS: dict[str, Function] = {
    "exp": (torch.exp, np.exp, (-750.0, 709.7), 1.0),
    "tanh": (torch.tanh, np.tanh, (-50.0, 50.0), 2.6),
    "sigmoid": (torch.sigmoid, lambda x: 1 / (1 + np.exp(-x)), (-750.0, 750.0), 2.7),
    "expm1": (torch.expm1, np.expm1, (-50.0, 709.7), 1.5),
    "log": (torch.log, np.log, (0.0, 1e30), 1.5),
    "log1p": (torch.log1p, np.log1p, (-1.0, 1e30), 1.5),
    "sin": (torch.sin, np.sin, (-1e3, 1e3), 1.5),
    "cos": (torch.cos, np.cos, (-1e3, 1e3), 1.5),
    "sqrt": (torch.sqrt, np.sqrt, (0.0, 1e30), 0.5),
    "rsqrt": (torch.rsqrt, lambda x: 1 / np.sqrt(x), (1e-30, 1e30), 1.5),
    "reciprocal": (torch.reciprocal, lambda x: 1 / x, (-1e30, 1e30), 0.5),
}


def samples(low: float, high: float, dtype: torch.dtype) -> Tensor:
    """Return numbers of every exponent in the range, and many evenly spread."""
    generator = torch.Generator().manual_seed(1)
    even = torch.rand(30_000, generator=generator, dtype=torch.float64) * (high - low) + low
    near = torch.rand(30_000, generator=generator, dtype=torch.float64) * 4 - 2
    tiny = torch.exp2(torch.rand(30_000, generator=generator, dtype=torch.float64) * 300 - 200)
    sign = torch.randint(0, 2, (30_000,), generator=generator) * 2 - 1
    x = torch.cat([even, near, tiny * sign]).to(dtype)
    return x[(x >= low) & (x <= high) & (x != 0)]


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="long double is no longer")
@both_precisions
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_as_exact_as_stated(simd: str, name: str, dtype: torch.dtype) -> None:
    function, reference, (low, high), stated = FUNCTIONS[name]
    if dtype == torch.float32 and abs(low) == 750.0:
        low, high = -104.0, 88.7
    x = samples(low, high, dtype)
    assert len(x) > 10_000
    found = apply(function, x).numpy()
    wanted = reference(x.numpy().astype(np.longdouble))
    limits = np.finfo(found.dtype)
    fits = np.abs(wanted) <= limits.max
    assert np.isinf(found[~fits]).all()
    found, wanted = found[fits], wanted[fits]
    ulp = np.spacing(np.maximum(np.abs(wanted).astype(found.dtype), limits.tiny))
    error = np.abs(found.astype(np.longdouble) - wanted) / ulp
    if name == "sigmoid":  # what would be subnormal, or nearly so, is 0
        small = wanted <= math.exp(-87 if dtype == torch.float32 else -708)
        assert small.any()
        assert ((found == 0) | (error <= stated))[small].all()
        error[small] = 0
    assert error.max() <= stated, float(wanted[error.argmax()])


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="long double is no longer")
@both_precisions
def test_erf_is_as_exact_as_stated(simd: str, dtype: torch.dtype) -> None:
    x = samples(-7.0, 7.0, dtype)
    found = apply(torch.erf, x).double()
    wanted = torch.tensor([math.erf(v) for v in x.tolist()], dtype=torch.float64)
    eps = torch.finfo(dtype).eps
    # Within 1.5 ULP of a float64 reference, itself within 1 of the truth.
    assert ((found - wanted).abs() <= 2.5 * eps * wanted.abs() + torch.finfo(dtype).tiny).all()


def tiny(dtype: torch.dtype) -> list[float]:
    limits = torch.finfo(dtype)
    smallest = limits.tiny * limits.eps
    return [limits.tiny, limits.tiny / 3, smallest, -limits.tiny, -limits.tiny / 3, -smallest]


SPECIAL: dict[str, Callable[[Tensor], Tensor]] = {
    **{name: function for name, (function, *_) in FUNCTIONS.items()},
    "erf": torch.erf,
    "neg": torch.neg,
    "abs": torch.abs,
    "sign": torch.sign,
    "relu": torch.relu,
    "softplus": F.softplus,
    "gelu": F.gelu,
    "maximum": lambda x: torch.maximum(x, x.flip(-1)) if x.dim() == 1 else x.clamp(min=-1.0),
    "minimum": lambda x: x.clamp(max=1.0),
    "greater": lambda x: (x > 0).to(x.dtype),
    "equal": lambda x: (x == 0).to(x.dtype),
    "less": lambda x: (x <= 0).to(x.dtype),
    "where": lambda x: torch.where(x > 0, x, 2 * x),
    "power": lambda x: x**3,
    "divided": lambda x: 2.0 / x,
}


@both_precisions
@pytest.mark.parametrize("name", SPECIAL)
def test_nan_infinity_zero_and_subnormal_numbers_are_torchs(
    simd: str, name: str, dtype: torch.dtype
) -> None:
    function = SPECIAL[name]
    limits = torch.finfo(dtype)
    numbers = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, -1.0, 45.0, -45.0, 1e-8]
    x = torch.tensor([*numbers, *tiny(dtype), limits.max, -limits.max], dtype=dtype)
    wanted = torch.stack([function(v.reshape(1, 1)).reshape(()) for v in x])  # torch's scalar code
    for size in (5, len(x)):  # tails, and whole vectors with a tail
        for start in {0, len(x) - size}:
            found = apply(function, x[start : start + size])
            expected = wanted[start : start + size]
            torch.testing.assert_close(
                found, expected, rtol=4 * limits.eps, atol=limits.tiny, equal_nan=True
            )
            signed = ~expected.isnan()
            if name in ("neg", "tanh", "sin", "expm1", "erf", "reciprocal", "divided", "power"):
                assert torch.equal(found.signbit()[signed], expected.signbit()[signed])
