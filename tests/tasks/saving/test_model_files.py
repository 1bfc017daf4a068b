"""What is opened in a model's folder, and what is not; JSON as strict as it can be."""

import os
from pathlib import Path

import pytest

import recurra
from recurra.errors import ModelFileError
from recurra.tasks.saving.files import as_json, parse_json, read_file, shown

HERE = Path("file.json")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "history.json"])
def test_a_file_that_is_a_link_is_refused(saved: Path, name: str) -> None:
    (saved / name).rename(saved.parent / "elsewhere")
    (saved / name).symlink_to(saved.parent / "elsewhere")
    with pytest.raises(ModelFileError, match=f"{name}: is a link"):
        recurra.load(saved)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "history.json"])
def test_a_pipe_or_a_folder_is_refused_and_not_waited_for(saved: Path, name: str) -> None:
    (saved / name).unlink()
    os.mkfifo(saved / name)
    with pytest.raises(ModelFileError, match=f"{name}: is no file"):
        recurra.load(saved)
    (saved / name).unlink()
    (saved / name).mkdir()
    with pytest.raises(ModelFileError, match=f"{name}: is no file"):
        recurra.load(saved)


def test_a_link_put_there_after_the_look_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").write_bytes(b"1")
    found = (tmp_path / "real").lstat()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.setattr(Path, "lstat", lambda self: found)
    with pytest.raises(ModelFileError, match="link: cannot be read"):
        read_file(tmp_path / "link", 10)


def test_a_file_larger_than_it_may_be_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path / "file", 5) == b"12345"
    with pytest.raises(ModelFileError, match="5 bytes are more than the 4 it may"):
        read_file(tmp_path / "file", 4)


def test_a_huge_config_is_refused_by_its_size(saved: Path) -> None:
    with (saved / "config.json").open("r+b") as file:
        file.truncate(2**40)  # a terabyte that takes no room
    with pytest.raises(ModelFileError, match="1,099,511,627,776 bytes are more than"):
        recurra.load(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1, "a": 2}', "the key a is there twice"),
        (b'{"a": {"b": 1, "b": 1}}', "the key b is there twice"),
        (b"[1]", "a JSON object was expected"),
        (b"{", "Expecting property name"),
        (b'{"a": 1}x', "Extra data"),
        (b'{"a": "\xff"}', "can't decode byte"),
        ('{"a": 1}'.encode("utf-16"), "can't decode byte"),
        (b'{"a": ' + b"9" * 5000 + b"}", "Exceeds the limit"),
        (b'{"a": ' + b"[" * 10**5, "recursion"),
    ],
)
def test_other_json_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=f"file.json: damaged, .*{message}"):
        parse_json(content, HERE)


def test_json_comes_back_as_it_was_with_half_pairs_and_numbers_that_are_none() -> None:
    record = {"é": [1, 2.5, None, True, float("inf"), 1e-300], "half": "\ud800 a", "": {}}
    content = as_json(record)
    assert "é".encode() in content
    assert parse_json(content, HERE) == record
    assert parse_json(as_json({"a": float("nan")}), HERE)["a"] != 0


def test_what_is_shown_of_a_file_is_short_and_only_printed() -> None:
    assert shown("\x1b[31mred\n" + "x" * 50, 10) == "\ufffd[31mred x"
