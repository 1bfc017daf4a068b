"""Tables read piece by piece: what the whole would be, in memory that does not grow."""

import io
import json
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from recurra.data.tables import text_lines as module
from recurra.data.tables.table import columns_of, iter_rows, read_table
from recurra.data.tables.text_lines import text_lines
from recurra.errors import ArgumentError, DataError

ROWS = 2500


def write(path, rows):
    with path.open("w", encoding="utf-8") as file:
        if path.suffix in (".csv", ".tsv"):
            between = "," if path.suffix == ".csv" else "\t"
            print("text", "label", sep=between, file=file)
        for k in range(rows):
            if path.suffix == ".jsonl":
                print(json.dumps({"text": f"é{k} " * 20, "label": k % 7}), file=file)
            else:
                print(f'"é{k} {"x" * 60}"', k % 7, sep=between, file=file)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.jsonl"])
@pytest.mark.parametrize("chunk", [1, 1000, 2500, 10_000])
def test_the_pieces_are_the_whole_cut(tmp_path, name, chunk):
    path = write(tmp_path / name, ROWS if name == "t.jsonl" else 0)
    if name != "t.jsonl":
        between = "," if name == "t.csv" else "\t"
        lines = [f'"a\nb{k}"{between}{k}' for k in range(ROWS)]
        path.write_text(f"text{between}label\n" + "\n".join(lines), encoding="utf-8")
    pieces = list(iter_rows(path, ["label", "text"], chunk=chunk))
    assert all(len(piece.rows) == chunk for piece in pieces[:-1])
    assert 0 < len(pieces[-1].rows) <= chunk
    whole = read_table(path, ["label", "text"])
    assert len(whole.rows) == ROWS
    assert [row for piece in pieces for row in piece.rows] == whole.rows
    for column in ("label", "text"):
        assert [c for piece in pieces for c in piece.columns[column]] == whole.columns[column]


def test_all_columns_are_listed_and_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("b, a ,c\n1,2,3\n", encoding="utf-8")
    assert columns_of(path) == ["b", "a", "c"]
    assert read_table(path).columns == {"b": ["1"], "a": ["2"], "c": ["3"]}
    assert next(iter_rows(path)).columns == {"b": ["1"], "a": ["2"], "c": ["3"]}


def test_a_bad_row_is_met_when_its_piece_is(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 5 + "1,2,3\n", encoding="utf-8")
    pieces = iter_rows(path, ["a"], chunk=2)
    assert next(pieces).rows == [2, 3]
    assert next(pieces).rows == [4, 5]
    with pytest.raises(DataError, match="row 7 has 3 cells"):
        next(pieces)


@pytest.mark.parametrize("chunk", [0, -1, 1.5, True, None])
def test_a_chunk_is_a_whole_number(tmp_path, chunk):
    with pytest.raises(ArgumentError, match="chunk must be a whole number of at least 1"):
        iter_rows(tmp_path / "t.csv", ["a"], chunk=chunk)


def test_columns_are_a_list(tmp_path):
    with pytest.raises(ArgumentError, match="columns must be a list of names, got 'text'"):
        read_table(tmp_path / "t.csv", "text")


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1000])
def test_lines_do_not_depend_on_where_blocks_end(monkeypatch, block):
    monkeypatch.setattr(module, "_BLOCK", block)
    draw = random.Random(0)
    for _ in range(100):
        text = "".join(draw.choices("aé😀\r\n\u2028", k=30))
        want = io.StringIO(text, newline="").readlines()
        assert list(text_lines(io.BytesIO(b"\xef\xbb\xbf" + text.encode()), "t")) == want
        data = text.encode() + b"\xff"
        place = f"byte {len(data) - 1}"
        row = f"row {len((data[:-1] + b'.').splitlines())}"
        with pytest.raises(DataError, match=rf"{row} is not UTF-8 \({place}, 0xff"):
            list(text_lines(io.BytesIO(data), "t"))
        with pytest.raises(DataError, match=rf"{row} holds a NUL byte \({place}\)"):
            list(text_lines(io.BytesIO(text.encode() + b"\0"), "t"))


def test_a_character_cut_off_at_the_end_is_placed(monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", 2)
    with pytest.raises(DataError, match=r"row 2 is not UTF-8 \(byte 3, 0xf0"):
        list(text_lines(io.BytesIO(b"ab\n" + "😀".encode()[:3]), "t"))


def test_a_file_without_line_ends_is_not_read_into_memory(tmp_path):
    path = tmp_path / "t.jsonl"
    with path.open("wb") as file:
        for _ in range(40):
            file.write(b" " * 2**20)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"row 1 is a line of more than 16,777,216 characters"):
        read_table(path, ["a"])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 150 * 2**20  # two copies of the line, as the widest characters a string may have


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch, name):
    monkeypatch.setattr(module, "_BLOCK", 2**13)

    def peak(rows):
        path = write(tmp_path / name, rows)
        tracemalloc.start()
        seen = sum(len(piece.rows) for piece in iter_rows(path, ["text", "label"], chunk=100))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert seen == rows
        return most

    small, large = peak(1_000), peak(16_000)
    assert large < 1.1 * small + 2**15
    assert large < 2**19 < (tmp_path / name).stat().st_size / 2


# What getrusage says begins with the memory of the process it was started from.
COUNT = """
import sys
from recurra.data.tables.table import iter_rows
rows = sum(len(piece.rows) for piece in iter_rows(sys.argv[1], ["text", "label"]))
status = open("/proc/self/status").read()
print(rows, int(status.split("VmHWM:")[1].split()[0]) * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is asked of /proc")
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("t.csv", 2_700_000),
        ("t.tsv", 2_700_000),
        ("t.jsonl", 1_400_000),
        ("t.parquet", 4_500_000),
    ],
)
def test_two_hundred_megabytes_take_no_more_memory_than_two(tmp_path, name, rows):
    def peak(rows):
        path = tmp_path / name
        if name == "t.parquet":
            pl = pytest.importorskip("polars")
            draw = random.Random(0)
            text = [draw.randbytes(40).hex() for _ in range(rows)]
            columns = {"text": text, "label": list(range(rows))}
            pl.DataFrame(columns).write_parquet(path, row_group_size=10_000)
        else:
            write(path, rows)
        done = subprocess.run(
            [sys.executable, "-c", COUNT, str(path)], capture_output=True, text=True, check=True
        )
        seen, most = map(int, done.stdout.split())
        assert seen == rows
        return most, path.stat().st_size

    small, _ = peak(20_000)
    large, size = peak(rows)
    assert size > 180 * 2**20
    assert large < small + 60 * 2**20
