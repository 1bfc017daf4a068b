"""JSON Lines: what is read, and what is refused with its row."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recurra.data.tables.table import columns_of, read_columns, read_table
from recurra.errors import DataError


def write(folder, content, name="t.jsonl"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.json-lines", "UPPER.JSONL"])
def test_cells_are_what_json_says_they_are(tmp_path, name):
    path = write(
        tmp_path,
        '{"text": "so \\u00e9", "n": 3, "x": 1.5, "yes": true, "tags": ["A", "B"], "s": [[1, 2]]}\n'
        '{"yes": null, "tags": [], "s": null, "text": "", "x": -1e3, "n": 12345678901234567890}\n',
        name,
    )
    assert columns_of(path) == ["text", "n", "x", "yes", "tags", "s"]
    assert read_columns(path) == {
        "text": ["so é", ""],
        "n": [3, 12345678901234567890],
        "x": [1.5, -1000.0],
        "yes": [True, None],
        "tags": [["A", "B"], []],
        "s": [[[1, 2]], None],
    }


def test_only_the_columns_asked_for_need_be_there(tmp_path):
    path = write(tmp_path, '\ufeff{"a": 1, "b": {"c": 1}}\r\n\n{"z": 0, "a": 2}')
    table = read_table(path, ["a"])
    assert table.columns == {"a": [1, 2]}
    assert table.rows == [1, 3]


BAD = {
    "empty": ("", "is empty"),
    "blank": ("\n \n", "is empty"),
    "no JSON": ('{"a": 1}\n{"a": }\n', r"row 2 is no JSON: Expecting value \(character 7\)"),
    "cut off": ('{"a": 1}\n{"a": "x', "row 2 is no JSON"),
    "two on a line": ('{"a": 1} {"a": 2}\n', "row 1 is no JSON: Extra data"),
    "pretty": ('{\n "a": 1\n}\n', "row 1 is no JSON"),
    "list": ('{"a": 1}\n[1, 2]\n', "row 2 is a list; each line should be one JSON object"),
    "text": ('"a"\n', "row 1 is text"),
    "null": ("null\n", "row 1 is null"),
    "no keys": ("{}\n", "row 1 is an object without keys"),
    "key twice": ('{"a": 1}\n{"a": 1, "a": 2}\n', "row 2 .*a key stands there twice"),
    "NaN": ('{"a": NaN}\n', "row 1 .*NaN is no JSON number; a missing value is null"),
    "many digits": ('{"a": ' + "9" * 5000 + "}\n", "row 1 cannot be read"),
    "deep": ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}\n", "row 1 is nested too deeply"),
    "object": ('{"a": 1}\n{"a": [1, {"b": 2}]}\n', "row 2: 'a' holds an object"),
    "no column": ('{"b": 1}\n', "has no column 'a'; it has 'b'"),
    "key gone": ('{"a": 1}\n\n{"b": 2}\n', "row 3 has no 'a'; write null"),
    "surrogate": ('{"a": "\\ud800"}\n', "row 1 holds half a surrogate pair"),
    "NUL": ('{"a": 1}\n{"a": "\0"}\n', "row 2 holds a NUL byte"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_line_is_refused_by_its_number(tmp_path, case):
    content, message = BAD[case]
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=message) as error:
        read_columns(path, ["a"])
    assert str(error.value).startswith(str(path))
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < len(str(path)) + 300


def test_whole_pairs_of_surrogates_are_text(tmp_path):
    path = write(tmp_path, '{"a": "\\ud83d\\ude00"}\n')
    assert read_columns(path, ["a"]) == {"a": ["😀"]}


def test_without_columns_named_all_lines_have_the_same(tmp_path):
    path = write(tmp_path, '{"a": 1}\n{"a": 2, "b": 3}\n')
    assert read_columns(path, ["a"]) == {"a": [1, 2]}
    with pytest.raises(DataError, match="row 2 has 'b', which the first row has not"):
        read_columns(path)


def test_a_column_of_text_says_which_cell_is_none(tmp_path):
    table = read_table(write(tmp_path, '{"a": "x", "b": "y"}\n{"a": 5, "b": "z"}\n'))
    assert table.texts("b") == ["y", "z"]
    with pytest.raises(DataError, match="row 2: 'a' should be text, got 5"):
        table.texts("a")
    table = read_table(write(tmp_path, '{"a": null}\n'))
    with pytest.raises(DataError, match=r"row 1: 'a' should be text, got nothing \(null\)"):
        table.texts("a")


CELL = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cells=st.lists(CELL, min_size=1, max_size=4), escaped=st.booleans())
def test_what_json_wrote_is_read_back(tmp_path, cells, escaped):
    lines = [json.dumps({"a": cell}, ensure_ascii=escaped) for cell in cells]
    if not escaped and any("\0" in line for line in lines):
        return
    path = write(tmp_path, "\n".join(lines))
    assert read_columns(path, ["a"]) == {"a": cells}
