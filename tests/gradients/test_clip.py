"""The norm band against the lesson's pseudo-code, and where floating point makes it hard."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from recurra import clip_grad_norm_band_, clip_norm_band
from recurra.errors import ArgumentError

NAN, INF = float("nan"), float("inf")

elements = st.floats(-1e3, 1e3, allow_subnormal=False).filter(lambda v: v == 0 or abs(v) > 1e-6)
vectors = st.lists(elements, min_size=1, max_size=12)
bounds = st.floats(1e-3, 1e3)


def lesson(g: np.ndarray, L: float, U: float) -> np.ndarray:
    """Return what the lesson's pseudo-code returns for a gradient that is not zero."""
    norm = np.linalg.norm(g)
    if norm < L:
        return L * (g / norm)
    if norm > U:
        return U * (g / norm)
    return g


def parameters_with(*gradients: Tensor | None) -> list[nn.Parameter]:
    params = []
    for gradient in gradients:
        like = torch.zeros(3) if gradient is None else gradient
        param = nn.Parameter(torch.zeros_like(like))
        param.grad = None if gradient is None else gradient.clone()
        params.append(param)
    return params


def norm_of(params: list[nn.Parameter]) -> float:
    """Return the norm of all gradients together, in the range that Python's floats have."""
    return math.hypot(*(v for p in params if p.grad is not None for v in p.grad.double().ravel()))


@given(vectors, bounds, bounds)
def test_a_vector_is_clipped_as_the_lesson_writes_it(
    values: list[float], a: float, b: float
) -> None:
    L, U = sorted((a, b))
    g = torch.tensor(values, dtype=torch.float64)
    before = g.clone()
    found = clip_norm_band(g, L, U)
    assert torch.equal(g, before)
    wanted = lesson(before.numpy(), L, U) if any(values) else before.numpy()
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-12, atol=0)


@given(vectors, bounds, bounds)
def test_the_norm_of_the_result_lies_in_the_band(values: list[float], a: float, b: float) -> None:
    L, U = sorted((a, b))
    norm = float(clip_norm_band(torch.tensor(values, dtype=torch.float64), L, U).norm())
    if any(values):
        assert L * (1 - 1e-12) <= norm <= U * (1 + 1e-12)
    else:
        assert norm == 0


@given(vectors, bounds, bounds)
def test_the_direction_stays(values: list[float], a: float, b: float) -> None:
    L, U = sorted((a, b))
    g = torch.tensor(values, dtype=torch.float64)
    found = clip_norm_band(g, L, U)
    assert torch.equal(found.sign(), g.sign())
    if any(values):
        np.testing.assert_allclose(found / found.norm(), g / g.norm(), rtol=1e-12, atol=0)


@given(vectors, bounds, bounds)
def test_clipping_twice_is_clipping_once(values: list[float], a: float, b: float) -> None:
    L, U = sorted((a, b))
    once = clip_norm_band(torch.tensor(values, dtype=torch.float64), L, U)
    torch.testing.assert_close(clip_norm_band(once, L, U), once, rtol=1e-12, atol=0)


@given(st.lists(vectors, min_size=1, max_size=4), bounds, bounds, st.integers(0, 3))
def test_gradients_are_clipped_together_as_one_vector(
    parts: list[list[float]], a: float, b: float, absent: int
) -> None:
    L, U = sorted((a, b))
    gradients: list[Tensor | None] = [torch.tensor(p, dtype=torch.float64) for p in parts]
    params = parameters_with(*gradients[:absent], None, *gradients[absent:])
    whole = np.concatenate([np.asarray(p) for p in parts])
    total = clip_grad_norm_band_(params, L, U)
    np.testing.assert_allclose(float(total), np.linalg.norm(whole), rtol=1e-12)
    found = np.concatenate([p.grad.numpy() for p in params if p.grad is not None])
    wanted = lesson(whole, L, U) if whole.any() else whole
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=0)
    assert [p.grad is None for p in params].count(True) == 1


def test_a_gradient_inside_the_band_keeps_its_bits() -> None:
    gradient = torch.randn(50)
    params = parameters_with(gradient)
    norm = float(gradient.norm())
    clip_grad_norm_band_(params, norm / 2, norm * 2)
    assert torch.equal(params[0].grad, gradient)
    clip_grad_norm_band_(params, 0.0, INF)
    assert torch.equal(params[0].grad, gradient)


@pytest.mark.parametrize("shape", [(), (1,), (4,), (2, 3), (2, 0, 3), (0,)])
def test_any_shape_is_one_vector(shape: tuple[int, ...]) -> None:
    g = torch.randn(shape, dtype=torch.float64)
    found = clip_norm_band(g, 5.0, 5.0)
    assert found.shape == g.shape
    if g.numel():
        torch.testing.assert_close(found, 5 * g / g.norm(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("L", [0.0, 1e-30, 1.0, 1e30])
def test_zero_stays_zero(L: float) -> None:
    params = parameters_with(torch.zeros(3), torch.zeros(2, 2))
    assert float(clip_grad_norm_band_(params, L, 1e30)) == 0
    assert all(torch.equal(p.grad, torch.zeros_like(p)) for p in params)
    assert torch.equal(clip_norm_band(torch.zeros(3), L, 1e30), torch.zeros(3))


def test_a_band_of_zero_makes_every_gradient_zero() -> None:
    for value in (1e-30, 1.0, 1e30):
        assert torch.equal(clip_norm_band(torch.full((3,), value), 0.0, 0.0), torch.zeros(3))


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_is_not_finite_raises_and_leaves_every_gradient_to_the_bit(
    bad: float, place: int
) -> None:
    gradients = [torch.randn(4), torch.randn(2, 2), torch.randn(3)]
    gradients[place].view(-1)[1] = bad
    params = parameters_with(*gradients)
    with pytest.raises(ArgumentError, match=r"total norm is (nan|inf).*error_if_nonfinite=False"):
        clip_grad_norm_band_(params, 1.0, 2.0)
    total = clip_grad_norm_band_(params, 1.0, 2.0, error_if_nonfinite=False)
    assert not math.isfinite(float(total))
    for param, gradient in zip(params, gradients, strict=True):
        assert torch.equal(param.grad.view(torch.int32), gradient.view(torch.int32))
    g = gradients[place].clone()
    with pytest.raises(ArgumentError, match="total norm is"):
        clip_norm_band(g, 1.0, 2.0)
    assert torch.equal(g.view(torch.int32), gradients[place].view(torch.int32))


# --- the ends of the range of floating point ---------------------------------

SCALES: dict[str, tuple[torch.dtype, float]] = {
    "float32 1e30": (torch.float32, 1e30),
    "float32 1e38": (torch.float32, 1e38),
    "float32 1e-20": (torch.float32, 1e-20),
    "float32 1e-30": (torch.float32, 1e-30),
    "float64 1e200": (torch.float64, 1e200),
    "float64 1e300": (torch.float64, 1e300),
    "float64 1e-200": (torch.float64, 1e-200),
    "float64 1e-300": (torch.float64, 1e-300),
    "bfloat16 1e30": (torch.bfloat16, 1e30),
    "bfloat16 1e-30": (torch.bfloat16, 1e-30),
    "float16 3e4": (torch.float16, 3e4),
    "float16 1e-5": (torch.float16, 1e-5),
}


@pytest.mark.parametrize("norm", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("what", SCALES)
def test_finite_gradients_are_scaled_right_though_their_squares_are_not_finite(
    what: str, norm: float
) -> None:
    dtype, scale = SCALES[what]
    if dtype is torch.float16:  # which holds no others
        norm = {1e-8: 0.05, 1.0: 1.0, 1e8: 1e3}[norm]
    gradients = [
        torch.tensor(v, dtype=torch.float64).mul(scale).to(dtype)
        for v in ([1.0, -0.5, 0.25], [[0.125, 0.75]])
    ]
    params = parameters_with(*gradients)
    before = norm_of(params)
    total = clip_grad_norm_band_(params, norm, norm)
    eps = torch.finfo(dtype).eps
    assert float(total) == pytest.approx(before, rel=8 * eps)
    assert norm_of(params) == pytest.approx(norm, rel=8 * eps)
    for param, gradient in zip(params, gradients, strict=True):
        wanted = gradient.double() * (norm / before)
        torch.testing.assert_close(param.grad.double(), wanted, rtol=8 * eps, atol=0)


def test_the_smallest_numbers_there_are_can_be_scaled_up() -> None:
    for dtype, smallest in ((torch.float32, 2.0**-149), (torch.float64, 2.0**-1030)):
        g = torch.tensor([smallest, -smallest, 0.0], dtype=dtype)
        wanted = torch.tensor([0.5**0.5, -(0.5**0.5), 0.0], dtype=dtype)
        torch.testing.assert_close(clip_norm_band(g, 1.0, 1.0), wanted)


def test_large_beside_small_keeps_the_small_as_far_as_its_type_can() -> None:
    g = torch.tensor([1e30, 1.0, -1e10])
    torch.testing.assert_close(
        clip_norm_band(g, 0.0, 1.0), torch.tensor([1.0, 1e-30, -1e-20]), rtol=1e-6, atol=0
    )


# --- what it takes -----------------------------------------------------------


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e2])
def test_the_total_norm_is_torchs_and_is_from_before_the_scaling(scale: float) -> None:
    gradients = [scale * torch.randn(5), scale * torch.randn(2, 3)]
    ours, theirs = parameters_with(*gradients), parameters_with(*gradients)
    mine = clip_grad_norm_band_(ours, 0.0, 1.0)
    its = clip_grad_norm_(theirs, 1.0)
    assert torch.equal(mine, its)
    assert mine.shape == ()
    assert float(mine) == pytest.approx(float(torch.cat([g.ravel() for g in gradients]).norm()))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=2e-6, atol=0)


def test_parameters_without_gradients_are_passed_over() -> None:
    params = parameters_with(None, torch.tensor([3.0, 4.0]), None)
    assert float(clip_grad_norm_band_(params, 0.0, 1.0)) == 5
    assert params[0].grad is None
    assert params[2].grad is None
    torch.testing.assert_close(params[1].grad, torch.tensor([0.6, 0.8]))
    for nothing in ([], parameters_with(None)):
        assert float(clip_grad_norm_band_(nothing, 1.0, 2.0)) == 0


@pytest.mark.parametrize(
    "form", [lambda p: p[0], lambda p: iter(p), tuple, lambda p: (q for q in p)]
)
def test_a_tensor_and_any_iterable_will_do(form: Callable[[list[Tensor]], object]) -> None:
    params = parameters_with(torch.tensor([3.0, 4.0]))
    assert float(clip_grad_norm_band_(form(params), 0.0, 1.0)) == 5
    torch.testing.assert_close(params[0].grad, torch.tensor([0.6, 0.8]))


def test_gradients_are_scaled_in_place() -> None:
    params = parameters_with(torch.tensor([3.0, 4.0]))
    gradient = params[0].grad
    clip_grad_norm_band_(params, 0.0, 1.0)
    assert params[0].grad is gradient


def test_gradients_of_several_dtypes_are_clipped_together() -> None:
    params = parameters_with(torch.tensor([3.0]), torch.tensor([4.0], dtype=torch.float64))
    assert float(clip_grad_norm_band_(params, 0.0, 1.0)) == pytest.approx(5)
    assert float(params[0].grad) == pytest.approx(0.6)
    assert float(params[1].grad) == pytest.approx(0.8)


def test_neither_form_builds_a_graph() -> None:
    param = nn.Parameter(torch.tensor([3.0, 4.0]))
    (param.grad,) = torch.autograd.grad(param.square().sum() / 2, param, create_graph=True)
    gradient = param.grad
    assert gradient.requires_grad
    assert not clip_norm_band(gradient, 0.0, 1.0).requires_grad
    assert torch.equal(gradient, param)
    assert not clip_grad_norm_band_(param, 0.0, 1.0).requires_grad
    param.grad = None


@pytest.mark.parametrize(
    ("L", "U"),
    [
        (2.0, 1.0),
        (0.0, -0.5),
        (-1.0, 1.0),
        (-2.0, -1.0),
        (-INF, INF),
        (INF, INF),
        (INF, 1.0),
        (NAN, 1.0),
        (1.0, NAN),
        (NAN, NAN),
    ],
)
def test_a_band_that_is_none_is_refused_and_changes_nothing(L: float, U: float) -> None:
    params = parameters_with(torch.tensor([3.0, 4.0]))
    with pytest.raises(ValueError, match=r"the norm band needs 0 <= L <= U.*got L="):
        clip_grad_norm_band_(params, L, U)
    assert torch.equal(params[0].grad, torch.tensor([3.0, 4.0]))
    with pytest.raises(ArgumentError, match="the norm band needs 0 <= L <= U"):
        clip_norm_band(torch.ones(2), L, U)


def test_a_gradient_whose_memory_was_freed_is_refused() -> None:
    weight = nn.Parameter(torch.zeros(300, 300))
    weight.grad = torch.ones(300, 300)
    weight.grad.untyped_storage().resize_(0)
    with pytest.raises(ArgumentError, match="storage was resized"):
        clip_grad_norm_band_([weight], 0.1, 1.0)
