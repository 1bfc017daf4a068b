"""Five hundred tables, each damaged in one place: one line with the file and the row."""

import csv
import io
import json
import random

import pytest

from recurra.data.tables.table import iter_rows, read_table
from recurra.errors import DataError

WORDS = ["", "a", "naïve", "日本", "😀 ok", "two words", "NA", "0x7", "it's", "(x)"]


def lines_of(draw, suffix):
    """Return the lines of a sound table of two columns, a header line first (but for JSON)."""
    rows = [(f"{draw.choice(WORDS)} {k}", draw.choice("xyz")) for k in range(draw.randint(3, 40))]
    if suffix == ".jsonl":
        return [json.dumps(dict(zip(("text", "label"), row, strict=True))) for row in rows]
    written = io.StringIO()
    writer = csv.writer(written, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n")
    writer.writerows([("text", "label"), *rows])
    return written.getvalue().splitlines()


def joined(lines):
    return "\n".join(lines).encode() + b"\n"


# Each takes the sound lines, the number of a line below the header, and the suffix; it returns
# the damaged bytes, and the row that must be named (None: the whole file is at fault).
def nul(lines, k, suffix):
    return joined([*lines[:k], lines[k][:3] + "\0" + lines[k][3:], *lines[k + 1 :]]), k + 1


def wrong_encoding(lines, k, suffix):
    return joined(lines[:k]) + "café\n".encode("latin-1") + joined(lines[k:]), k + 1


def utf_16(lines, k, suffix):
    return "\n".join(lines).encode("utf-16"), None


def utf_16_without_mark(lines, k, suffix):
    return "\n".join(lines).encode("utf-16-le"), 1


def cut_within_a_character(lines, k, suffix):
    return joined(lines[:k]) + "é".encode()[:1], k + 1


def ten_megabytes(lines, k, suffix):
    cell = "x" * 10_000_000
    if suffix == ".jsonl":
        cell = "{" + cell
    return joined([*lines[:k], cell, *lines[k:]]), k + 1


def a_cell_too_many(lines, k, suffix):
    end = {".jsonl": ', "more"}', ".tsv": "\tmore", ".csv": ",more"}[suffix]
    return joined([*lines[:k], lines[k].removesuffix("}") + end, *lines[k + 1 :]]), k + 1


def a_cell_too_few(lines, k, suffix):
    short = '{"text": "a"}' if suffix == ".jsonl" else "alone"
    return joined([*lines[:k], short, *lines[k + 1 :]]), k + 1


def open_quote(lines, k, suffix):
    start = '{"text": "a, "label": "x"}' if suffix == ".jsonl" else '"open'
    return joined([*lines[:k], start, *lines[k + 1 :]]), k + 1


def header_only(lines, k, suffix):
    return (b"" if suffix == ".jsonl" else joined(lines[:1])), None


def nothing(lines, k, suffix):
    return b"\xef\xbb\xbf" * (k % 2), None


def no_label(lines, k, suffix):
    return joined([line.replace("label", "lable") for line in lines]), None


def label_twice(lines, k, suffix):
    if suffix == ".jsonl":
        return joined([*lines[:k], '{"text": "", "label": 1, "label": 2}']), k + 1
    return joined([line.replace("text", "label") for line in lines]), None


DAMAGES = [
    nul,
    wrong_encoding,
    utf_16,
    utf_16_without_mark,
    cut_within_a_character,
    a_cell_too_many,
    a_cell_too_few,
    open_quote,
    header_only,
    nothing,
    no_label,
    label_twice,
]
TIMES = 14
KINDS = [".csv", ".tsv", ".jsonl"]


def test_there_are_five_hundred():
    assert len(DAMAGES) * TIMES * len(KINDS) >= 500


def check(path, data, row):
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_table(path, ["label", "text"])
    said = str(caught.value)
    assert said.startswith(str(path)), said
    assert len(said.splitlines()) == 1
    assert len(said) < len(str(path)) + 300
    assert row is None or f", row {row} " in said, (said, row)
    with pytest.raises(DataError) as streamed:
        list(iter_rows(path, ["label", "text"], chunk=3))
    assert str(streamed.value) == said


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_table_is_refused_by_file_and_row(tmp_path, damage, suffix):
    draw = random.Random(f"{damage.__name__}{suffix}")
    for k in range(TIMES):
        lines = lines_of(draw, suffix)
        path = tmp_path / f"{k}{suffix}"
        path.write_bytes(joined(lines))
        sound = read_table(path, ["label", "text"])
        assert len(sound.rows) == len(lines) - (suffix != ".jsonl")
        check(path, *damage(lines, draw.randrange(1, len(lines)), suffix))


@pytest.mark.parametrize("suffix", KINDS)
def test_a_line_of_ten_megabytes_is_refused_by_its_row(tmp_path, suffix):
    lines = lines_of(random.Random(0), suffix)
    check(tmp_path / f"t{suffix}", *ten_megabytes(lines, 2, suffix))


@pytest.mark.parametrize("suffix", KINDS)
def test_a_mark_at_the_beginning_is_no_damage(tmp_path, suffix):
    lines = lines_of(random.Random(0), suffix)
    plain, marked = tmp_path / f"plain{suffix}", tmp_path / f"marked{suffix}"
    plain.write_bytes(joined(lines))
    marked.write_bytes(b"\xef\xbb\xbf" + joined(lines))
    assert read_table(marked).columns == read_table(plain).columns
