"""Rates, what arrives, where formats end: on matrices of norms made by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra import Recurrent, gradient_flow
from recurra.gradients.decay import arriving, begins, mean_by_distance, rate_a_step
from recurra.gradients.underflow import FORMATS, first_outside, limits

NAN, INF = math.nan, math.inf


def powers(rate: float, T: int, reverse: bool = False) -> np.ndarray:
    """Return (T, T): rate ** |t - s| times a factor of t's own, 0 on the other side of t."""
    back = np.arange(T)[:, None] - np.arange(T)
    norms = np.where(back >= 0, float(rate) ** back.clip(0), 0.0)
    norms *= np.linspace(1, 5, T)[:, None]
    return norms[::-1, ::-1] if reverse else norms


@given(st.floats(0.05, 3.0), st.integers(2, 40), st.booleans())
def test_an_exact_power_has_that_rate_and_no_doubt(rate: float, T: int, reverse: bool) -> None:
    norms = powers(rate, T, reverse)
    found, low, high, _ = rate_a_step(norms, range(T), reverse)
    assert found == pytest.approx(rate, rel=1e-9)
    if T > 2:
        assert low == pytest.approx(rate, rel=1e-6)
        assert high == pytest.approx(rate, rel=1e-6)
    shares = arriving(norms, range(T), reverse)
    np.testing.assert_allclose(shares, rate ** np.arange(T), rtol=1e-9)


@pytest.mark.parametrize(("times", "way"), [(30, "bootstrap"), (5, "squares")])
def test_the_interval_holds_the_truth_about_19_times_in_20(times: int, way: str) -> None:
    generator, T, held = np.random.default_rng(3), 30, 0
    some = np.linspace(1, T - 1, times).round().astype(int)
    for _ in range(200):
        noisy = powers(0.8, T) * np.exp(0.3 * generator.standard_normal((T, T)))
        rate, low, high, found = rate_a_step(noisy[some], some, False)
        assert found == way
        assert low < rate < high
        held += low <= 0.8 <= high
    assert 170 <= held <= 198


def test_the_interval_is_the_same_every_time() -> None:
    noisy = powers(0.8, 20) * np.random.default_rng(1).uniform(0.5, 2, (20, 20))
    assert rate_a_step(noisy, range(20), False) == rate_a_step(noisy, range(20), False)


def test_zeros_and_what_has_lost_its_digits_do_not_count() -> None:
    norms = powers(1e-20, 40)
    assert (norms[-1] == 0).any()
    assert rate_a_step(norms, range(40), False)[0] == pytest.approx(1e-20, rel=1e-6)
    single = np.where(norms < 1e-38, 1e-45, norms)  # float32's smallest, instead of less
    assert rate_a_step(single, range(40), False, torch.float32)[0] == pytest.approx(1e-20, rel=1e-6)


def test_too_little_to_fit_is_not_a_number() -> None:
    for norms in (np.ones((1, 1)), np.zeros((5, 5)), np.diag(np.ones(5)), np.full((5, 5), INF)):
        rate, low, high, _ = rate_a_step(norms, range(len(norms)), False)
        assert math.isnan(rate)
        assert math.isnan(low)
        assert math.isnan(high)
    rate, low, high, _ = rate_a_step(np.array([[0.5, 1.0]]), [1], False)
    assert rate == pytest.approx(0.5)  # two points have a slope, but leave nothing to judge it by
    assert math.isnan(low)
    assert math.isnan(high)


def test_what_arrives_is_nan_where_there_is_no_pair() -> None:
    norms = powers(0.5, 6)[[1, 3]]
    np.testing.assert_allclose(arriving(norms, [1, 3], False), [1, 0.5, 0.25, 0.125, NAN, NAN])
    norms[1] = 0  # nothing at distance 0 either: no share of it
    np.testing.assert_allclose(arriving(norms, [1, 3], False), [1, 0.5, NAN, NAN, NAN, NAN])


def test_a_mean_of_numbers_near_the_end_of_the_range_is_finite() -> None:
    rows = [np.array([1e308, 1.0]), np.array([1.2e308]), np.array([NAN, 3.0])]
    np.testing.assert_allclose(mean_by_distance(rows, 3), [1.1e308, 2.0, NAN])


def test_one_loss_in_all_counts_from_each_runs_end() -> None:
    assert begins([2, 5], 6, 6, True) == [2, 5]
    assert begins([5], 1, 6, False) == (5,)
    assert begins([5], 1, 6, True) == (0,)


# --- formats -----------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_a_formats_limits_are_its_smallest_subnormal_and_its_largest_number(name: str) -> None:
    dtype = FORMATS[name]
    smallest, largest = limits(dtype)
    assert float(torch.tensor(smallest, dtype=torch.float64).to(dtype)) == smallest
    assert float(torch.tensor(smallest / 2.1, dtype=torch.float64).to(dtype)) == 0
    assert float(torch.tensor(largest, dtype=torch.float64).to(dtype)) == largest
    assert math.isinf(torch.tensor(largest * 1.01, dtype=torch.float64).to(dtype))


def of_power(rate: float, T: int, dtype: torch.dtype = torch.float32) -> dict[str, object]:
    with np.errstate(over="ignore"):
        means = (float(rate) ** np.arange(T)).reshape(1, 1, T)
    return first_outside(means, np.array([[rate]]), dtype)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("rate", [0.1, 0.72, 0.97, 1.03, 2.0, 10.0])
def test_the_rate_carries_on_to_the_distance_that_measuring_would_find(
    rate: float, name: str
) -> None:
    dtype = FORMATS[name]
    measured = of_power(rate, 5000, dtype)
    ahead = of_power(rate, 5, dtype)
    assert measured["distance"] == ahead["distance"]
    assert measured["kind"] == ahead["kind"] == ("underflow" if rate < 1 else "overflow")
    assert measured["measured"]
    assert ahead["measured"] == (ahead["distance"] < 5)
    distance = measured["distance"]
    low, high = limits(dtype)
    inside, outside = rate ** (distance - 1), rate**distance
    assert low <= inside <= high
    assert not low <= outside <= high


def test_what_stays_in_range_for_a_million_steps_has_no_distance() -> None:
    for rate in (1.0, 0.99999, 1.00001, NAN):
        found = of_power(rate if rate == rate else 1.0, 50)
        assert found["distance"] is None
        assert found["kind"] is None


def test_of_several_layers_the_first_to_leave_is_named() -> None:
    rates = np.array([[0.9, 0.5], [0.8, 2.0]])
    means = rates[..., None] ** np.arange(10)
    found = first_outside(means, rates, torch.float32)
    assert (found["layer"], found["direction"], found["kind"]) == (1, 1, "overflow")
    assert found["distance"] == 128
    assert not found["measured"]


def test_a_gradient_that_never_was_has_nothing_to_lose() -> None:
    found = first_outside(np.zeros((1, 1, 5)), np.array([[NAN]]), torch.float32)
    assert found["distance"] is None


def test_float32_really_holds_zero_from_the_distance_that_is_said() -> None:
    layer = Recurrent("elman", 2, 3, activation="sigmoid")
    x = torch.randn(90, 1, 2)
    said = gradient_flow(layer, x, times=[89], compare=False).underflow["float32"]
    assert said["measured"]
    assert said["kind"] == "underflow"
    h, states = torch.zeros(1, 3), []
    for step in x:
        h = torch.sigmoid(layer.cells[0].affine(step, h))
        states.append(h)
    gradients = torch.autograd.grad(h.square().sum() / 2, states)
    nonzero = [d for d, g in enumerate(reversed(gradients)) if g.any()]
    assert abs(nonzero[-1] + 1 - said["distance"]) <= 1  # the last bit is a matter of rounding
