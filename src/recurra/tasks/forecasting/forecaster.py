"""`Forecaster`: series of numbers ahead, with how sure each forecast is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recurra.data.inputs import read_inputs
from recurra.data.series.reading import read_series
from recurra.data.series.series_set import SeriesSet
from recurra.errors import ArgumentError, DataError
from recurra.networks.heads import check_levels
from recurra.tasks.forecasting.backtest import Backtest, run_backtest
from recurra.tasks.forecasting.forecast import Forecast, between, check_wanted
from recurra.tasks.forecasting.model import ForecastModel

Numbers = NDArray[np.float64]


@dataclass(eq=False, repr=False)
class Forecaster(ForecastModel):
    """Learns what follows in series of numbers: the next H values, as quantiles.

    It learns from whole series, `fit(series)`: several in one model, each scaled by its own
    training part; or, as scikit-learn's regressors do, from rows and what follows each,
    `fit(X, y)`. All H steps are forecast at once from the last `window`.

    Args, beside those of `SequenceEstimator` (batch_size counts windows; the last
    validation_fraction of each series is held out, of rows a share drawn at random):
        horizon: H, the steps ahead; with `fit(X, y)` those that y has.
        window: W, the steps back; with `fit(X, y)` those that X has.
        decoder: "direct" (one map to all steps ahead) or "recurrent" (a layer over them).
        head: "quantile" (learned by the pinball loss), "gaussian" or "student".
        quantiles: the levels forecast, ascending, on both sides of one half.
        series_transform: what is learned of the series, put back in forecasts: "none", "log",
            "difference" or "log_difference" (returns). Logarithms need values above 0.
        point: "median" or "mean", which of the forecast distribution `predict` returns.
        calibrate: whether quantiles are calibrated on the part held out (conformal prediction).
        series_features: features of an embedding of each series, 0 for none.
        autoregressive: whether a linear model of the window stands beside the network.
        seasonality: steps in a season, for the seasonal naive baseline and scaled errors.

    Fitted: network_, history_, state_, scores_ (the mean absolute error on the part held out, of
    the "model" and of each baseline), n_features_in_ after `fit(X, y)` of a table.
    """

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        past: Sequence[str] = (),
        known: Sequence[str] = (),
        gaps: str = "refuse",
    ) -> Self:
        """Learn series, or rows and what follows them.

        Args:
            X: without `y` series, as `recurra.data.read_series` takes them; with `y` a table
                (n, W) whose rows are the last values of a series, or an array (n, W, F) with
                covariates beside them.
            y: (n,) or (n, H), what follows each row, or None.
            sample_weight: n weights of at least 0, for rows.
            past, known: covariates among the columns of a long table, known up to now only or
                ahead.
            gaps: "refuse", "fill" or "ignore", as `read_series` has it.

        Returns self. Raises `DataError` for data, `ArgumentError` for parameters that cannot be
        used.
        """
        self._check_parameters()
        if y is not None:
            return self.fit_rows(X, y, sample_weight)
        if sample_weight is not None:
            raise ArgumentError("sample_weight weighs the rows of fit(X, y); series have none.")
        return self.fit_series(read_series(X, past=past, known=known, gaps=gaps))

    @property
    def scores_(self) -> dict[str, float]:
        """The mean absolute error on the part held out, of the model and of each baseline."""
        self._check_fitted()
        return self.state_.scores

    def predict(self, X: Any = None, *, horizon: int | None = None, known: Any = None) -> Numbers:
        """Return what follows: (n,) or (n, H) for rows, (n, H) for n series.

        Args:
            X: rows, after `fit(X, y)`; after `fit(series)` other or longer series, or None for
                those that were fitted. A whole number is taken for `horizon`.
            horizon: how many of the H steps; None for all.
            known: (n, H, K), covariates known ahead, where the series' own rows do not hold them.
        """
        if isinstance(X, int | np.integer) and not isinstance(X, bool):
            X, horizon = None, int(X)
        return self._answers(X, horizon, known)[0]

    def predict_quantiles(
        self,
        X: Any = None,
        levels: Sequence[float] | None = None,
        *,
        horizon: int | None = None,
        known: Any = None,
    ) -> Numbers:
        """Return quantiles (n, H, Q), or (n, Q) where y was (n,).

        Args:
            X, horizon, known: as `predict` takes them.
            levels: Q levels within those learned; None for `quantiles`.
        """
        quantiles = self._answers(X, horizon, known)[1]
        if levels is None:
            return quantiles
        learned = check_levels(self.quantiles)
        return between(quantiles, learned, check_wanted(levels, learned))

    def forecast(
        self, series: Any = None, *, horizon: int | None = None, known: Any = None
    ) -> Forecast:
        """Return point and quantiles of n series with the times ahead, and what came before.

        Args:
            series, horizon, known: as `predict` takes them.
        """
        self._check_fitted()
        given = self._series(series)
        point, quantiles = self._ahead(given, horizon, known)
        ahead = [given.times_ahead(k, point.shape[1]) for k in range(len(given))]
        levels = check_levels(self.quantiles)
        return Forecast(given.ids, ahead, point, quantiles, levels, given.times, given.values)

    def backtest(
        self,
        series: Any,
        *,
        start: float | str = 0.8,
        step: int = 1,
        folds: int = 1,
        refit: bool = False,
        rolling: int | None = 500,
        past: Sequence[str] = (),
        known: Sequence[str] = (),
        gaps: str = "refuse",
    ) -> Backtest:
        """Walk forward through the end of series, forecasting each step from those before it.

        A copy of this estimator is fitted on what lies before; this one is left as it is.

        Args:
            series: as `fit` takes them.
            start: the share of each series before the first forecast, or the time of the first
                step forecast ("2005-01-01").
            step: how far it is from one forecast to the next.
            folds: parts that the rest is cut into.
            refit: whether a model is fitted anew before each of them; else one before the first.
            rolling: how many of the latest outcomes calibrate the quantiles, as they come out; None
                leaves the calibration of the fit.
            past, known, gaps: as `fit` takes them.

        Raises `DataError` for series that are too short.
        """
        self._check_parameters()
        given = read_series(series, past=past, known=known, gaps=gaps)
        return run_backtest(
            self, given, start=start, step=step, folds=folds, refit=refit, rolling=rolling
        )

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return how much is explained, at most 1.

        With `y` it is R². Of series it is the share of the naive forecast's squared error, from
        each step at which a window ends, that is not left: below 0 the last value was better.
        """
        if y is not None:
            from sklearn.metrics import r2_score

            return float(r2_score(y, self.predict(X), sample_weight=sample_weight))
        self._check_fitted()
        given, H = self._series(X), self.state_.H
        first = self.state_.W + self.state_.lag
        ends = [np.arange(first, len(v) - H + 1) for v in given.values]
        if not sum(map(len, ends)):
            raise DataError(f"no series has the {first + H} steps that one window and H need.")
        point, _ = self.walk(given, ends)
        pairs = list(zip(given.values, ends, strict=True))
        came = np.concatenate([v[e[:, np.newaxis] + np.arange(H)] for v, e in pairs])
        naive = np.concatenate([v[e - 1] for v, e in pairs])[:, np.newaxis]
        left, errors = float(((came - point) ** 2).sum()), float(((came - naive) ** 2).sum())
        return 1 - left / errors if errors else float(left == 0)

    def _answers(self, X: Any, horizon: int | None, known: Any) -> tuple[Numbers, Numbers]:
        """Return point and quantiles for rows or series."""
        self._check_fitted()
        if self.state_.kind == "series":
            return self._ahead(self._series(X), horizon, known)
        if X is None or known is not None or horizon is not None:
            raise ArgumentError(
                "the model was fitted on rows, fit(X, y): give rows to predict(X), and neither "
                "horizon nor known."
            )
        inputs = read_inputs(X)
        self.state_.must_be_rows(inputs, type(self).__name__)
        point, quantiles = self.answer_rows(inputs.rows)
        return (point[:, 0], quantiles[:, 0]) if self.state_.flat else (point, quantiles)

    def _ahead(self, series: SeriesSet, horizon: int | None, known: Any) -> tuple[Numbers, Numbers]:
        """Return point and quantiles of the steps that follow the series."""
        H = self._steps_ahead(horizon)
        if known is not None:
            series = self.state_.with_known(series, known)
        least = self.state_.W + self.state_.lag
        for name, values in zip(series.ids, series.values, strict=True):
            if len(values) < least:
                raise DataError(
                    f"series {name!r} has {len(values)} steps, but the model looks back on {least}."
                )
        point, quantiles = self.walk(series, [np.array([len(v)]) for v in series.values])
        return point[:, :H], quantiles[:, :H]

    def _steps_ahead(self, horizon: int | None) -> int:
        H = self.state_.H
        if horizon is None:
            return H
        if isinstance(horizon, bool) or not isinstance(horizon, int) or not 1 <= horizon <= H:
            raise ArgumentError(
                f"horizon={horizon!r}: the model forecasts from 1 to {H} steps; for more fit one "
                "with horizon= larger."
            )
        return horizon

    def _series(self, given: Any) -> SeriesSet:
        if self.state_.kind != "series":
            raise ArgumentError("the model was fitted on rows, fit(X, y), and knows no series.")
        if given is None:
            return self.state_.remembered()
        past, known = self.state_.past_names, self.state_.known_names
        gaps = "ignore" if self.state_.frequency is None else "refuse"
        series = read_series(given, past=past, known=known, gaps=gaps)
        self.state_.must_fit(series)
        return series

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import RegressorTags

        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        tags.regressor_tags = RegressorTags()
        tags.target_tags.multi_output = True
        tags.input_tags.string = False
        return tags
