import numpy as np
import pandas as pd
import pytest

from recurra.data.series.reading import read_series
from recurra.errors import ArgumentError, DataError, ModelFileError, NotFittedError
from recurra.tasks.forecasting.forecaster import Forecaster


def small(**options):
    return Forecaster(
        **{"cell": "gru", "hidden_size": 8, "horizon": 4, "window": 12, "epochs": 3,
           "random_state": 0} | options
    )  # fmt: skip


def wave(n=300, seed=0, level=10.0):
    noise = np.random.default_rng(seed).normal(size=n)
    return level + np.sin(np.arange(n) * 2 * np.pi / 12) + 0.05 * noise


def promoted(n=300, seed=0, ahead=0):
    """A long table in which the value jumps where a promotion is, which is known ahead."""
    draw = np.random.default_rng(seed)
    promo = (draw.random(n + ahead) < 0.3).astype(float)
    y = 5 + 3 * promo + 0.1 * draw.normal(size=n + ahead)
    y[n:] = np.nan
    dates = pd.date_range("2020-01-01", periods=n + ahead)
    return pd.DataFrame({"unique_id": "shop", "ds": dates, "y": y, "promo": promo})


@pytest.fixture(scope="module")
def fitted():
    return small(seasonality=12, epochs=15).fit(wave())


def test_a_wave_is_forecast_better_than_by_any_baseline_but_its_season(fitted):
    scores = fitted.scores_
    assert set(scores) == {"model", "naive", "drift", "seasonal naive", "average", "ewma"}
    others = [value for name, value in scores.items() if name not in ("model", "seasonal naive")]
    assert scores["model"] < 0.3 * min(others)
    truth = 10 + np.sin(np.arange(300, 304) * 2 * np.pi / 12)
    assert fitted.predict()[0] == pytest.approx(truth, abs=0.3)


def test_fewer_steps_than_learned_are_the_first_of_them(fitted):
    assert (fitted.predict(2) == fitted.predict()[:, :2]).all()
    assert (fitted.predict(horizon=2) == fitted.predict()[:, :2]).all()
    assert fitted.predict_quantiles(horizon=3).shape == (1, 3, 9)


@pytest.mark.parametrize("horizon", [5, 0, -1, 2.5, True])
def test_more_steps_than_learned_are_refused_with_the_number(fitted, horizon):
    with pytest.raises(ArgumentError, match="the model forecasts from 1 to 4 steps; for more"):
        fitted.predict(horizon=horizon)


def test_quantiles_ascend_and_other_levels_lie_between(fitted):
    quantiles = fitted.predict_quantiles()
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    asked = fitted.predict_quantiles(levels=(0.1, 0.3, 0.5))
    assert (asked[..., 0] == quantiles[..., 2]).all()
    assert (asked[..., 2] == fitted.predict()).all()
    assert (asked[..., 1] >= quantiles[..., 3]).all()
    assert (asked[..., 1] <= quantiles[..., 4]).all()
    with pytest.raises(
        ArgumentError, match=r"levels from 0.01 to 0.5 were asked for, but the model"
    ):
        fitted.predict_quantiles(levels=(0.01, 0.5))


def test_a_forecast_knows_its_times():
    frame = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=300, freq="MS"), "a": wave()})
    forecast = small(epochs=1).fit(frame).forecast(horizon=2)
    assert forecast.times[0].astype("datetime64[D]").astype(str).tolist() == [
        "2045-01-01",
        "2045-02-01",
    ]
    table = forecast.to_frame()
    assert list(table.columns[:4]) == ["unique_id", "ds", "forecast", "q0.025"]
    assert table["forecast"].tolist() == table["q0.5"].tolist() == forecast.point[0].tolist()


def test_longer_series_are_forecast_from_their_own_end(fitted):
    longer = wave(310)
    assert fitted.predict(longer[:300]) == pytest.approx(fitted.predict())
    truth = 10 + np.sin(np.arange(310, 314) * 2 * np.pi / 12)
    assert fitted.predict(longer)[0] == pytest.approx(truth, abs=0.3)


def test_a_saved_forecaster_answers_the_same(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    assert (loaded.predict() == fitted.predict()).all()
    assert (loaded.predict_quantiles() == fitted.predict_quantiles()).all()
    assert loaded.scores_ == fitted.scores_
    assert loaded.forecast().times[0].tolist() == fitted.forecast().times[0].tolist()


def test_a_saved_state_whose_sizes_do_not_fit_is_refused(fitted):
    record = fitted.state_.model_dump() | {"shifts": [[0.0]]}
    with pytest.raises(DataError, match="shifts do not fit"):
        small()._take_fitted(record)


@pytest.mark.parametrize("decoder", ["direct", "recurrent"])
def test_what_is_known_ahead_is_used(decoder):
    # A jump that nothing in the past foretells.
    model = small(decoder=decoder, epochs=12, horizon=2).fit(promoted(ahead=2), known=["promo"])
    assert model.scores_["model"] < 0.35 < 1 < model.scores_["average"]
    point = model.predict(known=[[[1.0], [0.0]]])
    assert point[0, 0] > point[0, 1] + 2
    own = promoted(ahead=2)["promo"].to_numpy()[-2:]
    assert model.predict() == pytest.approx(model.predict(known=own[np.newaxis, :, np.newaxis]))


def test_covariates_known_too_short_a_way_ahead_are_refused():
    model = small(epochs=1).fit(promoted(), known=["promo"])
    with pytest.raises(DataError, match="promo must be known 4 steps ahead, and 4 of them are not"):
        model.predict()
    with pytest.raises(DataError, match=r"\(n, H, K\) = \(1, 4, 1\) .* got \(1, 2, 1\)"):
        model.predict(known=np.zeros((1, 2, 1)))
    with pytest.raises(DataError, match=r"no column 'promo'"):
        model.predict(pd.DataFrame({"unique_id": "shop", "ds": range(20), "y": 1.0}))


def test_past_covariates_are_used_and_none_of_their_future():
    draw = np.random.default_rng(0)
    lead = draw.normal(size=400)
    frame = pd.DataFrame({"ds": range(400), "y": np.roll(lead, 1), "lead": lead})
    model = small(horizon=1, epochs=12).fit(frame, past=["lead"])
    assert model.scores_["model"] < 0.3 * model.scores_["average"]


def test_several_series_share_a_model_each_on_its_own_scale():
    both = {"small": wave(level=0.0), "large": 1000 * wave(seed=1, level=50.0)}
    model = small(series_features=2, epochs=15).fit(both)
    point = model.predict()
    assert point.shape == (2, 4)
    assert abs(point[0]).max() < 2
    assert (np.abs(point[1] - 50_000) < 2000).all()
    one = model.predict({"large": both["large"]})
    assert one == pytest.approx(point[1:], rel=1e-9)


def test_series_with_embeddings_are_told_apart_by_name():
    model = small(series_features=2, epochs=3).fit({"a": wave(), "b": wave(seed=1)})
    assert model.state_.numbers_of(["b", "new", "a"]).tolist() == [2, 0, 1]
    same = {name: wave(seed=2) for name in ("a", "b", "new")}
    state = model.state_
    state.scales = [state.scales[0]] * 2  # so that nothing but the name differs
    a, b, _ = model.predict(same)
    assert not np.allclose(a, b)


def test_a_series_never_seen_is_scaled_by_itself():
    model = small(epochs=15).fit({"a": wave(), "b": wave(seed=1)})
    point = model.predict({"new": 100 * wave(seed=2)})
    assert (np.abs(point - 1000) < 150).all()


@pytest.mark.parametrize("transform", ["none", "log", "difference", "log_difference"])
@pytest.mark.parametrize("head", ["quantile", "gaussian", "student"])
def test_every_transform_is_put_back_with_every_head(transform, head):
    model = small(series_transform=transform, head=head, epochs=2).fit(wave())
    assert (np.abs(model.predict() - 10) < 2).all()
    assert (np.diff(model.predict_quantiles(), axis=-1) >= 0).all()
    if transform.startswith("log"):
        assert (model.predict_quantiles() > 0).all()


def test_a_walk_with_a_trend_goes_beyond_what_it_saw_where_differences_are_learned():
    line = 5.0 * np.arange(300) + np.random.default_rng(0).normal(size=300)
    point = small(series_transform="difference", epochs=15).fit(line).predict()
    assert point[0] == pytest.approx(5.0 * np.arange(300, 304), abs=4)


def test_the_mean_of_a_skewed_forecast_is_above_its_median():
    y = np.exp(np.random.default_rng(0).normal(size=800))
    options = {"series_transform": "log", "head": "gaussian", "horizon": 1, "epochs": 10}
    mean, median = (small(point=point, **options).fit(y).predict() for point in ("mean", "median"))
    assert mean / median == pytest.approx(np.exp(0.5), rel=0.2)


def test_a_constant_series_stays_what_it_is():
    for transform in ("none", "difference"):
        model = small(series_transform=transform, epochs=15, autoregressive=False).fit([7.0] * 40)
        assert model.predict()[0] == pytest.approx([7.0] * 4, abs=0.3)


def test_validation_and_scales_come_from_time_before_and_after():
    y = wave(200)
    state = small(epochs=1, validation_fraction=0.25).fit(y).state_
    assert state.scales[0].mean == pytest.approx(y[:150].mean())
    changed = y.copy()
    changed[150:] += 1000
    assert small(epochs=1, validation_fraction=0.25).fit(changed).state_.scales == state.scales


def test_the_same_seed_gives_the_same_model():
    first, second, other = (
        small(epochs=2, random_state=s).fit(wave()).predict() for s in (0, 0, 1)
    )
    assert (first == second).all()
    assert not np.allclose(first, other)


@pytest.mark.parametrize(
    ("options", "series", "message"),
    [
        ({}, wave(15), "series 'y' has 15 steps, but a window of 12 and a horizon of 4 need 16"),
        ({"series_transform": "difference"}, wave(16), "a difference need 17"),
        ({}, [5.0], "series 'y' has 1 steps"),
        ({"series_transform": "log"}, wave(level=0.0), "'y' has -.* at step .* has no logarithm"),
        ({"head": "cauchy"}, wave(), "head='cauchy' is not known"),
        ({"decoder": "x"}, wave(), "decoder='x' is not known; there are direct, recurrent"),
        ({"decoder": "recurrent", "bidirectional": True}, wave(), "goes without bidirectional"),
        ({"series_transform": "root"}, wave(), "series_transform='root' is not known"),
        ({"point": "mode"}, wave(), "point='mode' is not known"),
        ({"horizon": 0}, wave(), "horizon must be a whole number of at least 1"),
        ({"window": 2.5}, wave(), "window must be a whole number"),
        ({"quantiles": (0.6, 0.9)}, wave(), "quantiles must lie on both sides of 0.5"),
        ({"quantiles": (0.9, 0.1)}, wave(), "quantiles must be ascending"),
    ],
)
def test_what_cannot_be_used_is_refused_with_numbers(options, series, message):
    with pytest.raises((ArgumentError, DataError), match=message):
        small(**options).fit(series)


def test_series_have_no_sample_weight():
    with pytest.raises(ArgumentError, match="series have none"):
        small().fit(wave(), sample_weight=np.ones(300))


def test_asked_before_fit_it_says_so():
    for ask in (
        small().predict,
        small().forecast,
        lambda: small().score(wave()),
        lambda: small().scores_,
    ):
        with pytest.raises(NotFittedError):
            ask()


def test_the_score_of_series_is_what_the_last_value_leaves(fitted):
    assert 0.8 < fitted.score(wave(seed=5)) <= 1
    walk = np.cumsum(np.random.default_rng(0).normal(size=400))
    assert small(epochs=3).fit(walk).score(walk) < 0.1
    with pytest.raises(DataError, match="no series has the 16 steps"):
        fitted.score(wave(14))


def test_too_short_a_series_is_refused_at_prediction_with_numbers(fitted):
    with pytest.raises(DataError, match="series 'y' has 5 steps, but the model looks back on 12"):
        fitted.predict(wave(5))


def test_a_model_of_another_task_is_not_loaded(tmp_path):
    with pytest.raises(ModelFileError, match="no such model folder"):
        Forecaster.load(tmp_path / "none")


def test_series_read_before_are_taken():
    series = read_series({"a": wave()})
    assert small(epochs=1).fit(series).predict().shape == (1, 4)
