"""Tables that cannot be learned from: exit 2, one line with the file and the row, nothing left."""

import os
from pathlib import Path

import pytest
from commands import recurra

from recurra.data.sources.conversations import make_conversations

GOOD = "".join(f"what a fine day {k},{'good' if k % 2 else 'bad'}\n" for k in range(30))


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert recurra(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("recurra: ")
    assert "Traceback" not in err
    return last


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "t.csv is empty"),
        ("text,label\n", "t.csv has a header but no rows"),
        (
            "text,label\n" + GOOD + "hello,\n",
            "t.csv, row 32: the label (column 'label') is missing",
        ),
        ("text,label\n" + GOOD + "hello\n", "t.csv, row 32"),
        ("text,label\n" + GOOD + "a,b,c\n", "t.csv, row 32"),
        ("text,label\n" + ",good\n,bad\n" * 9, "t.csv: every text (column 'text') is empty"),
        ("text,label\n" + "hello there,good\n" * 9, "is 'good' in every row"),
        ("text,text\nhello,good\n", "t.csv"),
        ("text\nhello\nthere\n", "t.csv: no column can be the label"),
        ("text,label\nhello,good\nthere,bad\n", "t.csv: 2 examples (2 different ones) are too few"),
        ("text,label\n" + GOOD + "he\0llo,good\n", "t.csv, row 32 holds a NUL byte"),
        (
            "a,b,c\n" + "one two three,four five six,x\nseven eight two,nine one two,y\n" * 5,
            "--text",
        ),
    ],
)
def test_a_bad_table(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    assert message in refused(capsys, "train", "classify", path, "--epochs", "1")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"text,label\nhello \xff,good\n", "t.csv, row 2 is not UTF-8"),
        ("text,label\nhallo,gut\n".encode("utf-16"), "UTF-16"),
        (b"text,label\n" + b"x" * 17_000_000, "row 2 is a line of more than"),
    ],
)
def test_bytes_that_are_no_table(
    data: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    assert message in refused(capsys, "train", "classify", path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--text", "txt"], "Did you mean 'text'"),
        (["--epochs", "0"], "epochs must be"),
        (["--hidden-size", "-3"], "hidden_size must be"),
        (["--cell", "lstn"], "lstn"),
        (["--clip", "5"], "--clip '5': write it as L,U"),
        (["--clip", "2,1"], "2"),
        (["--dropout", "1"], "dropout must be"),
        (["--learning-rate", "fast"], "--learning-rate 'fast': give a number, or auto"),
        (["--learning-rate", "0"], "learning_rate must be"),
        (["--test-fraction", "0"], "--test-fraction must be"),
        (["--test-fraction", "nan"], "--test-fraction must be"),
        (["--split-column", "part"], "no column 'part'"),
        (["--split-column", "label"], "row 2: column 'label' should say train or test, got 'bad'"),
        (["--tokens", "syllable"], "syllable"),
        (["--class-weight", "fair"], "class_weight must be"),
        (["--device", "abacus"], "abacus"),
        (["--series", "text:label"], "should be a number of the series"),
        (["--series", "a,b"], "has no column 'a'"),
        (["--series", "text", "--text", "text"], "one or the other"),
    ],
)
def test_a_bad_option(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + GOOD)
    assert message in refused(capsys, "train", "classify", path, *options)
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "gone.csv: there is no such file" in refused(
        capsys, "train", "classify", tmp_path / "gone.csv"
    )
    assert "is a folder" in refused(capsys, "train", "classify", tmp_path)


def test_where_no_model_can_be_put_nothing_is_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + GOOD)
    own = tmp_path / "mine"
    own.mkdir()
    (own / "letter.txt").write_text("dear diary")
    last = refused(capsys, "train", "classify", path, "--model", own)
    assert "is there already and is no model" in last
    assert [p.name for p in own.iterdir()] == ["letter.txt"]
    assert "cannot be written there" in refused(
        capsys, "train", "classify", path, "--model", path / "below"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_found_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + GOOD)
    tmp_path.chmod(0o500)
    try:
        assert "cannot be written there" in refused(capsys, "train", "classify", path)
    finally:
        tmp_path.chmod(0o700)


def test_a_disk_that_fills_up_leaves_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + GOOD)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "model.safetensors")

    monkeypatch.setattr("recurra.tasks.saving.folder.write_synced", full)
    last = refused(capsys, "train", "classify", path, "--epochs", "1", "--hidden-size", "4")
    assert last == "recurra: model.safetensors: No space left on device"
    assert list(tmp_path.iterdir()) == [path]


def test_a_class_that_is_there_once_is_learned_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("text,label\n" + GOOD + "no idea,odd\n")
    assert recurra("train", "classify", path, "--epochs", "1", "--hidden-size", "4") == 0
    out, err = capsys.readouterr()
    assert "warning: 'odd' is there once: too few to judge" in err
    assert "(3 classes: bad, good, odd)" in err
    assert out.startswith("accuracy")


def test_a_split_column_is_followed_and_a_leak_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_conversations(60)
    rows = [f'"{t}",{y},{"test" if k < 10 else "train"}\n' for k, (t, y) in
            enumerate(zip(made.texts, made.labels, strict=True))]  # fmt: skip
    rows.append(rows[0].replace(",test", ",train"))
    path = tmp_path / "t.csv"
    path.write_text("text,label,part\n" + "".join(rows))
    options = ("--split-column", "part", "--epochs", "1", "--hidden-size", "4")
    assert recurra("train", "classify", path, *options) == 0
    out, err = capsys.readouterr()
    assert "on 10 held-out texts" in out
    assert "warning: 1 of 10 held-out inputs are among those trained on, too" in err


def test_what_the_model_refuses_is_said_with_the_row_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "t.csv"
    names = [f"name{k}" for k in range(40)]
    path.write_text("name\n" + "\n".join([*names[:30], "a" * 50, *names[30:]]) + "\n")
    for seed in range(4):  # learned from or held out: found before anything is learned
        options = ("--max-length", "20", "--seed", seed)
        assert "t.csv, row 32: 50 symbols" in refused(capsys, "train", "generate", path, *options)
        assert list(tmp_path.iterdir()) == [path]
