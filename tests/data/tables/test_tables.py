"""Tables that users bring: what is read, and what is refused with its file and row."""

import csv
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra.data.tables.table import read_columns, read_table
from recurra.errors import DataError, RecurraError


def write(folder: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def check_refusal(error: DataError, path: str) -> None:
    """One line that names the file, of the project's own kind."""
    assert path in str(error)
    assert len(str(error).splitlines()) == 1
    assert len(str(error)) < len(path) + 300
    assert "Traceback" not in str(error)
    assert isinstance(error, RecurraError)
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("comma.csv", "name,country\nAnna,IT\nBo,SE\n"),
        ("semicolon.csv", "name;country\nAnna;IT\nBo;SE\n"),
        ("tab.csv", "name\tcountry\nAnna\tIT\nBo\tSE\n"),
        ("tab.tsv", "name\tcountry\nAnna\tIT\nBo\tSE\n"),
        ("plain.txt", "name,country\nAnna,IT\nBo,SE\n"),
        ("UPPER.TSV", "name\tcountry\nAnna\tIT\nBo\tSE\n"),
        ("order.csv", "country,age,name\nIT,3,Anna\nSE,4,Bo\n"),
        ("bom.csv", "\ufeffname,country\nAnna,IT\nBo,SE\n"),
        ("windows.csv", "name,country\r\nAnna,IT\r\nBo,SE\r\n"),
        ("old mac.csv", "name,country\rAnna,IT\rBo,SE\r"),
        ("no last line end.csv", "name,country\nAnna,IT\nBo,SE"),
        ("blank lines.csv", "\n\nname,country\n\nAnna,IT\n  \nBo,SE\n\n"),
        ("spaced header.csv", " name , country \nAnna,IT\nBo,SE\n"),
        ("quoted.csv", '"name","country"\n"Anna","IT"\n"Bo","SE"\n'),
        ("comma in the other column.csv", "name;country;a,b,c,d\nAnna;IT;1\nBo;SE;1\n"),
    ],
)
def test_columns_are_read_however_the_table_is_written(tmp_path, name, content):
    table = read_columns(write(tmp_path, content, name), ["name", "country"])
    assert table == {"name": ["Anna", "Bo"], "country": ["IT", "SE"]}


def test_cells_come_back_as_they_were_written(tmp_path):
    path = write(tmp_path, 'a,b\nNA,007\n" x ",\n"two\nlines","say ""hi"", please"\n1e5,NULL\n')
    assert read_columns(path, ["b", "a"]) == {
        "b": ["007", "", 'say "hi", please', "NULL"],
        "a": ["NA", " x ", "two\nlines", "1e5"],
    }


def test_a_tab_file_keeps_its_commas(tmp_path):
    path = write(tmp_path, "name\tnote\nAnna\ta,b;c\n", "t.tsv")
    assert read_columns(path, ["note"]) == {"note": ["a,b;c"]}


def test_a_path_may_be_text(tmp_path):
    path = write(tmp_path, "name\nAnna\n")
    assert read_columns(str(path), ["name"]) == {"name": ["Anna"]}


def test_rows_are_numbered_as_an_editor_numbers_lines(tmp_path):
    path = write(tmp_path, 'name\nAnna\n\n"Bo\nBerg"\nCleo\n')
    table = read_table(path, ["name"])
    assert table.columns["name"] == ["Anna", "Bo\nBerg", "Cleo"]
    assert table.rows == [2, 4, 6]


BAD = {
    "empty": (b"", "is empty"),
    "byte-order mark only": (b"\xef\xbb\xbf", "is empty"),
    "blank lines only": (b"\n \n\r\n", "is empty"),
    "header only": (b"name,country\n", "no rows"),
    "header and blank lines": (b"name,country\n\n\n", "no rows"),
    "latin-1": (
        "name,country\nAnna,IT\nZoé,FR\n".encode("latin-1"),
        "row 3 .*byte 23, 0xe9.*UTF-8",
    ),
    "truncated UTF-8": (b"name,country\nAnna,IT\nZo\xc3", "row 3 .*byte 23, 0xc3"),
    "utf-16": ("name,country\nAnna,IT\n".encode("utf-16"), "UTF-16"),
    "nul": (b"name,country\nAn\0na,IT\n", "row 2 .*NUL.*byte 15"),
    "cell too many": (b"name,country\nAnna,IT\nBo,SE,x\n", "row 3 has 3 cells, .*header has 2"),
    "cell too few": (b"name,country\nAnna,IT\n\nBo\n", "row 4 has 1 cell, .*header has 2"),
    "a surplus cell in every row": (b"name,country\n1,Anna,IT\n2,Bo,SE\n", "row 2 has 3 cells"),
    "open quote": (b'name,country\nAnna,IT\n"Bo,SE\nCleo,FR\n', "row 3 .*double quote"),
    "text after a quote": (b'name,country\n"Bo"x,SE\n', "row 2 .*double quote"),
    "open quote in the header": (b'name,"country\nBo,SE\n', "row 1 .*double quote"),
    "10 MB cell": (b"name,country\n" + b"x" * 10_000_000 + b",IT\n", "row 2 .*field larger"),
    "same column twice": (b"name,country,name\nAnna,IT,Bo\n", "2 columns 'name'"),
    "no such column": (b"first,country\nAnna,IT\n", "no column 'name'; it has 'first', 'country'"),
    "other case": (b"Name,country\nAnna,IT\n", "no column 'name'.*Did you mean 'Name'"),
    "near": (b"nme,country\nAnna,IT\n", "Did you mean 'nme'"),
    "line end in a column": (b'"a\nb",country\nAnna,IT\n', r"it has 'a\\nb', 'country'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_refused_in_one_line_that_names_it(tmp_path, case):
    content, message = BAD[case]
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=message) as error:
        read_columns(path, ["name", "country"])
    check_refusal(error.value, str(path))


def test_many_columns_are_listed_in_part_only(tmp_path):
    path = write(tmp_path, ",".join(f"c{i}" for i in range(1000)) + "\n")
    with pytest.raises(DataError, match="'c19' and 980 more") as error:
        read_columns(path, ["nothing"])
    assert len(str(error.value)) < len(str(path)) + 300


def test_a_column_there_twice_is_no_fault_if_nobody_asks_for_it(tmp_path):
    path = write(tmp_path, "x,name,x\n1,Anna,2\n")
    assert read_columns(path, ["name"]) == {"name": ["Anna"]}


def test_a_path_that_is_no_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"missing\.csv: there is no such file"):
        read_columns(tmp_path / "missing.csv", ["name"])
    with pytest.raises(DataError, match="is a folder"):
        read_columns(tmp_path, ["name"])
    with pytest.raises(DataError, match="cannot be"):
        read_columns(tmp_path / "a\0b", ["name"])
    with pytest.raises(DataError, match="cannot be read"):
        read_columns(tmp_path / ("x" * 5000), ["name"])
    with pytest.raises(DataError) as error:
        read_columns(tmp_path / "two\nlines.csv", ["name"])
    assert len(str(error.value).splitlines()) == 1


def test_a_device_is_not_read_for_ever():
    if not Path("/dev/zero").exists():
        pytest.skip("this system has no /dev/zero")
    with pytest.raises(DataError, match="is a device"):
        read_columns("/dev/zero", ["name"])


CELL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=5), delimiter=st.sampled_from(",;\t")
)
def test_what_a_csv_writer_wrote_is_read_back(tmp_path, rows, delimiter):
    path = tmp_path / "written.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerows([("name", "country"), *rows])
    table = read_columns(path, ["name", "country"])
    assert list(zip(table["name"], table["country"], strict=True)) == rows


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=60) | st.text('name,try"\n;x\t', max_size=60).map(str.encode))
def test_any_bytes_give_a_table_or_one_line(tmp_path, data):
    path = write(tmp_path, b"name,country\n" + data, "any.csv")
    try:
        table = read_columns(path, ["name", "country"])
    except DataError as error:
        check_refusal(error, "any.csv")
    else:
        assert len(table["name"]) == len(table["country"]) > 0
