import numpy as np
import pytest

from recurra.tasks.forecasting.baselines import (
    baseline_forecasts,
    weighted_average,
    with_quantiles,
)

VALUES = np.array([2.0, 4.0, 3.0, 8.0, 5.0, 7.0])


def test_baselines_are_what_they_are_called():
    made = baseline_forecasts(VALUES, np.array([4]), 3, seasonality=2, decay=0.5)
    assert made["naive"][0].tolist() == [8, 8, 8]
    assert made["drift"][0].tolist() == [10, 12, 14]
    assert made["seasonal naive"][0].tolist() == [3, 8, 3]
    assert made["average"][0].tolist() == [4.25] * 3
    # 2, 3, 3, 5.5 by halves.
    assert made["ewma"][0].tolist() == [5.5] * 3


def test_a_season_that_has_not_passed_is_the_last_value():
    made = baseline_forecasts(VALUES, np.array([2, 6]), 2, seasonality=5)
    assert made["seasonal naive"].tolist() == [[4, 4], [4, 3]]


def test_without_a_season_there_is_no_seasonal_baseline():
    assert "seasonal naive" not in baseline_forecasts(VALUES, np.array([2]), 2)


def test_one_value_has_a_forecast():
    made = baseline_forecasts(np.array([3.0]), np.array([1]), 2, seasonality=7)
    assert all(forecast.tolist() == [[3, 3]] for forecast in made.values())


def test_no_baseline_knows_what_comes_after():
    ends = np.arange(1, 5)
    changed = np.concatenate([VALUES[:4], [100.0, -100.0]])
    before = baseline_forecasts(VALUES, ends, 2, seasonality=3)
    after = baseline_forecasts(changed, ends, 2, seasonality=3)
    assert all((before[name] == after[name]).all() for name in before)


def test_the_weighted_average_is_that_of_riskmetrics():
    averages = weighted_average(VALUES)
    weights = 0.94 ** np.arange(5, -1, -1)
    weights[1:] *= 0.06
    assert averages[-1] == pytest.approx(weights @ VALUES)


def test_quantiles_of_past_errors_lie_around_a_forecast():
    errors = np.array([[-1.0, -10.0], [0.0, 0.0], [1.0, 10.0]])
    made = with_quantiles(np.array([[5.0, 6.0]]), errors, (0.0, 0.5, 1.0))
    assert made.tolist() == [[[4, 5, 6], [-4, 6, 16]]]
