import re

import numpy as np
import pandas as pd
import pytest

from recurra.data.series.reading import read_series
from recurra.errors import ArgumentError, ArgumentTypeError, DataError, RecurraWarning

DATES = ["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"]


def long(**columns):
    return pd.DataFrame({"unique_id": ["a"] * 4, "ds": DATES, "y": [1.0, 2.0, 3.0, 4.0]} | columns)


def test_a_long_frame_gives_a_series_for_each_id_with_its_covariates():
    frame = pd.concat([long(), long(unique_id="b", y=[5.0, 6.0, 7.0, 8.0])])
    frame["promo"], frame["rain"] = np.arange(8.0), np.arange(8.0) * 10
    series = read_series(frame, known=["promo"], past=["rain"])
    assert series.ids == ["a", "b"]
    assert series.values[1].tolist() == [5, 6, 7, 8]
    assert series.known[1].tolist() == [[4], [5], [6], [7]]
    assert series.past[0].tolist() == [[0], [10], [20], [30]]
    assert str(series.frequency) == "1 day"


def test_rows_without_a_value_at_the_end_are_the_future_of_what_is_known():
    series = read_series(long(y=[1.0, 2.0, np.nan, np.nan], promo=[1, 0, 1, 0]), known=["promo"])
    assert series.values[0].tolist() == [1, 2]
    assert series.known[0].tolist() == [[1], [0], [1], [0]]


def test_a_wide_frame_gives_a_series_for_each_column():
    frame = pd.DataFrame({"Date": DATES, "north": [1, 2, 3, 4], "south": [4.0, 3, 2, 1]})
    series = read_series(frame)
    assert series.ids == ["north", "south"]
    assert series.values[0].tolist() == [1, 2, 3, 4]
    assert series.times[0][-1] == np.datetime64("2020-01-04")


def test_the_index_of_a_frame_or_a_column_holds_its_times():
    index = pd.date_range("2020-01-01", periods=4, freq="MS")
    series = read_series(pd.Series([1.0, 2, 3, 4], index=index, name="sales"))
    assert series.ids == ["sales"]
    assert str(series.frequency) == "1 month"
    months = pd.DataFrame(
        {"sales": [1.0, 2]}, index=pd.period_range("2020-01", periods=2, freq="M")
    )
    assert read_series(months).times[0].astype("datetime64[D]").astype(str).tolist() == [
        "2020-01-01",
        "2020-02-01",
    ]


def test_arrays_dicts_and_lists_are_numbered_steps():
    assert read_series([1, 2, 3]).values[0].tolist() == [1, 2, 3]
    two = read_series(np.arange(6).reshape(2, 3))
    assert two.ids == ["0", "1"]
    assert two.times[0].tolist() == [0, 1, 2]
    named = read_series({"a": [1, 2, 3], "b": np.array([1.5, 2.5])})
    assert [len(v) for v in named.values] == [3, 2]


def test_a_set_of_series_is_taken_as_it_is():
    series = read_series([1, 2, 3])
    assert read_series(series) is series


def test_a_file_is_read_wide_or_long(tmp_path):
    path = tmp_path / "sales.csv"
    path.write_text("date,north,south\n2020-01-01,1,2\n2020-01-02,3,4\n")
    assert read_series(path).values[1].tolist() == [2, 4]
    path.write_text("unique_id,ds,y\na,2020-01-01,1\na,2020-01-02,3\nb,2020-01-01,5\n")
    assert read_series(str(path)).ids == ["a", "b"]


def test_text_in_a_column_of_a_file_is_named(tmp_path):
    path = tmp_path / "sales.csv"
    path.write_text("date,north,shop\n2020-01-01,1,Rome\n2020-01-02,3,Rome\n")
    with pytest.raises(DataError, match="column 'shop' must be numbers, got 'Rome'; leave columns"):
        read_series(path)


def test_times_out_of_order_are_sorted_with_a_warning():
    newest_first = long().iloc[::-1]
    with pytest.warns(RecurraWarning, match="series 'a' is newest first; it was sorted"):
        series = read_series(newest_first)
    assert series.values[0].tolist() == [1, 2, 3, 4]
    with pytest.warns(RecurraWarning, match="not in the order of time"):
        assert read_series(long().iloc[[1, 0, 3, 2]]).values[0].tolist() == [1, 2, 3, 4]


def test_a_time_that_is_there_twice_is_refused_by_name():
    frame = long(ds=[DATES[0], DATES[1], DATES[1], DATES[2]])
    with pytest.raises(DataError, match="series 'a' has 2020-01-02 twice; keep one row a time"):
        read_series(frame)


def gap():
    return long(ds=["2020-01-01", "2020-01-02", "2020-01-05", "2020-01-06"], w=[1.0, 2, 3, 4])


def test_gaps_are_refused_with_their_number_and_the_way_to_fill_them():
    wanted = "2 of 6 steps of 1 day are not there, the first 2020-01-03; pass gaps='fill'"
    with pytest.raises(DataError, match=re.escape(wanted)):
        read_series(gap(), past=["w"])


def test_gaps_are_filled_with_the_last_value_and_never_with_a_later_one():
    series = read_series(gap(), past=["w"], gaps="fill")
    assert series.values[0].tolist() == [1, 2, 2, 2, 3, 4]
    assert series.past[0][:, 0].tolist() == [1, 2, 2, 2, 3, 4]


def test_gaps_ignored_count_steps_and_know_no_times_ahead():
    series = read_series(gap(), gaps="ignore")
    assert series.values[0].tolist() == [1, 2, 3, 4]
    assert series.frequency is None
    assert series.times_ahead(0, 2).tolist() == [1, 2]


def test_an_irregular_time_is_named():
    dates = [f"2020-01-0{day}" for day in range(1, 8)]
    frame = pd.DataFrame({"unique_id": "a", "ds": [*dates, "2020-01-08T07:30"], "y": range(8)})
    with pytest.raises(
        DataError, match=r"2020-01-08T07:30:00 is not on .* with steps of 1 day .1 of 8"
    ):
        read_series(frame)


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "missing .NaN."), (np.inf, "infinite .inf.")])
def test_a_missing_or_infinite_value_is_named_by_series_and_time(value, kind):
    with pytest.raises(DataError, match=f"series 'a': the value at 2020-01-02 is {kind}"):
        read_series(long(y=[1.0, value, 3.0, 4.0]))
    with pytest.raises(DataError, match=f"the known covariate at 2020-01-02 is {kind}"):
        read_series(long(promo=[1.0, value, 3.0, 4.0]), known=["promo"])


def test_missing_values_are_carried_forward_on_request_but_not_at_the_beginning():
    filled = read_series(long(y=[1.0, np.nan, np.nan, 4.0]), gaps="fill")
    assert filled.values[0].tolist() == [1, 1, 1, 4]
    with pytest.raises(DataError, match="series 'a' begins with a missing number"):
        read_series(long(y=[np.nan, 2.0, 3.0, 4.0]), gaps="fill")


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        ([], {}, ArgumentTypeError, "got list"),
        (3.0, {}, ArgumentTypeError, "got float"),
        (np.zeros((2, 2, 2)), {}, DataError, r"got \(2, 2, 2\)"),
        ([np.nan, np.nan], {}, DataError, "series 'y' has no values"),
        ({"ds": DATES}, {}, DataError, "no series: a column of times"),
        ({"ds": DATES, "a": [1, 2]}, {}, DataError, "'a' has 2 values for 4 times in 'ds'"),
        ({"a": ["x", "y"]}, {}, DataError, "column 'a' must be numbers, got 'x'"),
        ([1, 2], {"gaps": "guess"}, ArgumentError, "gaps='guess' is not known"),
        ([1, 2], {"known": ["promo"]}, DataError, "name columns of a long table, but this is an"),
        (long(), {"known": ["promo"]}, DataError, "no column 'promo'; there are unique_id, ds, y"),
        (long(), {"known": ["ds"], "time": "ds"}, DataError, "'ds' is named for two things"),
        (long(), {"time": "when"}, DataError, "no column 'when'"),
    ],
)
def test_bad_series_are_refused_in_words(data, options, error, message):
    with pytest.raises(error, match=message):
        read_series(data, **options)


def test_a_series_cut_short_knows_nothing_of_what_was_cut_off():
    series = read_series(long(promo=[1.0, 2, 3, 4]), known=["promo"]).cut([2])
    assert series.values[0].tolist() == [1, 2]
    assert len(series.known[0]) == len(series.times[0]) == 2
