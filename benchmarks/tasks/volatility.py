"""Tomorrow's variance of the S&P 500: a forecaster beside what a desk would use.

The target is the variance by each day's range (Parkinson), 1985 to 2015 of great_tables' daily
prices; forecasts are made each day from 2000 on, by a model fitted anew four times on what lies
before. QLIKE is the score, because it ranks forecasts of a variance rightly by a noisy measure of
it. Beside it: the last value, two exponentially weighted averages with RiskMetrics' λ of 0.94 (of
the target itself, and of squared returns brought to the target's level on the part before 2000),
and the heterogeneous autoregression of logarithms (Corsi, 2009), a linear model of the last day,
week and month, fitted by least squares at the same four times: on the variance alone, and on the
falls and sizes of returns too, which is all that the network sees.
"""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.series.series_set import RawSeries, SeriesSet, checked
from recurra.data.sources.stocks import load_prices, log_returns, parkinson_variance
from recurra.tasks.forecasting.backtest import Backtest, SeriesBacktest
from recurra.tasks.forecasting.baselines import weighted_average
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.forecasting.scores import ForecastScore, Margin, margin, qlike

Numbers = NDArray[np.float64]


def variance_series(first: str) -> tuple[SeriesSet, Numbers]:
    """Return the daily variance in squared percent with its covariates, and the returns in %."""
    prices = load_prices("sp500").between(first)
    variance = parkinson_variance(prices.high, prices.low) * 1e4
    returns = log_returns(prices.close) * 100
    past = np.column_stack([returns, np.abs(returns)])
    raw = RawSeries("S&P 500", prices.dates, variance, past, np.empty((len(prices), 0)))
    return checked([raw], "ignore", ("return", "size of return")), returns


def autoregression(variance: Numbers, walk: SeriesBacktest, *others: Numbers) -> Numbers:
    """Return a linear model's forecasts one day ahead, fitted anew for each fold: (n,).

    It reads the means over a day, a week and a month of the variance's logarithm and of `others`.
    """
    log = np.log(variance)
    ends = np.arange(22, len(log) + 1)
    columns = [np.ones(len(ends))]
    for values in (log, *others):
        summed = np.concatenate([[0.0], np.cumsum(values)])
        columns += [(summed[ends] - summed[ends - n]) / n for n in (1, 5, 22)]
    x = np.column_stack(columns)
    made = np.empty(len(walk.ends))
    for fold in np.unique(walk.fold):
        rows = walk.fold == fold
        seen = ends < walk.ends[rows][0]
        y = log[ends[seen]]
        weights, *_ = np.linalg.lstsq(x[seen], y, rcond=None)
        # The mean of a variable whose logarithm is normal is above the exponential of its mean.
        noise = np.var(y - x[seen] @ weights)
        made[rows] = np.exp(x[walk.ends[rows] - 22] @ weights + noise / 2)
    return made


def forecaster(quick: bool, horizon: int) -> Forecaster:
    """Return the model, not fitted."""
    return Forecaster(
        "lstm",
        8 if quick else 16,
        horizon=horizon,
        window=22 if quick else 32,
        series_transform="log",
        point="mean",
        epochs=3 if quick else 20,
        patience=5,
        learning_rate=3e-3,
        random_state=0,
    )


def coverage_text(score: ForecastScore) -> str:
    """Return how many outcomes the intervals held."""
    shares = ", ".join(f"{100 * v:.1f} of {100 * k:.0f} %" for k, v in score.coverage.items())
    return f"coverage {shares}"


def a_day(series: SeriesSet, returns: Numbers, quick: bool) -> dict[str, Any]:
    """Return the row of forecasts one day ahead."""
    model = forecaster(quick, 1)
    back, seconds = walked(model, series, quick)
    walk = back.series[0]
    y, first = walk.y[:, 0], walk.ends[0]
    variance = series.values[0]
    squares = weighted_average(returns**2) * (variance[:first].sum() / (returns[:first] ** 2).sum())
    made = {name: point[:, 0] for name, (point, _) in walk.made.items()}
    falls, sizes = np.minimum(returns, 0), np.abs(returns)
    others = {
        "naive": made["naive"],
        "EWMA 0.94 of the variance": made["ewma"],
        "EWMA 0.94 of squared returns": squares[walk.ends - 1],
        "HAR of logarithms": autoregression(variance, walk),
        "HAR with returns": autoregression(variance, walk, falls, sizes),
    }
    loss = qlike(y, made["model"])
    notes = [f"{len(y):,} days ahead from {str(walk.times[0, 0])[:10]}"]
    for name, forecast in others.items():
        other = qlike(y, forecast)
        gain = margin(loss, other, block=22)
        notes.append(
            f"{name}: QLIKE {other.mean():.4f}, MAE {np.abs(y - forecast).mean():.4f}, "
            f"{margin_text(gain)}"
        )
    own = back.scores()[0]
    notes.append(
        f"model: MAE {own.mae:.4f} %², MASE {own.mase:.3f}, scaled CRPS {own.crps:.3f}, "
        f"{coverage_text(own)}"
    )
    return {
        "task": "forecast: S&P 500 variance, 1 day ahead",
        "data": "S&P 500, variance by the day's range, one day ahead",
        "score_name": "QLIKE (lower is better)",
        "score": float(loss.mean()),
        "baseline_name": "EWMA 0.94 of the variance",
        "baseline": float(qlike(y, made["ewma"]).mean()),
        "seconds": seconds,
        "parameters": learned_numbers(model, series, int(first)),
        "notes": "; ".join(notes),
    }


def a_week(series: SeriesSet, quick: bool) -> dict[str, Any]:
    """Return the row of forecasts for each of the next five days."""
    model = forecaster(quick, 5)
    back, seconds = walked(model, series, quick)
    walk = back.series[0]
    loss, average = (qlike(walk.y, walk.made[name][0]) for name in ("model", "ewma"))
    parts = [
        f"day {h + 1}: {margin_text(margin(loss[:, h], average[:, h], block=22))}"
        for h in range(walk.y.shape[1])
    ]
    return {
        "task": "forecast: S&P 500 variance, 5 days ahead",
        "data": "S&P 500, variance by the day's range, each of the next five days",
        "score_name": "QLIKE (lower is better)",
        "score": float(loss.mean()),
        "baseline_name": "EWMA 0.94 of the variance",
        "baseline": float(average.mean()),
        "seconds": seconds,
        "parameters": learned_numbers(model, series, int(walk.ends[0])),
        "notes": "; ".join([*parts, coverage_text(back.scores()[0])]),
    }


def walked(model: Forecaster, series: SeriesSet, quick: bool) -> tuple[Backtest, float]:
    """Return the walk forward and its seconds."""
    began = time.perf_counter()
    start = "2012-01-01" if quick else "2000-01-01"
    back = model.backtest(series, start=start, folds=1 if quick else 4, refit=True)
    return back, time.perf_counter() - began


def margin_text(gain: Margin) -> str:
    """Return a margin with its interval, and whether it is clear."""
    text = f"margin {gain.margin:.4f} [{gain.low:.4f}, {gain.high:.4f}]"
    return text if gain.is_clear else f"{text}, not clear of zero"


def learned_numbers(model: Forecaster, series: SeriesSet, first: int) -> int:
    """Return how many numbers the model learns, by one epoch on what lies before."""
    one = Forecaster(**model.get_params()).set_params(epochs=1)
    return one.fit(series.cut([first])).parameter_count_


def run(quick: bool) -> list[dict[str, Any]]:
    """Return the table's rows; `quick` looks at four years with a model that learns less."""
    series, returns = variance_series("2005-01-01" if quick else "1985-01-01")
    return [a_day(series, returns, quick), a_week(series, quick)]


if __name__ == "__main__":
    for row in run(quick=False):
        print(*(f"{key}: {value}" for key, value in row.items()), sep="\n", end="\n\n")
