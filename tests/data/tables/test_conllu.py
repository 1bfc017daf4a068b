"""CoNLL-U: read, refused by row, and written back as it was."""

import random

import pytest

from recurra.data.tables.conllu import (
    COLUMNS,
    TaggedSentence,
    iter_conllu,
    read_conllu,
    read_tagged,
    write_conllu,
)
from recurra.errors import ArgumentError, DataError

TEXT = (
    "# sent_id = 1\n# text = Don't ask Zoë\n"
    "1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tDo\tdo\tAUX\tVB\tMood=Imp\t3\taux\t_\t_\n"
    "2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_\n"
    "3\task\task\tVERB\tVB\t_\t0\troot\t_\t_\n"
    "3.1\tasked\task\tVERB\t_\t_\t_\t_\t3:conj\t_\n"
    "4\tZoë\tZoë\tPROPN\tNNP\t_\t3\tobj\t_\tSpaceAfter=No\n"
    "\n"
    "1\t20 000\t20000\tNUM\tCD\t_\t0\troot\t_\t_\n"
    "\n"
)


def write(folder, text, name="t.conllu"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_words_and_tags_are_those_of_the_words_alone(tmp_path):
    path = write(tmp_path, TEXT)
    first, second = read_conllu(path)
    assert first.words == ["Do", "n't", "ask", "Zoë"]
    assert first.tags() == ["AUX", "PART", "VERB", "PROPN"]
    assert first.tags("XPOS") == ["VB", "RB", "VB", "NNP"]
    assert first.column("MISC") == ["_", "_", "_", "SpaceAfter=No"]
    assert first.comments[0] == "# sent_id = 1"
    assert (first.row, second.row) == (1, 10)
    assert second.words == ["20 000"]
    assert read_tagged(path) == ([first.words, ["20 000"]], [first.tags(), ["NUM"]])


def test_what_was_read_is_written_to_the_byte(tmp_path):
    path = write(tmp_path, TEXT)
    write_conllu(tmp_path / "again.conllu", iter_conllu(path))
    assert (tmp_path / "again.conllu").read_bytes() == TEXT.encode()
    write_conllu(path, read_conllu(path))  # over itself, too
    assert path.read_bytes() == TEXT.encode()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.conllu", "t.conllu"]


def test_any_well_formed_file_is_written_to_the_byte(tmp_path):
    draw = random.Random(0)
    signs = "aé日😀#-.'\"\\ _"
    for _ in range(100):
        lines = []
        for _ in range(draw.randint(1, 3)):
            lines += [f"#{''.join(draw.choices(signs, k=5))}" for _ in range(draw.randint(0, 2))]
            covered = 0
            for k in range(1, draw.randint(2, 7)):
                numbers = [str(k)]
                if k > covered and draw.random() < 0.2:
                    covered = k  # a token may be of one word
                    numbers.insert(0, f"{k}-{k}")
                numbers += [f"{k}.{j + 1}" for j in range(draw.choice([0, 0, 2]))]
                for number in numbers:
                    rest = ["x" + "".join(draw.choices(signs, k=3)) for _ in COLUMNS[1:]]
                    lines.append("\t".join([number, *rest]))
            lines.append("")
        path = write(tmp_path, "\n".join(lines) + "\n")
        before = path.read_bytes()
        write_conllu(path, read_conllu(path))
        assert path.read_bytes() == before


def test_predictions_replace_one_column(tmp_path):
    first, second = read_conllu(write(tmp_path, TEXT))
    path = tmp_path / "predicted.conllu"
    write_conllu(path, [first.tagged(["A", "B", "C", "D"]), second.tagged(["E"], "XPOS")])
    want = TEXT
    for old, new in (
        ("AUX", "A"),
        ("PART", "B"),
        ("\task\tVERB\tVB", "\task\tC\tVB"),
        ("PROPN", "D"),
    ):
        want = want.replace(old, new)
    assert path.read_text(encoding="utf-8") == want.replace("NUM\tCD", "NUM\tE")


def test_windows_line_ends_a_mark_and_a_missing_last_line_are_read(tmp_path):
    path = write(tmp_path, "\ufeff" + TEXT.rstrip("\n").replace("\n", "\r\n"))
    assert [s.words for s in iter_conllu(path)] == [["Do", "n't", "ask", "Zoë"], ["20 000"]]


def test_sentences_are_made_of_words_and_tags(tmp_path):
    path = tmp_path / "made.conllu"
    write_conllu(path, [TaggedSentence.of(["I", "am"], ["PRON", "AUX"])])
    assert path.read_text() == (
        "1\tI\t_\tPRON\t_\t_\t_\t_\t_\t_\n2\tam\t_\tAUX\t_\t_\t_\t_\t_\t_\n\n"
    )
    assert read_tagged(path) == ([["I", "am"]], [["PRON", "AUX"]])


LINE = "1\ta\t_\tX\t_\t_\t_\t_\t_\t_\n"


def numbered(number):
    return number + LINE[1:]


BAD = {
    "empty": ("", "has no sentence"),
    "blank": ("\n\n", "has no sentence"),
    "nine cells": (LINE + "\n" + LINE[:-3] + "\n", "row 3 has 9 cells, but CoNLL-U has 10"),
    "spaces for tabs": (LINE.replace("\t", " "), "row 1 has 1 cell, "),
    "empty cell": (LINE.replace("\ta\t", "\t\t"), "row 1: FORM is empty; nothing is written as _"),
    "begins at 2": (numbered("2"), "row 1: ID is '2' where word 1 is next"),
    "skips": (LINE + numbered("3"), "row 2: ID is '3' where word 2 is next"),
    "twice": (LINE + LINE, "row 2: ID is '1' where word 2 is next"),
    "no number": (numbered("a"), "row 1: ID is 'a'"),
    "sign": (numbered("+1"), r"row 1: ID is '\+1'"),
    "other digits": (numbered("١"), "row 1: ID is"),
    "range elsewhere": (numbered("2-3") + LINE, "row 1: ID is '2-3'"),
    "range backwards": (LINE + numbered("2-1") + numbered("2"), "row 2: .*ends before it begins"),
    "range too long": (numbered("1-3") + LINE + numbered("2"), "row 1: a token reaches to word 3"),
    "range in a range": (
        numbered("1-2") + LINE + numbered("2-2") + numbered("2"),
        "row 3: ID is '2-2'",
    ),
    "left out elsewhere": (numbered("1.1") + LINE, "row 1: ID is '1.1'"),
    "left out skips": (LINE + numbered("1.2"), "row 2: ID is '1.2'"),
    "comment within": (LINE + "# x\n", "row 2 is a comment within a sentence"),
    "comment alone": (LINE + "\n# x\n\n" + LINE, "row 3 begins a sentence without words"),
    "latin-1": (LINE.encode() + "\n# é".encode("latin-1"), "row 3 is not UTF-8"),
    "NUL": (LINE.replace("a", "\0"), "row 1 holds a NUL byte"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_by_its_row(tmp_path, case):
    text, message = BAD[case]
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as error:
        read_conllu(path)
    assert str(error.value).startswith(str(path))
    assert len(str(error.value).splitlines()) == 1


def test_a_path_that_cannot_be_read_or_written_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        read_conllu(tmp_path / "none.conllu")
    with pytest.raises(DataError, match="is a folder; give the path of a CoNLL-U file"):
        read_conllu(tmp_path)
    with pytest.raises(DataError, match="cannot be written: No such file"):
        write_conllu(tmp_path / "none" / "t.conllu", [])


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = write(tmp_path, TEXT)

    def broken():
        yield TaggedSentence.of(["a"])
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_conllu(path, broken())
    assert path.read_bytes() == TEXT.encode()
    assert [p.name for p in tmp_path.iterdir()] == ["t.conllu"]


def test_a_word_without_a_tag_is_named(tmp_path):
    path = write(tmp_path, LINE + "\n" + LINE.replace("X", "_"))
    with pytest.raises(DataError, match=r"t\.conllu, the sentence at row 3: word 1, 'a', has no"):
        read_tagged(path)
    assert [s.words for s in read_conllu(path)] == [["a"], ["a"]]


def test_tags_that_no_line_can_hold_are_refused():
    sentence = TaggedSentence.of(["a", "b"])
    with pytest.raises(ArgumentError, match="1 tags for the 2 words"):
        sentence.tagged(["X"])
    for tag in ("", " ", "a\tb", "a\nb", None):
        with pytest.raises(ArgumentError, match="UPOS cannot be"):
            sentence.tagged(["X", tag])
    with pytest.raises(ArgumentError, match="FORM cannot be"):
        TaggedSentence.of(["a\tb"])
    with pytest.raises(ArgumentError, match="no column 'POS'; it has ID, FORM"):
        sentence.tagged(["X", "Y"], "POS")
