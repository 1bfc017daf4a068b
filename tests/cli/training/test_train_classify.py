"""A classifier from a table to answers: train, evaluate, predict."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import recurra, write_csv

from recurra.data.sources.conversations import make_conversations
from recurra.training.progress import TerminalProgress

SMALL = ("--epochs", "2", "--hidden-size", "8", "--cell", "gru")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_conversations(240)
    rows = [(k, *pair) for k, pair in enumerate(zip(made.texts, made.labels, strict=True))]
    return write_csv(tmp_path_factory.mktemp("d") / "talks.csv", ["id", "talk", "mood"], rows)


@pytest.fixture(scope="module")
def trained(table: Path) -> tuple[Path, str, str]:
    """The model's folder, and what training wrote to standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    patch = pytest.MonkeyPatch()
    with patch.context() as p:
        p.setattr(sys, "stdout", out)
        p.setattr(sys, "stderr", err)
        code = recurra("train", "classify", table, *SMALL)
    assert code == 0, err.getvalue()
    return table.with_name("talks-model"), out.getvalue(), err.getvalue()


def test_columns_are_guessed_and_said(trained: tuple[Path, str, str]) -> None:
    _, _, err = trained
    assert "label: column 'mood' (3 classes: bad, good, neutral)" in err
    assert "text: column 'talk'" in err
    assert "held out to judge the model" in err
    assert "s left" in err


def test_one_line_tells_the_score_beside_its_baselines(trained: tuple[Path, str, str]) -> None:
    _, out, _ = trained
    assert out.count("\n") == 1
    assert out.startswith("accuracy 0.")
    for name in ("held-out texts", "the most frequent class", "TF-IDF + logistic regression"):
        assert name in out


def test_the_model_its_columns_and_the_report_are_in_a_folder_beside_the_data(
    trained: tuple[Path, str, str],
) -> None:
    folder, out, err = trained
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "model.safetensors", "history.json", "README.md", "report.html",
    }  # fmt: skip
    assert f"report: {folder / 'report.html'}" in err
    about = json.loads((folder / "config.json").read_text())["about"]
    assert about["columns"] == {"label": "mood", "text": "talk"}
    assert about["data"] == "talks.csv"
    assert about["digest"] == hashlib.sha256((folder.parent / "talks.csv").read_bytes()).hexdigest()
    card = (folder / "README.md").read_text()
    (line,) = [line for line in card.splitlines() if line.startswith("| accuracy, ")]
    assert f"accuracy {line.split('|')[2].strip()} on" in out  # the score that was printed
    assert "TF-IDF + logistic regression" in line
    page = (folder / "report.html").read_text()
    assert page.count("<svg") == 4
    assert "The surest mistakes" in page


def test_evaluating_on_the_same_table_judges_the_part_held_out(
    trained: tuple[Path, str, str], table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out, _ = trained
    assert recurra("evaluate", folder, table) == 0
    again, err = capsys.readouterr()
    assert again.splitlines()[0] == out.strip()
    assert "the part held out" in err


def test_evaluating_on_another_table_and_seeing_that_rows_are_known(
    trained: tuple[Path, str, str],
    table: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, _, _ = trained
    new = make_conversations(40, seed=9)
    rows = zip(new.texts, new.labels, strict=True)
    other = write_csv(tmp_path / "new.csv", ["talk", "mood"], rows)
    assert recurra("evaluate", folder, other, "--report", tmp_path / "r.html") == 0
    out, err = capsys.readouterr()
    assert "on 40 held-out texts" in out
    assert "TF-IDF" not in out
    assert "--train" in err
    assert (tmp_path / "r.html").exists()
    text = make_conversations(240).texts[:5]
    known = write_csv(tmp_path / "known.csv", ["talk", "mood"], [(t, "bad") for t in text])
    assert recurra("evaluate", folder, known, "--train", table) == 0
    out, err = capsys.readouterr()
    assert "TF-IDF + logistic regression" in out
    assert "inputs are among those trained on" in err


def test_predictions_come_beside_the_columns(
    trained: tuple[Path, str, str], table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recurra("predict", trained[0], table, "--chunk", "7") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "id,talk,mood,prediction,probability"
    assert len(lines) == 241
    label, p = lines[1].rsplit(",", 2)[1:]
    assert label in ("bad", "good", "neutral")
    assert 1 / 3 <= float(p) <= 1


def test_chunks_do_not_change_answers(
    trained: tuple[Path, str, str], table: Path, tmp_path: Path
) -> None:
    for chunk in (1000, 11):
        out = tmp_path / f"{chunk}.jsonl"
        assert recurra("predict", trained[0], table, "-o", out, "--chunk", chunk) == 0
    whole, cut = ((tmp_path / name).read_text() for name in ("1000.jsonl", "11.jsonl"))
    assert whole == cut
    assert set(json.loads(whole.splitlines()[0])) == {
        "id", "talk", "mood", "prediction", "probability",
    }  # fmt: skip


def test_texts_are_answered_one_a_line(
    trained: tuple[Path, str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = ["never again", "", "thank you so much \U0001f60a"]
    assert recurra("predict", trained[0], *(f"--text={text}" for text in texts)) == 0
    given = capsys.readouterr().out
    assert len(given.splitlines()) == 3
    assert all(line.split("\t")[0] in ("bad", "good", "neutral") for line in given.splitlines())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(texts).encode())))
    assert recurra("predict", trained[0], "-") == 0
    assert capsys.readouterr().out == given


def test_another_table_may_have_other_names(
    trained: tuple[Path, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_csv(tmp_path / "n.csv", ["words", "n"], [("great job", 1)])
    assert recurra("predict", trained[0], path) == 2
    assert "no column 'talk'; say which is the text: --column text=NAME" in capsys.readouterr().err
    assert recurra("predict", trained[0], path, "--column", "text=words") == 0
    assert capsys.readouterr().out.startswith("words,n,prediction,probability\ngreat job,1,")


def test_a_model_saved_from_python_is_asked_for_its_column(
    trained: tuple[Path, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from recurra.tasks.classifying.classifier import SequenceClassifier

    SequenceClassifier.load(trained[0]).save(tmp_path / "m", about={"columns": {}})
    path = write_csv(tmp_path / "n.csv", ["words", "n"], [("great job", 1)])
    assert recurra("predict", tmp_path / "m", path) == 2
    assert "which column has the text? Say --column text=NAME" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "MODEL"], "one of them"),
        (["predict", "MODEL", "TABLE", "--text", "x"], "one of them"),
        (["predict", "MODEL", "gone.csv"], "gone.csv: there is no such file"),
        (["predict", "gone", "TABLE"], "no such model folder"),
        (["predict", "MODEL", "TABLE", "-o", "gone/out.csv"], "gone/out.csv: cannot be written"),
        (["predict", "MODEL", "TABLE", "--column", "text"], "ROLE=NAME"),
        (["generate", "MODEL"], "which makes no sequences"),
        (["forecast", "MODEL"], "which forecasts no series"),
        (["evaluate", "MODEL", "TABLE", "--column", "label=talks"], "'talks'"),
    ],
)
def test_bad_requests_are_one_line_and_exit_2(
    trained: tuple[Path, str, str],
    table: Path,
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    named = {"MODEL": str(trained[0]), "TABLE": str(table)}
    assert recurra(*(named.get(argument, argument) for argument in arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("recurra: ")
    assert err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_a_bad_row_far_down_leaves_no_half_written_file(
    trained: tuple[Path, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "long.csv"
    path.write_text("talk,mood\n" + "never again,bad\n" * 30 + "one,two,three\n")
    out = tmp_path / "out.csv"
    out.write_text("what was there")
    assert recurra("predict", trained[0], path, "-o", out, "--chunk", "10") == 2
    assert "long.csv, row 32" in capsys.readouterr().err
    assert out.read_text() == "what was there"
    assert {p.name for p in tmp_path.iterdir()} == {"long.csv", "out.csv"}


def test_what_is_remembered_counts_as_the_rest_of_the_model_does(
    trained: tuple[Path, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained[0], tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    config.write_text(config.read_text().replace('"talk"', '"mood"'))
    assert recurra("predict", tmp_path / "m", "--text", "x") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "config.json: damaged or edited" in err


def test_interrupted_after_an_epoch_the_model_so_far_is_kept_and_judged(
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "m"
    monkeypatch.setattr(TerminalProgress, "on_epoch_end", interrupt)
    assert recurra("train", "classify", table, *SMALL, "--model", folder) == 0
    out, err = capsys.readouterr()
    assert out.startswith("accuracy")
    assert "interrupted; keeping epoch 1" in err
    assert (folder / "report.html").exists()


def test_interrupted_before_an_epoch_nothing_is_written(
    table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TerminalProgress, "on_batch_end", interrupt)
    assert recurra("train", "classify", table, *SMALL, "--model", tmp_path / "m") == 130
    assert capsys.readouterr().err.endswith("recurra: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def predict_into(out: int, folder: Path, table: Path) -> subprocess.CompletedProcess[str]:
    arguments = ["predict", str(folder), str(table)]
    code = f"from recurra.cli import main; main({arguments!r})"
    return subprocess.run(
        [sys.executable, "-c", code], stdout=out, stderr=subprocess.PIPE, text=True, timeout=120
    )


def test_a_closed_pipe_ends_quietly(trained: tuple[Path, str, str], table: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = predict_into(write, trained[0], table)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_said_in_one_line(trained: tuple[Path, str, str], table: Path) -> None:
    with open("/dev/full", "w") as full:
        done = predict_into(full.fileno(), trained[0], table)
    assert done.returncode == 2
    assert done.stderr == "recurra: standard output: No space left on device\n"
