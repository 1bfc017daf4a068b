"""Several series in one model, on tables that great_tables brings: pizzas a day, people a country.

1. Pizzas sold a day in 2015, four kinds, a week ahead; the day of the week is known ahead. Shops
   that have a weekly season are where the last week's value is hard to beat.
2. Inhabitants of 214 countries, 1960 to 2022, five years ahead, learned as growth; the last year's
   growth going on ("same growth") is hard to beat.
"""

import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.series.reading import read_series
from recurra.data.series.series_set import SeriesSet
from recurra.tasks.forecasting.backtest import Backtest
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.forecasting.scores import margin

Numbers = NDArray[np.float64]
WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def pizzas() -> SeriesSet:
    """Return the pizzas of four kinds sold a day, with the day of the week as known ahead."""
    from great_tables.data import pizzaplace

    table = pizzaplace.groupby(["date", "type"]).size().reset_index(name="y")
    table = table.rename(columns={"date": "ds", "type": "unique_id"})
    weekday = (table["ds"].to_numpy(dtype="datetime64[D]").astype(int) + 3) % 7
    for k, name in enumerate(WEEK):
        table[name] = (weekday == k).astype(float)
    # It was closed on seven days: the days on which it sold are what is counted.
    return read_series(table, known=WEEK, gaps="ignore")


def people(countries: int) -> SeriesSet:
    """Return the yearly number of inhabitants of the first countries, those with gaps left out."""
    from great_tables.data import countrypops

    table = countrypops.rename(
        columns={"country_name": "unique_id", "year": "ds", "population": "y"}
    )
    names = table["unique_id"].unique()[:countries]
    names = set(names) - set(table["unique_id"][table["y"].isna()])
    return read_series(table[table["unique_id"].isin(names)][["unique_id", "ds", "y"]])


def errors(back: Backtest, model: str) -> Numbers:
    """Return the error at each step in units of the naive one's on what was learned from."""
    m = back.seasonality
    scaled = [
        np.abs(one.y - one.made[model][0]).mean(1)
        / np.abs(one.learned[m:] - one.learned[:-m]).mean()
        for one in back.series
    ]
    return np.mean(scaled, axis=0)


def with_same_growth(back: Backtest, series: SeriesSet) -> Backtest:
    """Return the walk with one more baseline: each year grows as the last one did."""
    for one, values in zip(back.series, series.values, strict=True):
        last, growth = values[one.ends - 1], values[one.ends - 1] / values[one.ends - 2]
        point = last[:, np.newaxis] * growth[:, np.newaxis] ** np.arange(1, one.y.shape[1] + 1)
        flat = np.repeat(point[:, :, np.newaxis], len(back.levels), axis=2)
        one.made["same growth"] = (point, flat)
    return back


def judged(
    data: str, model: Forecaster, series: SeriesSet, start: float, others: list[str], block: int
) -> dict[str, Any]:
    """Return the row of one table, beside the best of the baselines."""
    began = time.perf_counter()
    back = model.backtest(series, start=start)
    if "same growth" in others:
        back = with_same_growth(back, series)
    seconds = time.perf_counter() - began
    scores = {score.model: score for score in back.scores()}
    best = min(others, key=lambda name: scores[name].mase)
    gain = margin(errors(back, "model"), errors(back, best), block=block)
    verdict = "" if gain.is_clear else ", not clear of zero"
    listed = ", ".join(f"{name} {scores[name].mase:.3f}" for name in others)
    own = scores["model"]
    lengths = [int(one.ends[0]) for one in back.series]
    fitted = Forecaster(**model.get_params()).set_params(epochs=1).fit(series.cut(lengths))
    return {
        "task": f"forecast: {data.split(',')[0]}",
        "data": data,
        "score_name": "MASE (lower is better)",
        "score": own.mase,
        "baseline_name": best,
        "baseline": scores[best].mase,
        "seconds": seconds,
        "parameters": fitted.parameter_count_,
        "notes": f"margin {gain.margin:.4f} [{gain.low:.4f}, {gain.high:.4f}]{verdict}; MASE of "
        f"{listed}; scaled CRPS {own.crps:.3f} beside {scores[best].crps:.3f}; coverage of 80 %: "
        f"{100 * own.coverage[0.8]:.1f} %",
    }


def run(quick: bool) -> list[dict[str, Any]]:
    """Return a row for each table; `quick` learns less, of fewer countries."""
    names = ["naive", "drift", "average", "ewma"]
    a_week = Forecaster(
        "gru",
        16,
        horizon=7,
        window=14,
        seasonality=7,
        series_features=2,
        epochs=2 if quick else 40,
        random_state=0,
    )
    growth = Forecaster(
        "gru",
        32,
        horizon=5,
        window=10,
        series_transform="log_difference",
        epochs=2 if quick else 40,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tables that are not in the order of time
        sold, born = pizzas(), people(20 if quick else 215)
    return [
        judged(
            "pizzas of 4 kinds a day, a week ahead", a_week, sold, 0.75,
            [*names, "seasonal naive"], 7,
        ),
        judged(
            f"inhabitants of {len(born)} countries, 5 years ahead", growth, born, 0.75,
            [*names, "same growth"], 2,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in run(quick=False):
        print(*(f"{key}: {value}" for key, value in row.items()), sep="\n", end="\n\n")
