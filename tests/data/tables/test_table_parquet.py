"""Parquet: what is read, and what is refused."""

import datetime
import sys

import pytest

from recurra.data.tables.table import columns_of, iter_rows, read_columns, read_table
from recurra.errors import DataError, MissingDependencyError

pl = pytest.importorskip("polars")


def write(folder, columns, **options):
    path = folder / "t.parquet"
    pl.DataFrame(columns).write_parquet(path, **options)
    return path


def test_cells_are_those_of_the_file(tmp_path):
    path = write(
        tmp_path,
        {
            "text": ["a", None, "NA"],
            "n": [1, None, 3],
            "x": [0.5, 1.5, None],
            "tags": [["A", "B"], [], None],
            "yes": [True, False, None],
            "kind": pl.Series(["u", "v", "u"], dtype=pl.Categorical),
        },
    )
    assert columns_of(path) == ["text", "n", "x", "tags", "yes", "kind"]
    table = read_table(path)
    assert table.rows == [1, 2, 3]
    assert table.columns == {
        "text": ["a", None, "NA"],
        "n": [1, None, 3],
        "x": [0.5, 1.5, None],
        "tags": [["A", "B"], [], None],
        "yes": [True, False, None],
        "kind": ["u", "v", "u"],
    }
    assert list(read_columns(path, ["x", "text"])) == ["x", "text"]


def test_dates_and_times_come_as_iso_text(tmp_path):
    path = write(
        tmp_path,
        {
            "day": [datetime.date(2024, 2, 29)],
            "moment": [datetime.datetime(2024, 2, 29, 13, 5)],
            "time": [datetime.time(7, 30)],
        },
    )
    cells = {name: column[0] for name, column in read_columns(path).items()}
    assert cells["day"] == "2024-02-29"
    assert datetime.datetime.fromisoformat(cells["moment"]) == datetime.datetime(2024, 2, 29, 13, 5)
    assert datetime.time.fromisoformat(cells["time"][:15]) == datetime.time(7, 30)


def test_pieces_join_row_groups_in_their_order(tmp_path):
    path = write(tmp_path, {"n": list(range(10_000))}, row_group_size=700)
    pieces = list(iter_rows(path, ["n"], chunk=999))
    assert [len(piece.rows) for piece in pieces] == [999] * 10 + [10]
    assert [n for piece in pieces for n in piece.columns["n"]] == list(range(10_000))
    assert [row for piece in pieces for row in piece.rows] == list(range(1, 10_001))


def test_a_column_of_objects_or_bytes_is_refused_only_when_asked_for(tmp_path):
    path = write(tmp_path, {"a": ["x"], "o": [{"q": 1}], "b": [b"raw"]})
    assert read_columns(path, ["a"]) == {"a": ["x"]}
    with pytest.raises(DataError, match=r"t\.parquet: the column 'o' is of type Struct"):
        read_columns(path, ["o"])
    with pytest.raises(DataError, match="the column 'b' is of type Binary"):
        read_columns(path, ["a", "b"])
    with pytest.raises(DataError, match=r"no column 'A'; it has 'a', 'o', 'b'\. Did you mean 'a'"):
        read_columns(path, ["A"])


def test_a_file_without_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match="has a header but no rows"):
        read_columns(write(tmp_path, {"a": pl.Series([], dtype=pl.String)}))


def test_a_file_that_is_no_parquet_is_refused_in_one_line(tmp_path):
    path = write(tmp_path, {"a": [f"text {k}" for k in range(1000)]})
    whole = path.read_bytes()
    for damaged in (b"", b"a,b\n1,2\n", whole[:-1], whole[:200] + bytes(20) + whole[220:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"cannot be read as Parquet") as error:
            read_columns(path)
        assert str(path) in str(error.value)
        assert len(str(error.value).splitlines()) == 1
    with pytest.raises(DataError, match="there is no such file"):
        read_columns(tmp_path / "none.parquet")
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(DataError, match="is a folder; give the path of a Parquet file"):
        read_columns(tmp_path / "folder.parquet")


def test_a_path_is_no_pattern(tmp_path):
    path = write(tmp_path, {"a": [1]})
    odd = tmp_path / "[ab]*.parquet"
    odd.write_bytes(path.read_bytes())
    path.unlink()
    (tmp_path / "a.parquet").write_bytes(b"another")
    assert read_columns(odd) == {"a": [1]}


def test_without_polars_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path, {"a": [1]})
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(MissingDependencyError, match=r"recurra\[tables\]"):
        read_columns(path)
