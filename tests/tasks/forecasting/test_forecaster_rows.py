import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from recurra.errors import ArgumentError, DataError
from recurra.tasks.forecasting.forecaster import Forecaster


def small(**options):
    return Forecaster(hidden_size=8, epochs=12, random_state=0, **options)


def rows(n=200, T=8, H=1, seed=0):
    """Windows of a noisy wave, and what follows each."""
    series = np.sin(np.arange(n + T + H) / 3) + 0.05 * np.random.default_rng(seed).normal(
        size=n + T + H
    )
    cut = np.lib.stride_tricks.sliding_window_view(series, T + H)[:n]
    return cut[:, :T].copy(), cut[:, T:].squeeze(-1).copy() if H == 1 else cut[:, T:].copy()


def test_rows_and_what_follows_are_learned():
    X, y = rows()
    model = small().fit(X, y)
    assert model.predict(X).shape == (200,)
    assert model.score(*rows(seed=1)) > 0.8
    assert model.n_features_in_ == 8
    assert set(model.scores_) == {"model", "naive", "average"}
    assert model.scores_["model"] < model.scores_["naive"]


def test_several_steps_may_follow():
    X, y = rows(H=3)
    model = small().fit(X, y)
    assert model.predict(X[:5]).shape == (5, 3)
    assert model.predict_quantiles(X[:5]).shape == (5, 3, 9)
    assert model.predict_quantiles(X[:5], (0.1, 0.9)).shape == (5, 3, 2)


def test_quantiles_of_one_step_have_no_axis_for_it():
    X, y = rows()
    quantiles = small().set_params(epochs=3).fit(X, y).predict_quantiles(X)
    assert quantiles.shape == (200, 9)
    assert (np.diff(quantiles, axis=1) >= 0).all()


def test_covariates_may_stand_beside_the_values():
    draw = np.random.default_rng(0)
    X = draw.normal(size=(300, 6, 2))
    y = X[:, -1, 1]
    assert small().fit(X, y).score(X, y) > 0.8


def test_differences_of_rows_are_put_back_on_their_last_value():
    X, y = rows()
    X, y = X + 100 * np.arange(200)[:, np.newaxis], y + 100 * np.arange(200)
    model = small(series_transform="difference").fit(X, y)
    assert np.abs(model.predict(X) - y).max() < 2


def test_a_weight_of_two_is_the_row_given_twice():
    X, y = rows(n=60)
    w = np.ones(60)
    w[:20] = 2
    w[20:25] = 0
    twice = np.concatenate([np.arange(20), np.arange(20), np.arange(25, 60)])
    a = small().set_params(epochs=3).fit(X, y, sample_weight=w).predict(X)
    b = small().set_params(epochs=3).fit(X[twice], y[twice]).predict(X)
    assert a == pytest.approx(b, abs=1e-12)


def test_a_row_alone_is_predicted_as_among_others():
    X, y = rows()
    model = small(head="student").set_params(epochs=2).fit(X, y)
    together = model.predict(X[:7])
    alone = np.concatenate([model.predict(X[k : k + 1]) for k in range(7)])
    assert alone == pytest.approx(together, abs=1e-10)


def test_a_model_of_rows_is_saved_and_cloned(tmp_path):
    X, y = rows()
    model = small().set_params(epochs=2).fit(X, y)
    model.save(tmp_path / "model")
    loaded = Forecaster.load(tmp_path / "model")
    assert (loaded.predict(X) == model.predict(X)).all()
    assert loaded.n_features_in_ == 8
    assert clone(model).get_params() == model.get_params()


def test_a_search_chooses_among_windows_models():
    X, y = rows(n=60)
    search = GridSearchCV(small().set_params(epochs=1), {"head": ["quantile", "gaussian"]}, cv=2)
    assert search.fit(X, y).best_params_["head"] in ("quantile", "gaussian")


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.0, 2.0], [3.0]], [1, 2], "rows of X have from 1 to 2 steps; windows must be of one"),
        (np.ones((4, 3)), [1, 2], "y has 2 targets for the 4 rows of X"),
        (np.ones((4, 3)), [1, 2, np.nan, 4], "Input y contains NaN"),
        ([[1.0, np.nan], [3.0, 4.0]], [1, 2], "NaN"),
        (["a", "b"], [1, 2], "X must be numbers"),
    ],
)
def test_rows_that_are_no_windows_are_refused(X, y, message):
    with pytest.raises(DataError, match=message):
        small().fit(X, y)


def test_a_difference_needs_two_steps():
    with pytest.raises(DataError, match="rows of 1 step have no difference"):
        small(series_transform="difference").fit(np.ones((9, 1)), np.arange(9.0))


def test_rows_and_series_are_not_mixed_up():
    X, y = rows()
    of_rows = small().set_params(epochs=1).fit(X, y)
    for ask in (of_rows.predict, lambda: of_rows.predict(3), lambda: of_rows.predict(X, horizon=1)):
        with pytest.raises(ArgumentError, match="fitted on rows"):
            ask()
    with pytest.raises(ArgumentError, match="knows no series"):
        of_rows.forecast(np.ones(50))
    with pytest.raises(DataError, match="8 features"):
        of_rows.predict(X[:, :5])
