"""A saved model looked at file by file."""

from pathlib import Path

import pytest
from forged import forge

from recurra.errors import ModelFileError
from recurra.tasks.saving.check import check_model


def states(folder: Path) -> dict[str, str]:
    return {file.name: file.state for file in check_model(folder).files}


RIGHT = {
    "config.json": "right",
    "model.safetensors": "right",
    "history.json": "right",
    "README.md": "right",
}


def test_a_whole_model_is_right_with_its_sizes_and_its_card(saved: Path) -> None:
    checked = check_model(saved)
    assert states(saved) == RIGHT
    assert checked.fault == ""
    assert checked.config is not None
    assert checked.config.task == "SequenceGenerator"
    assert {file.name: file.size for file in checked.files} == {
        file.name: file.stat().st_size for file in saved.iterdir()
    }
    assert checked.card == (saved / "README.md").read_text()


@pytest.mark.parametrize("name", ["model.safetensors", "history.json"])
def test_a_damaged_file_is_named_and_the_others_are_still_checked(saved: Path, name: str) -> None:
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[:-1] + b"!")
    assert states(saved) == {**RIGHT, name: "damaged"}
    assert name in check_model(saved).fault
    (saved / name).unlink()
    assert states(saved) == {**RIGHT, name: "missing"}
    (saved / name).symlink_to(saved / "config.json")
    assert states(saved) == {**RIGHT, name: "damaged"}


def test_without_a_config_the_others_cannot_be_judged(saved: Path) -> None:
    (saved / "config.json").write_text("{}")
    assert states(saved) == {**dict.fromkeys(RIGHT, "unknown"), "config.json": "damaged"}
    (saved / "config.json").unlink()
    (saved / "history.json").unlink()
    assert states(saved) == {
        "config.json": "missing",
        "model.safetensors": "unknown",
        "history.json": "missing",
        "README.md": "unknown",
    }
    assert "config.json: cannot be read" in check_model(saved).fault


def test_a_newer_model_is_a_fault_that_says_so(saved: Path) -> None:
    forge(saved, {"version": 2})
    assert "newer Recurra" in check_model(saved).fault


def test_an_edited_card_is_no_fault(saved: Path) -> None:
    (saved / "README.md").write_bytes(b"Mine. \xff")
    checked = check_model(saved)
    assert states(saved) == {**RIGHT, "README.md": "edited"}
    assert checked.fault == ""
    assert checked.card == "Mine. \ufffd"
    (saved / "README.md").unlink()
    assert states(saved) == {**RIGHT, "README.md": "missing"}
    assert check_model(saved).fault == ""


def test_where_there_is_no_model_nothing_is_checked(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such model folder"):
        check_model(tmp_path / "nothing")
