import numpy as np
import pytest

from recurra.errors import ArgumentError, DataError
from recurra.tasks.forecasting.scores import interval_pairs, margin, qlike, score_forecasts

LEVELS = (0.1, 0.5, 0.9)


def scored(**options):
    draw = np.random.default_rng(0)
    came = {"a": draw.normal(10, 1, (50, 2)), "b": draw.normal(-5, 3, (30, 2))}
    made = {
        "model": {
            name: (y + 0.5, np.stack([y - 1, y + 0.5, y + 2], -1)) for name, y in came.items()
        },
        "off": {name: (y * 0, np.zeros((*y.shape, 3))) for name, y in came.items()},
    }
    learned = {"a": np.array([0.0, 2.0, 0.0]), "b": np.array([0.0, 4.0, 8.0])}
    return came, made, score_forecasts(came, made, LEVELS, learned, **options)


def test_scores_are_those_of_their_definitions():
    came, made, (model, off) = scored()
    assert model.mae == pytest.approx(0.5)
    assert model.mase == pytest.approx((0.5 / 2 + 0.5 / 4) / 2)
    assert model.coverage == {0.8: 1.0}
    assert off.coverage == {0.8: 0.0}
    assert off.mae == pytest.approx(np.mean([np.abs(y).mean() for y in came.values()]))
    crps = []
    for name, y in came.items():
        e = y[..., np.newaxis] - made["model"][name][1]
        losses = np.maximum(np.array(LEVELS) * e, (np.array(LEVELS) - 1) * e)
        crps.append(2 * losses.mean() * y.size / np.abs(y).sum())
    assert model.crps == pytest.approx(np.mean(crps))


def test_a_scaled_error_takes_the_season():
    _, _, (model, _) = scored(seasonality=2)
    assert model.mase == pytest.approx(0.5 / 8)  # series a is the same every second step


def test_nothing_to_score_is_said():
    with pytest.raises(DataError, match="no forecasts to score"):
        score_forecasts({"a": np.zeros((0, 1))}, {}, LEVELS, {})


def test_levels_that_belong_together_are_paired():
    levels = (0.05, 0.1, 0.5, 0.9, 0.95)
    assert interval_pairs(levels) == {0.8: (1, 3), 0.9: (0, 4)}
    assert interval_pairs((0.1, 0.5)) == {}


def test_qlike_is_zero_for_the_truth_and_worse_below_than_above():
    assert qlike(np.array([2.0]), np.array([2.0])) == pytest.approx(0)
    assert qlike(np.array([2.0]), np.array([1.0])) > qlike(np.array([2.0]), np.array([4.0])) > 0
    with pytest.raises(DataError, match="above 0"):
        qlike(np.array([0.0]), np.array([1.0]))


def test_the_best_forecast_by_qlike_is_the_mean_though_the_measure_is_noisy():
    variance = np.random.default_rng(0).chisquare(1, 20000)
    mean = np.full(20000, variance.mean())
    assert qlike(variance, mean).mean() < qlike(variance, 0.9 * mean).mean()
    assert qlike(variance, mean).mean() < qlike(variance, 1.1 * mean).mean()


def test_a_margin_has_its_sign_and_its_interval():
    draw = np.random.default_rng(0)
    a, noise = draw.normal(size=400), draw.normal(size=400)
    better = margin(a, a + 0.5 + noise)
    assert better.low < 0.5 < better.high
    assert better.low < better.margin < better.high
    assert better.is_clear
    worse = margin(a + 0.5 + noise, a)
    assert worse.margin == -better.margin
    assert worse.is_clear
    assert not margin(a, a + noise - noise.mean()).is_clear


def test_intervals_cover_the_truth_as_often_as_they_say_though_neighbours_depend():
    draw = np.random.default_rng(1)
    held = {1: 0, 20: 0}
    for _ in range(200):
        shocks = draw.normal(size=600)
        d = np.convolve(shocks, np.ones(8) / 8, "valid")
        for block in held:
            one = margin(np.zeros(len(d)), d, block=block, draws=300)
            held[block] += one.low <= 0 <= one.high
    assert held[20] / 200 > 0.88
    assert held[1] / 200 < 0.7  # what single steps instead of blocks would say


def test_a_margin_is_drawn_the_same_each_time():
    a, b = np.random.default_rng(0).normal(size=(2, 100))
    assert margin(a, b, seed=3) == margin(a, b, seed=3)
    assert margin(a, b, seed=3) != margin(a, b, seed=4)


def test_losses_too_few_for_blocks_are_refused():
    with pytest.raises(ArgumentError, match=r"at least 2 blocks of 20; got \(30,\)"):
        margin(np.zeros(30), np.zeros(30))
