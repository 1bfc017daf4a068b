"""Tomorrow's price: a recurrent network beside the last price, which it does not beat.

The S&P 500 (great_tables) and Google's shares (matplotlib), learned as prices scaled on the
training part, and as returns. A network on prices has to learn that tomorrow is today, and meets
levels it never saw; on returns there is next to nothing to learn.
"""

import time
from typing import Any

import numpy as np

from recurra.data.series.series_set import RawSeries, SeriesSet, checked
from recurra.data.sources.stocks import Prices, load_prices
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.forecasting.scores import margin

# What is learned, and whether the linear model stands beside the network.
KINDS = (("prices", "none", False), ("returns", "log_difference", True))


def price_series(prices: Prices) -> SeriesSet:
    """Return the closing prices; days of trade are counted, not those of the calendar."""
    nothing = np.empty((len(prices), 0))
    return checked([RawSeries(prices.name, prices.dates, prices.close, nothing, nothing)], "ignore")


def run(quick: bool) -> list[dict[str, Any]]:
    """Return a row for each stock and kind; `quick` looks at Google alone and learns less."""
    stocks = {"GOOG": load_prices("goog")}
    if not quick:
        stocks["S&P 500"] = load_prices("sp500").between("1990-01-01")
    rows = []
    for name, prices in stocks.items():
        for kind, transform, autoregressive in KINDS:
            model = Forecaster(
                "lstm",
                32,
                window=32,
                series_transform=transform,
                autoregressive=autoregressive,
                epochs=2 if quick else 30,
                random_state=0,
            )
            began = time.perf_counter()
            back = model.backtest(price_series(prices), start=0.8)
            seconds = time.perf_counter() - began
            walk = back.series[0]
            loss, naive = (
                np.abs(walk.y - walk.made[which][0])[:, 0] for which in ("model", "naive")
            )
            gain = margin(loss, naive, block=20)
            own = back.scores()[0]
            verdict = (
                "the last price is better" if gain.high < 0
                else "the network is better" if gain.low > 0
                else "neither is clearly better"
            )  # fmt: skip
            rows.append(
                {
                    "task": f"forecast: {name}, learned as {kind}",
                    "data": f"{name}, learned as {kind}, one day ahead",
                    "score_name": "MAE (lower is better)",
                    "score": float(loss.mean()),
                    "baseline_name": "naive (the last price)",
                    "baseline": float(naive.mean()),
                    "clear": gain.is_clear,
                    "seconds": seconds,
                    "parameters": Forecaster(**model.get_params())
                    .set_params(epochs=1)
                    .fit(price_series(prices).cut([int(walk.ends[0])]))
                    .parameter_count_,
                    "notes": f"{len(loss):,} days from {str(walk.times[0, 0])[:10]}; margin "
                    f"{gain.margin:.4f} [{gain.low:.4f}, {gain.high:.4f}]: {verdict}; coverage of "
                    f"90 %: {100 * own.coverage[0.9]:.1f} %",
                }
            )
    return rows


if __name__ == "__main__":
    for row in run(quick=False):
        print(*(f"{key}: {value}" for key, value in row.items()), sep="\n", end="\n\n")
