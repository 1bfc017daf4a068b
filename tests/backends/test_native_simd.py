"""Every instruction set of the core: every small size, and how exact each function is."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from every_kind import KINDS, Applied, build, on, random_state
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


def apply(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return `function` of all numbers in x, by the core."""
    layer = Recurrent(Applied, x.numel(), 1, function=function)
    with use_backend("native"):
        out, _ = layer.to(x.dtype)(x.reshape(1, 1, -1))
    return out.reshape(x.shape)


# Name -> the function, the same in long double, the range with an answer, the ULP stated in
# native/src ("1 ULP or so" of the C library is taken as 1.5).
Function = tuple[Callable[[Tensor], Tensor], Callable[..., np.ndarray], tuple[float, float], float]
FUNCTIONS: dict[str, Function] = {
    "exp": (torch.exp, np.exp, (-750.0, 709.7), 1.0),
    "tanh": (torch.tanh, np.tanh, (-50.0, 50.0), 2.6),
    "sigmoid": (torch.sigmoid, lambda x: 1 / (1 + np.exp(-x)), (-750.0, 750.0), 2.7),
    "expm1": (torch.expm1, np.expm1, (-50.0, 709.7), 2.0),
    "exp2": (torch.exp2, np.exp2, (-1080.0, 1023.9), 1.5),
    "log": (torch.log, np.log, (0.0, 1e30), 1.0),
    "log2": (torch.log2, np.log2, (0.0, 1e30), 2.0),
    "log10": (torch.log10, np.log10, (0.0, 1e30), 2.0),
    "log1p": (torch.log1p, np.log1p, (-1.0, 1e30), 1.0),
    "sin": (torch.sin, np.sin, (-1e3, 1e3), 1.0),
    "cos": (torch.cos, np.cos, (-1e3, 1e3), 1.0),
    "tan": (torch.tan, np.tan, (-1e3, 1e3), 2.0),
    "sin far out": (torch.sin, np.sin, (-9e5, 9e5), 1.0),
    "cos far out": (torch.cos, np.cos, (-9e5, 9e5), 1.0),
    "sin by the C library": (torch.sin, np.sin, (-1e9, 1e9), 1.5),
    "asin": (torch.asin, np.arcsin, (-1.0, 1.0), 3.0),
    "acos": (torch.acos, np.arccos, (-1.0, 1.0), 3.0),
    "atan": (torch.atan, np.arctan, (-1e3, 1e3), 2.5),
    "sinh": (torch.sinh, np.sinh, (-710.4, 710.4), 2.5),
    "cosh": (torch.cosh, np.cosh, (-710.4, 710.4), 1.5),
    "asinh": (torch.asinh, np.arcsinh, (-1e30, 1e30), 2.0),
    "acosh": (torch.acosh, np.arccosh, (1.0, 3.0), 2.5),
    "acosh far out": (torch.acosh, np.arccosh, (1.0, 1e30), 2.5),
    "atanh": (torch.atanh, np.arctanh, (-1.0, 1.0), 2.0),
    "sqrt": (torch.sqrt, np.sqrt, (0.0, 1e30), 0.5),
    "rsqrt": (torch.rsqrt, lambda x: 1 / np.sqrt(x), (1e-30, 1e30), 1.5),
    "reciprocal": (torch.reciprocal, lambda x: 1 / x, (-1e30, 1e30), 0.5),
}


SINGLE = dict.fromkeys(("exp", "expm1", "sigmoid"), (-104.0, 88.7))
SINGLE |= {"exp2": (-149.0, 127.9), "sinh": (-89.4, 89.4), "cosh": (-89.4, 89.4)}


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
    if dtype == torch.float32:  # what overflows and what vanishes depends on the width
        low, high = SINGLE.get(name, (low, high))
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
    assert error.max() <= stated, float(wanted[error.argmax()])


@both_precisions
def test_erf_is_as_exact_as_stated(simd: str, dtype: torch.dtype) -> None:
    x = samples(-7.0, 7.0, dtype)
    found = apply(torch.erf, x).double()
    wanted = torch.tensor([math.erf(v) for v in x.tolist()], dtype=torch.float64)
    eps = torch.finfo(dtype).eps
    # Within 1.5 ULP of a float64 reference, itself within 1 of the truth.
    assert ((found - wanted).abs() <= 2.5 * eps * wanted.abs() + torch.finfo(dtype).tiny).all()


class OfTwo(nn.Module):
    """A cell that gives a function of the two halves of its input."""

    state_sizes = ("h",)

    def __init__(self, input_size: int, _: int, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        return self.function(*x.chunk(2, 1)), (h,)


def apply_to_two(function: Callable[..., Tensor], a: Tensor, b: Tensor) -> Tensor:
    """Return `function` of all numbers in a and b, by the core."""
    layer = Recurrent(OfTwo, 2 * a.numel(), 1, function=function)
    with use_backend("native"):
        out, _ = layer.to(a.dtype)(torch.cat([a, b]).reshape(1, 1, -1))
    return out.flatten()


OF_TWO: dict[str, tuple[Callable[..., Tensor], Callable[..., np.ndarray], float]] = {
    "pow": (torch.pow, np.power, 1.5),
    "atan2": (torch.atan2, np.arctan2, 2.5),
    "fmod": (torch.fmod, np.fmod, 0.0),
    "logaddexp": (torch.logaddexp, np.logaddexp, 2.5),
}


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="long double is no longer")
@both_precisions
@pytest.mark.parametrize("name", OF_TWO)
def test_a_function_of_two_is_as_exact_as_stated(simd: str, name: str, dtype: torch.dtype) -> None:
    function, reference, stated = OF_TWO[name]
    generator = torch.Generator().manual_seed(3)
    a, b, sign = (torch.rand(40_000, generator=generator, dtype=torch.float64) for _ in range(3))
    a = torch.exp2(a * 80 - 40)
    b = torch.exp2(b * 80 - 40) if name in ("atan2", "fmod") else b * 20 - 10
    a = a if name == "pow" else torch.where(sign < 0.5, a, -a)
    a, b = a.to(dtype), b.to(dtype)
    found = apply_to_two(function, a, b).numpy()
    wanted = reference(*(v.numpy().astype(np.longdouble) for v in (a, b)))
    limits = np.finfo(found.dtype)
    fits = np.abs(wanted) <= limits.max
    assert fits.mean() > 0.8
    assert np.isinf(found[~fits]).all()
    found, wanted, largest = found[fits], wanted[fits], np.abs(wanted[fits])
    if name == "logaddexp":  # two terms, which may cancel
        largest = np.maximum(largest, np.maximum(torch.maximum(a, b).abs().numpy()[fits], 0.7))
    ulp = np.spacing(np.maximum(largest.astype(found.dtype), limits.tiny))
    error = np.abs(found.astype(np.longdouble) - wanted) / ulp
    assert error.max() <= stated, (float(a[fits][error.argmax()]), float(b[fits][error.argmax()]))


WHOLE: dict[str, tuple[Callable[[Tensor], Tensor], Callable[..., np.ndarray]]] = {
    "floor": (torch.floor, np.floor),
    "ceil": (torch.ceil, np.ceil),
    "trunc": (torch.trunc, np.trunc),
    "round": (torch.round, np.rint),
    "remainder": (lambda x: torch.remainder(x, 0.75), lambda x: np.remainder(x, 0.75)),
    "remainder below 0": (lambda x: x % -0.3, lambda x: np.remainder(x, x.dtype.type(-0.3))),
    "remainder of": (lambda x: 7.5 % x, lambda x: np.remainder(x.dtype.type(7.5), x)),
    "fmod": (lambda x: torch.fmod(x, 0.7), lambda x: np.fmod(x, x.dtype.type(0.7))),
    "fmod of": (
        lambda x: torch.fmod(torch.full_like(x, -1e9), x),
        lambda x: np.fmod(x.dtype.type(-1e9), x),
    ),
    "floor_divide": (lambda x: x // 0.7, lambda x: np.floor_divide(x, x.dtype.type(0.7))),
}


@both_precisions
@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_and_remainders_are_right_to_the_bit(
    simd: str, name: str, dtype: torch.dtype
) -> None:
    # NumPy's are exact; torch's own vectors of float32 are not where a quotient is large.
    function, reference = WHOLE[name]
    numbers = torch.tensor([0.5, 1.5, 2.5, -0.5, -1.5, 2**23 - 0.5, 2.0**52, 2.0**53, 1e30])
    x = torch.cat([samples(-300.0, 300.0, dtype), numbers.to(dtype), -numbers.to(dtype)])
    x = torch.cat([x, samples(-1e12, 1e12, dtype)])
    found, wanted = apply(function, x), torch.from_numpy(reference(x.numpy()))
    assert wanted.dtype == found.dtype
    assert torch.equal(found, wanted)
    signed = wanted != 0 if name.startswith("remainder") else wanted == wanted  # 0 as fmod has it
    assert torch.equal(found.signbit()[signed], wanted.signbit()[signed])


def tiny(dtype: torch.dtype) -> list[float]:
    limits = torch.finfo(dtype)
    smallest = limits.tiny * limits.eps
    return [limits.tiny, limits.tiny / 3, smallest, -limits.tiny, -limits.tiny / 3, -smallest]


SPECIAL: dict[str, Callable[[Tensor], Tensor]] = {
    **{name: function for name, (function, *_) in FUNCTIONS.items()},
    "erf": torch.erf,
    **{name: function for name, (function, _) in WHOLE.items() if name != "fmod of"},
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
    "cube": lambda x: x**3,
    "power": lambda x: x**5,
    "odd root": lambda x: x**0.25,
    "negative power": lambda x: torch.pow(x, -3.0),
    "power of": lambda x: 0.5**x,
    "power of a negative number": lambda x: torch.pow(-2.0, x),
    "power of itself": lambda x: torch.pow(x, x),
    "atan2": lambda x: torch.atan2(x, x * 0.5),
    "atan2 of a constant": lambda x: torch.atan2(torch.ones_like(x), x),
    "atan2 by a constant": lambda x: torch.atan2(x, -torch.ones_like(x)),
    "logaddexp": lambda x: torch.logaddexp(x, x),
    "logaddexp of a constant": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "elu": lambda x: F.elu(x, 1.5),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 0.5),
    "gelu by tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "logsigmoid": F.logsigmoid,
    "divided": lambda x: 2.0 / x,
}


SIGNED = {
    "neg", "tanh", "sin", "tan", "expm1", "erf", "reciprocal", "divided", "cube", "power",
    "negative power", "asin", "atan", "sinh", "asinh", "atanh", "atan2", "floor", "ceil", "trunc",
    "round", "fmod",
}  # fmt: skip


@both_precisions
@pytest.mark.parametrize("name", SPECIAL)
def test_nan_infinity_zero_and_subnormal_numbers_are_torchs(
    simd: str, name: str, dtype: torch.dtype
) -> None:
    function = SPECIAL[name]
    limits = torch.finfo(dtype)
    numbers = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.0, -1.0, 45.0, -45.0, 1e-8]
    numbers += [2.0, -2.0, 3.0, 0.5, -0.5, -87.5, 1e5, 3e7, -1e12]
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
            if name in SIGNED:
                assert torch.equal(found.signbit()[signed], expected.signbit()[signed])
