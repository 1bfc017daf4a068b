"""Prices that come with installed libraries, and measures of how much they move."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recurra.data.series.times import Times
from recurra.errors import ArgumentError, DataError, MissingDependencyError

Numbers = NDArray[np.float64]
STOCKS = ("sp500", "goog")


@dataclass(frozen=True)
class Prices:
    """Days of trade, oldest first.

    dates: (T,) datetime64[us]; open, high, low, close: (T,) in points or dollars; volume: (T,)
    shares. `close` is adjusted for splits and dividends where the source has that.
    """

    name: str
    dates: Times
    open: Numbers
    high: Numbers
    low: Numbers
    close: Numbers
    volume: Numbers

    def __len__(self) -> int:
        return len(self.dates)

    def between(self, first: str, last: str = "9999-12-31") -> "Prices":
        """Return the days from `first` to `last`, both included, as "2010-01-01"."""
        chosen = (self.dates >= np.datetime64(first)) & (self.dates <= np.datetime64(last))
        columns = (self.open, self.high, self.low, self.close, self.volume)
        return Prices(self.name, self.dates[chosen], *(column[chosen] for column in columns))


def load_prices(name: str = "sp500") -> Prices:
    """Return daily prices that an installed library brings along; nothing is downloaded.

    Args:
        name: "sp500", the S&P 500 index from 1950 to 2015 (great_tables; until 1961 it has one
            price a day, no range), or "goog", Google's shares from 2004 to 2008 (matplotlib).

    Raises `ArgumentError` for another name, `MissingDependencyError` without the library.
    """
    if name == "sp500":
        try:
            from great_tables.data import sp500
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                "the S&P 500 comes with great_tables, which is not installed: "
                "pip install 'recurra[tasks]'"
            ) from error
        columns = {name: sp500[name].to_numpy() for name in sp500.columns}
    elif name == "goog":
        # The file alone: importing matplotlib would take longer than reading it.
        found = find_spec("matplotlib")
        if found is None or found.origin is None:
            raise MissingDependencyError(
                "GOOG comes with matplotlib, which is not installed: pip install 'recurra[report]'"
            )
        path = Path(found.origin).parent / "mpl-data" / "sample_data" / "goog.npz"
        try:
            table = np.load(path, allow_pickle=False)["price_data"]
        except (OSError, KeyError, ValueError):
            raise DataError(f"{path}: this matplotlib brings no prices of GOOG.") from None
        columns = {name: table[name] for name in table.dtype.names}
    else:
        raise ArgumentError(f"there are no prices of {name!r}; there are {', '.join(STOCKS)}.")
    dates = np.asarray(columns["date"], dtype="datetime64[us]")
    order = np.argsort(dates)
    kept = ("open", "high", "low", "adj_close", "volume")
    return Prices(
        name, dates[order], *(np.asarray(columns[k], dtype=np.float64)[order] for k in kept)
    )


def log_returns(close: Numbers) -> Numbers:
    """Return ln(close_t / close_{t-1}) of (T,) prices: (T,), the first one 0."""
    return np.asarray(np.diff(np.log(close), prepend=np.log(close[:1])))


def squared_returns(close: Numbers) -> Numbers:
    """Return the squared log returns, the plainest measure of a day's variance: (T,)."""
    return np.asarray(np.square(log_returns(close)))


def parkinson_variance(high: Numbers, low: Numbers) -> Numbers:
    """Return ln(high / low)² / (4 ln 2), a day's variance by its range: (T,).

    About five times less noisy than the squared return; it leaves out what happens overnight.
    Source: Parkinson, Journal of Business 53 (1980), equation 2.
    """
    return np.asarray(np.square(np.log(high / low)) / (4 * np.log(2.0)))
