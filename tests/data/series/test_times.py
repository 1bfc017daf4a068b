import numpy as np
import pytest

from recurra.data.series.times import find_frequency, read_times
from recurra.errors import DataError


def days(*texts):
    return np.array(texts, dtype="datetime64[us]")


def every(first, n, unit):
    start = np.datetime64(first, unit)
    return (start + np.arange(n)).astype("datetime64[us]")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["2015-12-31", "2016-01-01"], days("2015-12-31", "2016-01-01")),
        (["2015-12-31T16:30Z"], days("2015-12-31T16:30")),
        ([np.datetime64("2015-12-31")], days("2015-12-31")),
        (["1960", "1961"], np.array([1960, 1961])),
        ([3, 4], np.array([3, 4])),
        ([3.0, 4.0], np.array([3, 4])),
    ],
)
def test_times_are_read_as_dates_or_numbers(given, read):
    times = read_times(given, "column 'ds'")
    assert times.dtype == read.dtype
    assert (times == read).all()


@pytest.mark.parametrize(
    "wrong", ["31.12.2015", "12/31/2015", "soon", "", None, "NaT", "2015-13-01"]
)
def test_what_is_no_time_is_named_with_its_row(wrong):
    with pytest.raises(DataError, match=r"column 'ds', row 1: .* is no time"):
        read_times(["2015-12-30", wrong], "column 'ds'")


def test_a_missing_time_is_named():
    with pytest.raises(DataError, match="row 1: the time is missing"):
        read_times(days("2015-12-30", "NaT"), "ds")


@pytest.mark.parametrize(
    ("times", "name", "following"),
    [
        (every("2020-01-01", 9, "D"), "1 day", ["2020-01-10", "2020-01-11"]),
        (every("2020-01-01T00", 9, "h"), "1 hour", ["2020-01-01T09", "2020-01-01T10"]),
        (every("2020-11", 9, "M"), "1 month", ["2021-08-01", "2021-09-01"]),
        (every("2020-01", 9, "M")[::3], "3 months", ["2020-10-01", "2021-01-01"]),
        (
            days("2019-12-31", "2020-01-31", "2020-02-29", "2020-03-31"),
            "1 month",
            ["2020-04-30", "2020-05-31"],
        ),
        (every("2020-01-06", 5, "D")[[0, 2, 4]], "2 days", ["2020-01-12", "2020-01-14"]),
        (
            days("2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07"),
            "1 business day",
            ["2020-01-08", "2020-01-09"],
        ),
        (every("2020-01-03", 15, "D")[::7], "1 week", ["2020-01-24", "2020-01-31"]),
    ],
)
def test_the_frequency_is_found_and_goes_on(times, name, following):
    frequency = find_frequency(times)
    assert str(frequency) == name
    assert (frequency.after(times[-1], 2) == days(*following)).all()
    assert (frequency.grid(times[0], times[-1]) == times).all()


def test_numbered_steps_have_a_frequency_too():
    frequency = find_frequency(np.array([1960, 1962, 1964, 1970]))
    assert str(frequency) == "2 steps"
    assert frequency.after(1970, 2).tolist() == [1972, 1974]
    assert frequency.grid(1960, 1970).tolist() == [1960, 1962, 1964, 1966, 1968, 1970]


def test_a_grid_that_would_be_endless_is_refused():
    frequency = find_frequency(np.array([0, 1, 10**12]))
    with pytest.raises(DataError, match="would be 1,000,000,000,000 steps of 1 step"):
        frequency.grid(0, 10**12)
