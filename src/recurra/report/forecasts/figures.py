"""Figures of forecasts: the fan, what a walk forward came to, whether quantiles hold."""

from typing import TYPE_CHECKING

import numpy as np

from recurra.report.canvas import (
    LIGHT,
    NAME,
    TEXT,
    empty,
    grid,
    key,
    middle,
    number_axis,
    paper,
    write,
)
from recurra.report.forecasts.axis import (
    chosen_pairs,
    draw_bands,
    drawable_values,
    limits,
    time_axis,
)
from recurra.report.text import shorten
from recurra.tasks.forecasting.backtest import Backtest
from recurra.tasks.forecasting.forecast import Forecast
from recurra.tasks.forecasting.scores import interval_pairs

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

_HISTORY = 4  # times the horizon, of what came before
_NOTHING = "no finite value to show"


def fan_chart(forecast: Forecast, series: int = 0, history: int | None = None) -> "Figure":
    """Draw the end of a series, what is forecast after it, and how sure that is.

    Args:
        forecast: what `Forecaster.forecast` returned.
        series: the number of the series.
        history: how many steps before the forecast are drawn; None for some four times as many
            as are forecast, at least 24.

    Raises `MissingDependencyError` without matplotlib.
    """
    figure = paper(height=300, left=58, right=14, top=60, bottom=46)
    axes = figure.axes[0]
    H = forecast.point.shape[1]
    count = max(24, _HISTORY * H) if history is None else history
    past = drawable_values(forecast.past[series][-count:])
    times = forecast.times[series]
    before = forecast.past_times[series][-count:]
    if before.dtype.kind == times.dtype.kind and times[0] > before[-1]:
        times = np.concatenate([before, times])
        name = "time"
    else:  # days of trade, whose times ahead are not known
        times = np.arange(1 - len(before), H + 1)
        name = "steps from the last one seen"
    quantiles = drawable_values(forecast.quantiles[series])
    point = drawable_values(forecast.point[series])
    write(figure, 0, 12, shorten(forecast.ids[series], 3 * NAME / 2, TEXT), "ink")
    if not limits(axes, past, quantiles, point):
        return empty(figure, _NOTHING)
    # The fan opens at the last value seen, which is known.
    x = np.arange(len(past) - 1, len(past) + H)
    fan = np.concatenate([np.full((1, quantiles.shape[1]), past[-1]), quantiles])
    line = np.concatenate([past[-1:], point])
    entries: list[Artist] = []
    entries += axes.plot(
        np.arange(len(past)), past, color=LIGHT["first"], linewidth=1.6, marker="", label="seen"
    )
    entries += axes.plot(
        x, line, color=LIGHT["second"], linewidth=2, marker="", label="forecast", zorder=3
    )
    entries += draw_bands(
        axes, x, fan, forecast.levels, chosen_pairs(interval_pairs(forecast.levels))
    )
    time_axis(axes, times)
    number_axis(axes, "y", 6)
    grid(axes, "y")
    write(figure, middle(figure), 286, name, align="center")
    key(figure, 28, entries)
    return figure


def backtest_chart(back: Backtest, series: int = 0, step: int = 1, last: int = 120) -> "Figure":
    """Draw what was forecast a number of steps ahead, walking forward, and what came.

    Args:
        back: what `Forecaster.backtest` returned.
        series: the number of the series.
        step: how many steps ahead.
        last: how many of the forecasts are drawn, the last ones.

    Raises `MissingDependencyError` without matplotlib.
    """
    figure = paper(height=300, left=58, right=14, top=60, bottom=46)
    axes = figure.axes[0]
    walk = back.series[series]
    point, quantiles = (drawable_values(part[-last:, step - 1]) for part in walk.made["model"])
    came = drawable_values(walk.y[-last:, step - 1])
    title = f"{walk.id}, {step} step{'s' * (step > 1)} ahead"
    write(figure, 0, 12, shorten(title, 2 * NAME, TEXT), "ink")
    if not limits(axes, point, quantiles, came):
        return empty(figure, _NOTHING)
    x = np.arange(len(came))
    entries: list[Artist] = []
    entries += axes.plot(
        x, came, color=LIGHT["first"], linewidth=1.2, marker="", label="what came", zorder=3
    )
    entries += axes.plot(
        x, point, color=LIGHT["second"], linewidth=1.6, marker="", label="forecast", zorder=4
    )
    pairs = chosen_pairs(interval_pairs(back.levels))
    entries += draw_bands(axes, x, quantiles, back.levels, pairs)
    time_axis(axes, walk.times[-last:, step - 1])
    number_axis(axes, "y", 6)
    grid(axes, "y")
    write(figure, middle(figure), 286, "time", align="center")
    key(figure, 28, entries)
    return figure


def calibration_chart(back: Backtest, baseline: str | None = "naive") -> "Figure":
    """Draw for each level forecast the share of outcomes that came to lie below its quantile.

    Args:
        back: what `Forecaster.backtest` returned.
        baseline: one of the baselines to draw beside the model, or None.

    Raises `MissingDependencyError` without matplotlib.
    """
    figure = paper(height=330, left=58, right=14, top=60, bottom=46)
    axes = figure.axes[0]
    write(figure, 0, 12, "Share of outcomes below the quantile")
    entries: list[Artist] = []
    entries += axes.plot(
        [0, 1],
        [0, 1],
        color=LIGHT["baseline"],
        linewidth=1.2,
        linestyle=(0, (4, 2.5)),
        marker="",
        label="as it should be",
    )
    for name, role in ((baseline, "second"), ("model", "first")):
        if name is not None and name in back.series[0].made:
            entries += axes.plot(
                back.levels,
                shares_below(back, name),
                color=LIGHT[role],
                linewidth=1.8,
                marker="o",
                markersize=5.5,
                markeredgewidth=0,
                clip_on=False,
                label=shorten(name, NAME, TEXT),
            )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    for axis in ("x", "y"):
        number_axis(axes, axis, 6)
    grid(axes, "y")
    write(figure, middle(figure), 316, "level of the quantile", align="center")
    key(figure, 28, entries)
    return figure


def shares_below(back: Backtest, model: str) -> list[float]:
    """Return for each level the share of all outcomes at or below that quantile of a model's."""
    below = [one.y[..., np.newaxis] <= one.made[model][1] for one in back.series]
    flat = np.concatenate([part.reshape(-1, len(back.levels)) for part in below])
    return [float(share) for share in flat.mean(0)]
