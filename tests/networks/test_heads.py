import math

import pytest
import torch
from scipy import stats

from recurra.errors import ArgumentError
from recurra.networks.heads import build_head, check_levels

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def fitted(kind, y, steps=600):
    """Return the forecast that a head learns where nothing but y (n,) is known."""
    head = build_head(kind, LEVELS)
    raw = torch.tensor(head.start(), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([raw], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        head.loss(head.spread(raw.expand(len(y), -1)), y).mean().backward()
        optimizer.step()
    return head, head.spread(raw.detach())


@pytest.mark.parametrize("levels", [LEVELS, (0.5,), (0.1, 0.2, 0.9), (0.3, 0.45)])
def test_quantiles_never_cross_whatever_the_network_says(levels):
    head = build_head("quantile", levels)
    raw = torch.randn(200, len(levels), generator=torch.Generator().manual_seed(0)) * 20
    quantiles = head.quantiles(head.spread(raw), levels)
    assert quantiles.shape == (200, len(levels))
    assert (quantiles.diff(dim=-1) >= 0).all()


@pytest.mark.parametrize("kind", ["quantile", "gaussian"])
def test_a_head_starts_at_the_standard_normal_distribution(kind):
    head = build_head(kind, LEVELS)
    raw = torch.tensor(head.start(), dtype=torch.float64)
    quantiles = head.quantiles(head.spread(raw), LEVELS)
    assert quantiles.tolist() == pytest.approx(stats.norm.ppf(LEVELS).tolist(), abs=2e-3)


def test_the_quantile_head_learns_the_quantiles():
    y = torch.from_numpy(stats.expon.rvs(size=4000, random_state=0))
    head, forecast = fitted("quantile", y)
    learned = head.quantiles(forecast, LEVELS).tolist()
    assert learned == pytest.approx(
        torch.quantile(y, torch.tensor(LEVELS).double()).tolist(), abs=0.03
    )


def test_the_pinball_loss_is_that_of_the_definition():
    head = build_head("quantile", (0.1, 0.9))
    forecast = torch.tensor([[0.0, 1.0]])
    # Mean over levels of twice: 0.1·2 = 0.2 above both, (1 - 0.9)·... inside.
    assert head.loss(forecast, torch.tensor([2.0])).item() == pytest.approx(0.1 * 2 + 0.9 * 1)
    assert head.loss(forecast, torch.tensor([0.5])).item() == pytest.approx(0.1 * 0.5 + 0.1 * 0.5)
    assert head.loss(forecast, torch.tensor([-1.0])).item() == pytest.approx(0.9 * 1 + 0.1 * 2)


def test_the_gaussian_head_learns_mean_and_deviation():
    y = torch.from_numpy(stats.norm.rvs(3, 2, size=4000, random_state=0))
    _, (mean, deviation) = fitted("gaussian", y)
    assert mean.item() == pytest.approx(y.mean().item(), abs=0.02)
    assert deviation.item() == pytest.approx(y.std().item(), abs=0.02)


def test_the_student_head_learns_tails_that_are_heavy():
    y = torch.from_numpy(stats.t.rvs(4, size=20000, random_state=0))
    _, (location, scale, degrees) = fitted("student", y)
    wanted = stats.t.fit(y.numpy())
    assert location.item() == pytest.approx(wanted[1], abs=0.03)
    assert scale.item() == pytest.approx(wanted[2], abs=0.03)
    assert degrees.item() == pytest.approx(wanted[0], rel=0.1)


@pytest.mark.parametrize(
    ("kind", "raw", "reference"),
    [
        ("gaussian", [0.3, 0.7], lambda f: stats.norm(f[0], f[1])),
        ("student", [0.3, 0.7, 1.5], lambda f: stats.t(f[2], f[0], f[1])),
    ],
)
def test_likelihoods_and_quantiles_are_those_of_scipy(kind, raw, reference):
    head = build_head(kind, LEVELS)
    forecast = head.spread(torch.tensor(raw, dtype=torch.float64))
    distribution = reference(forecast.tolist())
    for y in (-2.0, 0.1, 5.0):
        loss = head.loss(forecast, torch.tensor(y, dtype=torch.float64)).item()
        assert loss == pytest.approx(-distribution.logpdf(y), rel=1e-9)
    assert head.quantiles(forecast, LEVELS).tolist() == pytest.approx(
        distribution.ppf(LEVELS).tolist(), rel=1e-9
    )


@pytest.mark.parametrize("kind", ["quantile", "gaussian", "student"])
def test_losses_have_right_gradients(kind):
    head = build_head(kind, LEVELS)
    raw = torch.randn(3, head.size, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([-1.0, 0.2, 4.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda r: head.loss(head.spread(r), y), raw)


@pytest.mark.parametrize(
    "levels", [(), (0.0, 0.5), (0.5, 1.0), (0.5, 0.5), (0.9, 0.1), (math.nan,), "ab"]
)
def test_levels_that_do_not_ascend_between_0_and_1_are_refused(levels):
    with pytest.raises(ArgumentError, match="quantiles must be"):
        check_levels(levels)


def test_unknown_heads_and_levels_not_learned_are_refused():
    with pytest.raises(
        ArgumentError, match="head='cauchy' is not known; there are quantile, gauss"
    ):
        build_head("cauchy", LEVELS)
    head = build_head("quantile", LEVELS)
    with pytest.raises(ArgumentError, match="learned the quantiles"):
        head.quantiles(head.spread(torch.zeros(5)), (0.1,))
