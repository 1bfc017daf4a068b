import numpy as np
import pytest
from scipy import stats

from recurra.tasks.forecasting.conformal import LEAST, conformal_shifts, rolling_shifts, shifted

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def overconfident(n, seed=0, H=2):
    """Forecasts of a standard normal distribution for outcomes three times as wide, off by one."""
    y = np.random.default_rng(seed).normal(1, 3, (n, H))
    return np.broadcast_to(stats.norm.ppf(LEVELS), (n, H, len(LEVELS))).copy(), y


def coverage(quantiles, y):
    return ((quantiles[..., 0] <= y) & (y <= quantiles[..., -1])).mean()


def test_shifts_give_quantiles_the_share_of_outcomes_they_should_have():
    quantiles, y = overconfident(2000)
    shifts = conformal_shifts(quantiles, y, LEVELS)
    fresh, outcomes = overconfident(4000, seed=1)
    assert coverage(fresh, outcomes) < 0.5
    calibrated = shifted(fresh, shifts, LEVELS)
    assert coverage(calibrated, outcomes) == pytest.approx(0.9, abs=0.02)
    below = (outcomes[..., np.newaxis] < calibrated).mean((0, 1))
    assert below[[0, 1, 3, 4]] == pytest.approx([0.05, 0.25, 0.75, 0.95], abs=0.02)


def test_the_rank_is_that_of_the_theorem():
    # 19 outcomes at 1 to 19, forecast 0 throughout: ⌈20·0.9⌉ = 18th smallest.
    quantiles, y = np.zeros((19, 1, 1)), np.arange(1.0, 20.0)[:, np.newaxis]
    assert conformal_shifts(quantiles, y, (0.9,)) == pytest.approx(18.0)
    assert conformal_shifts(quantiles, -y, (0.1,)) == pytest.approx(-18.0)
    # ⌈11·0.8⌉ = 9th of 10.
    assert conformal_shifts(quantiles[:10], y[:10], (0.8,)) == pytest.approx(9.0)
    # Too few for their rank: the largest.
    assert conformal_shifts(quantiles, y, (0.99,)) == pytest.approx(19.0)


def test_coverage_of_exchangeable_outcomes_is_what_the_theorem_promises():
    # 14 outcomes, level 0.8: the 12th smallest of them, so 12 of 15 fresh ones lie below it.
    y = np.random.default_rng(0).normal(size=(20000, 15))
    shifts = conformal_shifts(np.zeros((14, 20000, 1)), y[:, :14].T, (0.8,))
    covered = (y[:, 14] <= shifts[:, 0]).mean()
    assert covered == pytest.approx(12 / 15, abs=4 * (0.16 / 20000) ** 0.5)


def test_without_outcomes_nothing_moves():
    assert (
        conformal_shifts(np.zeros((0, 3, 5)), np.zeros((0, 3)), LEVELS) == np.zeros((3, 5))
    ).all()


def test_each_horizon_has_shifts_of_its_own():
    quantiles, y = overconfident(500)
    y[:, 1] *= 10
    shifts = conformal_shifts(quantiles, y, LEVELS)
    assert (np.abs(shifts[1, [0, -1]]) > 3 * np.abs(shifts[0, [0, -1]])).all()


def test_shifted_quantiles_still_ascend():
    quantiles = np.sort(np.random.default_rng(0).normal(size=(100, 2, 5)), axis=-1)
    shifts = np.array([[2.0, -1.0, 0.0, 1.0, -2.0]] * 2)
    moved = shifted(quantiles, shifts, LEVELS)
    assert (np.diff(moved, axis=-1) >= 0).all()
    assert (moved[..., 2] == quantiles[..., 2]).all()


def test_a_rolling_shift_is_that_of_the_outcomes_known_by_then():
    quantiles, y = overconfident(80)
    ends = np.arange(100, 180)
    rolled = rolling_shifts(quantiles, y, LEVELS, ends, most=30)
    assert np.isnan(rolled[:LEAST, 0]).all()
    for k, h in [(LEAST, 0), (60, 0), (60, 1), (79, 1)]:
        # Made before step e, h + 1 ahead: out are those made before e - h.
        known = np.arange(max(0, k - h - 30), k - h)
        wanted = conformal_shifts(quantiles[known], y[known], LEVELS)[h]
        assert rolled[k, h] == pytest.approx(wanted)


def test_a_rolling_shift_knows_no_outcome_that_has_not_come():
    quantiles, y = overconfident(80)
    ends = np.arange(80)
    before = rolling_shifts(quantiles, y, LEVELS, ends, most=50)
    # What is made before step 60 knows steps to 59: outcome k, h comes at step k + h.
    later = y.copy()
    later[60:, 0] += 100
    later[59:, 1] += 100
    after = rolling_shifts(quantiles, later, LEVELS, ends, most=50)
    assert np.array_equal(before[:61], after[:61], equal_nan=True)
    assert not np.array_equal(before[61:], after[61:])
