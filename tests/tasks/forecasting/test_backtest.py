import numpy as np
import pandas as pd
import pytest

from recurra.data.series.reading import read_series
from recurra.errors import ArgumentError, DataError
from recurra.tasks.forecasting.forecaster import Forecaster


def small(**options):
    return Forecaster(
        **{"cell": "gru", "hidden_size": 4, "horizon": 2, "window": 8, "epochs": 2,
           "random_state": 0} | options
    )  # fmt: skip


def values(n=200, seed=0):
    draw = np.random.default_rng(seed)
    return 10 + np.sin(np.arange(n) / 3) + 0.2 * draw.normal(size=n)


def same(a, b, before):
    """Whether two walks say the same wherever a forecast was made before step `before` was seen."""
    kept = a.ends <= before
    assert kept.any()
    return all(
        np.array_equal(a.made[model][part][kept], b.made[model][part][kept])
        for model in a.made
        for part in (0, 1)
    )


@pytest.mark.parametrize(
    "options", [{}, {"rolling": None}, {"folds": 3, "refit": True}, {"folds": 2, "step": 3}]
)
def test_nothing_that_comes_later_changes_what_was_forecast_before(options):
    y = values()
    whole = small(seasonality=5).backtest(y, start=0.6, **options).series[0]
    for seen in (121, 160, 199):
        changed = y.copy()
        changed[seen:] = 1000 + 500 * np.random.default_rng(1).normal(size=200 - seen)
        other = small(seasonality=5).backtest(changed, start=0.6, **options).series[0]
        assert same(whole, other, seen)
    # And what was seen does change it.
    changed = y.copy()
    changed[150] += 5
    other = small(seasonality=5).backtest(changed, start=0.6, **options).series[0]
    assert not same(whole, other, 199)


def test_covariates_leak_nothing_either():
    frame = pd.DataFrame(
        {"ds": range(200), "y": values(), "p": values(seed=1), "k": values(seed=2)}
    )
    options = {"past": ["p"], "known": ["k"], "start": 0.6}
    whole = small().backtest(frame, **options).series[0]
    changed = frame.copy()
    changed.loc[160:, ["y", "p"]] += 100
    changed.loc[162:, "k"] += 100  # two steps ahead it is known
    assert same(whole, small().backtest(changed, **options).series[0], 160)
    changed.loc[160:161, "k"] += 1
    assert not same(whole, small().backtest(changed, **options).series[0], 160)


def test_one_fit_forecasts_as_fit_and_predict_do():
    y = values()
    walk = small().backtest(y, start=0.75, rolling=None).series[0]
    model = small().fit(y[:150])
    assert walk.ends[0] == 150
    assert walk.made["model"][0][0] == pytest.approx(model.predict()[0], abs=1e-12)
    assert walk.made["model"][1][0] == pytest.approx(model.predict_quantiles()[0], abs=1e-12)
    assert walk.made["model"][0][30] == pytest.approx(model.predict(y[:180])[0], abs=1e-12)


def test_a_walk_lists_when_and_what_came():
    dates = pd.date_range("2020-01-01", periods=200)
    y = values()
    back = small().backtest(pd.DataFrame({"ds": dates, "y": y}), start=0.9, step=5, folds=2)
    walk = back.series[0]
    assert walk.ends.tolist() == [180, 185, 190, 195]
    assert walk.fold.tolist() == [0, 0, 1, 1]
    assert (walk.y == np.stack([y[e : e + 2] for e in walk.ends])).all()
    assert walk.times[0, 0] == np.datetime64(dates[180])
    assert (walk.learned == y[:180]).all()
    frame = back.to_frame()
    assert len(frame) == 8
    assert frame["step"].tolist() == [1, 2] * 4
    assert frame["model"].tolist() == walk.made["model"][0].ravel().tolist()


def test_a_walk_may_begin_at_a_date():
    frame = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=200), "y": values()})
    walk = small().backtest(frame, start="2020-06-01").series[0]
    assert str(walk.times[0, 0])[:10] == "2020-06-01"
    assert len(walk.learned) == 152


def test_refitting_learns_anew_before_each_fold():
    y = values()
    y[150:] += 20
    once = small().backtest(y, start=0.6, folds=2)
    anew = small().backtest(y, start=0.6, folds=2, refit=True)
    first, last = ([b.scores(fold)[0].mae for b in (once, anew)] for fold in (0, 1))
    assert first[0] == first[1]
    assert last[0] != last[1]


def test_the_estimator_itself_is_left_as_it_was():
    model = small()
    model.backtest(values(), start=0.8)
    assert not hasattr(model, "network_")


def test_scores_stand_beside_every_baseline():
    back = small(seasonality=19, epochs=8).backtest({"a": values(), "b": values(seed=1)}, start=0.7)
    scores = {score.model: score for score in back.scores()}
    assert set(scores) == {"model", "naive", "drift", "seasonal naive", "average", "ewma"}
    a, b = back.series
    naive = np.mean([np.abs(one.y - one.made["naive"][0]).mean() for one in (a, b)])
    assert scores["naive"].mae == pytest.approx(naive)
    assert set(scores["model"].coverage) == {0.5, 0.8, 0.9, 0.95}


def test_rolling_calibration_keeps_its_coverage_where_the_noise_grows():
    draw = np.random.default_rng(0)
    y = draw.normal(size=900) * np.where(np.arange(900) < 500, 1.0, 3.0)
    options = {"horizon": 1, "epochs": 4}
    held, rolled = (
        small(**options).backtest(y, start=0.5, rolling=rolling).scores()[0].coverage[0.9]
        for rolling in (None, 100)
    )
    assert held < 0.6
    assert rolled > 0.8


def test_on_a_random_walk_the_last_value_is_not_beaten():
    y = np.cumsum(np.random.default_rng(0).normal(size=600))
    scores = small(epochs=8, horizon=1, series_transform="difference").backtest(y).scores()
    model, naive = scores[0], scores[1]
    assert naive.model == "naive"
    assert 0.97 * naive.mae < model.mae < 1.1 * naive.mae


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 1.5}, "start must be a share above 0 and below 1, or a time; got 1.5"),
        ({"start": 0.999}, "after 199 of them none is left to forecast 2 ahead"),
        ({"start": 0.02}, "has 4 steps, but a window of 8 and a horizon of 2 need 10"),
        ({"step": 0}, "step must be a whole number of at least 1"),
        ({"folds": 1.5}, "folds must be a whole number"),
        ({"rolling": 0}, "rolling must be a whole number"),
        ({"start": "soon"}, "'soon' is no time"),
    ],
)
def test_a_walk_that_cannot_be_is_refused(options, message):
    with pytest.raises((ArgumentError, DataError), match=message):
        small().backtest(values(), **options)


def test_a_constant_series_has_scores_though_nothing_to_scale_by():
    scores = small().backtest([5.0] * 100, start=0.7).scores()
    assert np.isnan(scores[0].mase)
    assert scores[1].mae == 0


def test_series_that_were_read_are_walked_through():
    assert len(small().backtest(read_series(values()), start=0.9).series) == 1
