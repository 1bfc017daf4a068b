from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from recurra.report.canvas import LIGHT
from recurra.report.forecasts.axis import chosen_pairs, number_text, time_text
from recurra.report.forecasts.captions import (
    backtest_caption,
    calibration_caption,
    fan_caption,
)
from recurra.report.forecasts.figures import (
    backtest_chart,
    calibration_chart,
    fan_chart,
    shares_below,
)
from recurra.report.svg import inline_svg
from recurra.tasks.forecasting.backtest import Backtest, SeriesBacktest
from recurra.tasks.forecasting.forecast import Forecast

LEVELS = (0.025, 0.1, 0.5, 0.9, 0.975)
SPREAD = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def days(first, n):
    return (np.datetime64(first, "D") + np.arange(n)).astype("datetime64[us]")


@pytest.fixture
def forecast():
    """Thirty days at 1 to 30, then five at 31 to 35, give or take."""
    point = np.arange(31.0, 36.0)[np.newaxis]
    return Forecast(
        ["umbrellas, $ a day"],
        [days("2020-01-31", 5)],
        point,
        point[..., np.newaxis] + SPREAD,
        LEVELS,
        [days("2020-01-01", 30)],
        [np.arange(1.0, 31.0)],
    )


@pytest.fixture
def back():
    """A hundred forecasts of a normal variable: the model knows it, the baseline is off by one."""
    y = np.random.default_rng(0).normal(size=(100, 1))
    z = np.array([-1.96, -1.2816, 0.0, 1.2816, 1.96])
    made = {
        name: (np.full((100, 1), off), np.broadcast_to(z + off, (100, 1, 5)))
        for name, off in (("model", 0.0), ("naive", 1.0))
    }
    times = days("2019-01-01", 100)[:, np.newaxis]
    fold = np.zeros(100, dtype=np.int64)
    learned = np.arange(50.0) % 3
    walk = SeriesBacktest("rain", np.arange(50, 150), fold, times, y, made, learned)
    return Backtest([walk], LEVELS, 1)


def lines(figure):
    return {line.get_label(): line for line in figure.axes[0].get_lines()}


def bands(figure):
    """The lower and upper end of each band, by its label."""
    found = {}
    for artist in figure.axes[0].collections:
        if isinstance(artist, PolyCollection):
            found[artist.get_label()] = artist.get_paths()[0].vertices[:, 1]
    return found


def test_a_fan_opens_at_the_last_value_seen(forecast):
    figure = fan_chart(forecast)
    drawn = lines(figure)
    assert drawn["seen"].get_ydata().tolist() == list(range(7, 31))
    assert drawn["forecast"].get_ydata().tolist() == [30, 31, 32, 33, 34, 35]
    assert drawn["forecast"].get_xdata()[0] == drawn["seen"].get_xdata()[-1]
    assert set(bands(figure)) == {"95 %", "80 %"}
    assert bands(figure)["95 %"].min() == 29
    assert bands(figure)["95 %"].max() == 37
    assert bands(figure)["80 %"].max() == 36


def test_a_fan_shows_as_much_of_the_past_as_is_asked(forecast):
    assert len(lines(fan_chart(forecast, history=3))["seen"].get_ydata()) == 3


def test_times_are_written_and_steps_are_numbered_where_there_are_none(forecast):
    labels = [text.get_text() for text in fan_chart(forecast).axes[0].get_xticklabels()]
    assert labels[0] == "11 Jan"
    trade = replace(forecast, times=[np.arange(1, 6)])
    figure = fan_chart(trade)
    assert "steps from the last one seen" in [text.get_text() for text in figure.texts]
    labels = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert labels[0] == "\N{MINUS SIGN}19"


def test_nothing_to_draw_is_said(forecast):
    nothing = np.full((1, 5), np.nan)
    empty = replace(
        forecast, point=nothing, quantiles=np.full((1, 5, 5), np.inf), past=[np.full(30, np.nan)]
    )
    figure = fan_chart(empty)
    assert "no finite value to show" in [text.get_text() for text in figure.texts]
    assert not figure.axes[0].axison


def test_figures_become_svg_in_the_roles_of_the_page(forecast, back):
    for figure in (fan_chart(forecast), backtest_chart(back), calibration_chart(back)):
        svg = inline_svg(figure, "fan", "a figure")
        assert "var(--fig-first)" in svg
        assert LIGHT["faint"] not in svg


def test_a_walk_shows_what_was_forecast_and_what_came(back):
    figure = backtest_chart(back, last=40)
    drawn = lines(figure)
    assert drawn["what came"].get_ydata().tolist() == back.series[0].y[-40:, 0].tolist()
    assert drawn["forecast"].get_ydata().tolist() == [0] * 40
    assert bands(figure)["95 %"].max() == pytest.approx(1.96)
    assert "rain, 1 step ahead" in [text.get_text() for text in figure.texts]


def test_the_calibration_is_the_share_of_outcomes_below_each_quantile(back):
    y = back.series[0].y[:, 0]
    shares = shares_below(back, "model")
    assert shares == [float((y <= q).mean()) for q in (-1.96, -1.2816, 0.0, 1.2816, 1.96)]
    drawn = lines(calibration_chart(back))
    assert drawn["model"].get_ydata() == pytest.approx(shares)
    assert drawn["naive"].get_ydata() == pytest.approx(shares_below(back, "naive"))
    assert set(lines(calibration_chart(back, None))) == {"model", "as it should be"}


def test_captions_say_it_in_numbers(forecast, back):
    assert fan_caption(forecast) == (
        "Forecast of umbrellas, $ a day, 5 steps ahead: from 30 at the last step seen "
        "to 35 on 4 Feb 2020. 95\u00a0% of outcomes should lie between 33 and 37 there."
    )
    caption = backtest_caption(back)
    assert caption.startswith("100 forecasts of rain, each by what was known before it: mean abs")
    assert "less than the best baseline" in caption
    shares = shares_below(back, "model")
    worst = int(np.abs(np.array(shares) - LEVELS).argmax())
    assert f"quantile at {LEVELS[worst]:g} lie" in calibration_caption(back)
    assert "Intervals held" in calibration_caption(back)


def test_a_caption_says_plainly_that_the_baseline_is_better(back):
    walk = back.series[0]
    swapped = {"model": walk.made["naive"], "naive": walk.made["model"]}
    lost = replace(back, series=[replace(walk, made=swapped)])
    assert ": the baseline is better." in backtest_caption(lost)
    equal = replace(back, series=[replace(walk, made=walk.made | {"naive": walk.made["model"]})])
    assert ": no better than the best baseline." in backtest_caption(equal)


@pytest.mark.parametrize(
    ("time", "span", "text"),
    [
        (np.datetime64("2005-03-03"), np.timedelta64(9999, "D"), "2005"),
        (np.datetime64("2005-03-03"), np.timedelta64(200, "D"), "Mar 2005"),
        (np.datetime64("2005-03-03"), np.timedelta64(20, "D"), "3 Mar"),
        (np.datetime64("2005-03-03T16:30", "us"), np.timedelta64(1, "D"), "3 Mar 16:30"),
        (np.datetime64("2005-03-03"), None, "3 Mar 2005"),
        (17, 40, "17"),
    ],
)
def test_a_time_is_written_as_its_span_asks(time, span, text):
    assert time_text(time, span) == text


def test_small_things():
    assert number_text(-1234.5) == "\N{MINUS SIGN}1,234"
    assert number_text(0.012344) == "0.01234"
    assert number_text(float("nan")) == "not a number"
    pairs = {0.5: 0, 0.8: 1, 0.9: 2, 0.95: 3}
    assert set(chosen_pairs(pairs)) == {0.5, 0.95}
    assert set(chosen_pairs(pairs, 3)) == {0.5, 0.9, 0.95}
