"""`recurra show`: a model's card and the check of its files."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest
from commands import recurra

from recurra import SequenceRegressor

GOLDEN = Path(__file__).parents[1] / "models" / "0.1.0"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN / "SequenceClassifier", tmp_path / "m")
    return tmp_path / "m"


def test_in_a_pipe_it_is_the_card_as_it_is_and_a_table_of_the_files(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recurra("show", model) == 0
    out, err = capsys.readouterr()
    assert out.startswith((model / "README.md").read_text())
    size = (model / "model.safetensors").stat().st_size
    assert f"| model.safetensors | {size:,} | right |\n" in out
    assert out.count(" right |\n") == 4
    assert "Format 1, written by Recurra 0.1.0. All that is needed is right.\n" in out
    assert err == ""


def test_in_a_terminal_it_is_set(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert recurra("show", model) == 0
    text = sys.stdout.getvalue()  # type: ignore[attr-defined]
    assert "\x1b[1" in text
    assert "##" not in text
    assert "|" not in text
    assert max(len(line) for line in text.replace("\x1b", "").splitlines()) < 400


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "history.json"])
def test_a_damaged_model_is_shown_as_far_as_it_is_right_and_named_in_one_line(
    model: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with (model / name).open("ab") as file:
        file.write(b"x")
    assert recurra("show", model) == 2
    out, err = capsys.readouterr()
    assert f"| {name} |" in out
    assert " damaged |\n" in out
    assert "All that is needed" not in out
    assert err.count("\n") == 1
    assert f"{name}: damaged" in err


def test_an_edited_card_is_shown_and_said_to_be(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "README.md").write_text("Ask Anna.\x1b[2J\x07 \u202e\n")
    assert recurra("show", model) == 0
    out = capsys.readouterr().out
    assert out.startswith("Ask Anna.\ufffd[2J\ufffd \ufffd\n")
    assert "| edited |" in out


def test_as_json_it_is_for_programs_in_json_that_all_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = SequenceRegressor(hidden_size=4, epochs=1, random_state=0, clip=(0.0, float("inf")))
    folder = model.fit([[k, 1] for k in range(12)], list(range(12))).save(tmp_path / "m")
    assert recurra("show", folder, "--json") == 0

    def refuse(name: str) -> None:
        raise AssertionError(name)

    record = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert (record["task"], record["version"], record["sound"]) == ("SequenceRegressor", 1, True)
    assert record["parameters"]["clip"] == [0.0, None]
    assert record["about"]["examples"] == 11
    assert [file["state"] for file in record["files"]] == ["right"] * 4
    assert record["card"] == (folder / "README.md").read_text()
    (folder / "config.json").unlink()
    assert recurra("show", folder, "--json") == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["sound"] is False
    assert "config.json: cannot be read" in err


def test_where_there_is_no_model_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recurra("show", tmp_path / "nothing") == 2
    assert "no such model folder" in capsys.readouterr().err


def test_the_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert recurra("show", "--help") == 0
    assert "recurra show reviews-model --json" in capsys.readouterr().out
