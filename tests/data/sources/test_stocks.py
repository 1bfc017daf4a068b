import numpy as np
import pytest

from recurra.data.sources.stocks import (
    load_prices,
    log_returns,
    parkinson_variance,
    squared_returns,
)
from recurra.errors import ArgumentError


@pytest.mark.parametrize(
    ("name", "days", "first", "last"),
    [("sp500", 16607, "1950-01-03", "2015-12-31"), ("goog", 1047, "2004-08-19", "2008-10-14")],
)
def test_prices_are_there_oldest_first(name, days, first, last):
    prices = load_prices(name)
    assert len(prices) == days
    assert str(prices.dates[0])[:10] == first
    assert str(prices.dates[-1])[:10] == last
    assert (np.diff(prices.dates).astype(int) > 0).all()
    assert (prices.low <= prices.high).all()
    assert (prices.close > 0).all()


def test_days_between_two_dates_are_chosen_with_both():
    prices = load_prices("sp500").between("2015-12-24", "2015-12-29")
    assert [str(day)[:10] for day in prices.dates] == [
        "2015-12-24",
        "2015-12-28",
        "2015-12-29",
    ]


def test_prices_that_nobody_brings_are_refused():
    with pytest.raises(ArgumentError, match="no prices of 'tulips'; there are sp500, goog"):
        load_prices("tulips")


def test_returns_are_differences_of_logarithms():
    close = np.array([100.0, 110.0, 99.0])
    assert log_returns(close) == pytest.approx([0, np.log(1.1), np.log(0.9)])
    assert squared_returns(close) == pytest.approx(log_returns(close) ** 2)


def test_the_range_of_a_random_walk_has_its_variance():
    # A day of 2,000 small steps with variance 1e-4 in all; the discrete range is a little short.
    draw = np.random.default_rng(0)
    paths = np.exp(np.cumsum(draw.normal(0, 0.01 / 2000**0.5, (1000, 2000)), axis=1))
    high, low = np.maximum(paths.max(1), 1), np.minimum(paths.min(1), 1)
    assert parkinson_variance(high, low).mean() == pytest.approx(1e-4, rel=0.06)
