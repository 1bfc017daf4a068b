"""What each figure of forecasts shows, in words and numbers: it can be read without it."""

import numpy as np

from recurra.report.forecasts.axis import number_text, time_text
from recurra.report.forecasts.figures import shares_below
from recurra.report.text import count_text, one_line, share_text
from recurra.tasks.forecasting.backtest import Backtest
from recurra.tasks.forecasting.forecast import Forecast
from recurra.tasks.forecasting.scores import ForecastScore, interval_pairs


def fan_caption(forecast: Forecast, series: int = 0) -> str:
    """Return what `fan_chart` shows."""
    H = forecast.point.shape[1]
    seen, point = forecast.past[series], forecast.point[series]
    text = [
        f"Forecast of {one_line(forecast.ids[series])}, {count_text(H, 'step')} ahead: "
        f"from {number_text(seen[-1])} at the last step seen to {number_text(point[-1])}"
    ]
    times = forecast.times[series]
    if times.dtype.kind == "M":
        text[0] += f" on {time_text(times[-1])}"
    pairs = interval_pairs(forecast.levels)
    if pairs:
        share = max(pairs)
        low, high = (forecast.quantiles[series, -1, k] for k in pairs[share])
        text.append(
            f"{100 * share:g}\u00a0% of outcomes should lie between {number_text(low)} and "
            f"{number_text(high)} there"
        )
    return ". ".join(text) + "."


def backtest_caption(back: Backtest, score: str = "mae") -> str:
    """Return how a walk forward came out, beside the baselines; it says where one of them wins.

    Args:
        back: the walk.
        score: "mae", "mase" or "crps", by which models are compared.
    """
    scores = back.scores()
    model, others = scores[0], scores[1:]
    count = sum(one.y.size for one in back.series)
    named = {"mae": "mean absolute error", "mase": "scaled error (MASE)", "crps": "scaled CRPS"}
    best = min(others, key=lambda one: getattr(one, score))
    own, best_value = getattr(model, score), getattr(best, score)
    if not np.isfinite(own) or not np.isfinite(best_value):
        verdict = "they cannot be compared"
    elif own < best_value:
        verdict = f"{share_text(1 - own / best_value)} less than the best baseline"
    elif own == best_value:
        verdict = "no better than the best baseline"
    else:
        verdict = "the baseline is better"
    return (
        f"{count_text(count, 'forecast')} of {_series(back)}, each by what was known before it: "
        f"{named[score]} {number_text(own)}; {best.model} {number_text(best_value)}: {verdict}. "
        f"{_covered(model)}"
    ).strip()


def calibration_caption(back: Backtest) -> str:
    """Return how far the shares of outcomes are from the levels that were forecast."""
    shares = np.array(shares_below(back, "model"))
    off = np.abs(shares - np.array(back.levels))
    worst = int(off.argmax())
    return (
        f"Below the quantile at {back.levels[worst]:g} lie {share_text(float(shares[worst]))} of "
        f"outcomes, the level that is furthest off; on average they are off by "
        f"{share_text(float(off.mean()))}. {_covered(back.scores()[0])}"
    ).strip()


def _series(back: Backtest) -> str:
    if len(back.series) == 1:
        return one_line(back.series[0].id)
    return f"{len(back.series):,} series"


def _covered(score: ForecastScore) -> str:
    if not score.coverage:
        return ""
    parts = [f"{share_text(held)} of {100 * share:g}" for share, held in score.coverage.items()]
    return f"Intervals held {', '.join(parts)}\u00a0%."
