"""config.json: every byte of it counts, and what it may hold."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from forged import forge

import recurra
from recurra.errors import ModelFileError
from recurra.tasks.saving.config import About, Config, FileSum, read_config

SUM = {"size": 0, "sha256": "0" * 64}
MORE = {"README.md": SUM, "history.json": SUM, "model.safetensors": SUM}


def test_every_byte_is_covered_white_space_as_well(saved: Path) -> None:
    file = saved / "config.json"
    whole = file.read_bytes()
    for changed in (
        whole + b"\n",
        whole.replace(b"\n ", b"\n  ", 1),
        whole[:-1],
        whole.replace(b'"sha256"', b'"sha257"'),
        json.dumps(json.loads(whole)).encode(),
        b"",
    ):
        file.write_bytes(changed)
        with pytest.raises(ModelFileError, match=r"config.json: damaged"):
            read_config(saved)
    file.write_bytes(whole)
    read_config(saved)


def test_a_checksum_that_stands_elsewhere_too_is_no_riddle(saved: Path) -> None:
    forge(saved, {"about": {"digest": "0" * 64}})
    assert read_config(saved).about == About(digest="0" * 64)


def test_a_newer_format_is_refused_by_name(saved: Path) -> None:
    forge(saved, {"version": 99, "recurra": "7.1", "something_new": 1})
    with pytest.raises(ModelFileError, match=r"newer Recurra \(7\.1, format 99\)"):
        recurra.load(saved)


def test_an_unknown_task_is_named_with_those_known(saved: Path) -> None:
    forge(saved, {"task": "Unheard"})
    with pytest.raises(ModelFileError, match=r"the task 'Unheard'.* it knows BlankFiller, Cap"):
        recurra.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "format: "),
        ({"extra": 1}, "extra: Extra inputs are not permitted"),
        ({"version": 0}, "version: "),
        ({"version": "1"}, "version: "),
        ({"version": True}, "version: "),
        ({"parameters": []}, "parameters: "),
        ({"fitted": {"deep": [{"mean": float("nan")}]}}, "mean is nan"),
        ({"fitted": {"shares": [float("inf")]}}, "shares is inf"),
        ({"about": {"examples": -1}}, "about.examples: "),
        ({"about": {"code": "x"}}, "about.code: Extra"),
        ({"files": {}}, "files must be"),
        ({"files": {**MORE, "../../etc/passwd": SUM}}, "files must be"),
        ({"files": {**MORE, "/etc/passwd": SUM}}, "files must be"),
        ({"files": {**MORE, "README.md": {"size": 0, "sha256": "0" * 63}}}, "files.README.md.sha"),
        ({"files": {**MORE, "README.md": {"size": -1, "sha256": "0" * 64}}}, "files.README.md.siz"),
    ],
)
def test_a_record_of_another_form_is_refused_where_it_differs(
    saved: Path, change: dict[str, Any], message: str
) -> None:
    forge(saved, change)
    with pytest.raises(ModelFileError, match=f"config.json: damaged, .*{message}"):
        recurra.load(saved)


def test_a_score_may_be_unknown(saved: Path) -> None:
    fitted = json.loads((saved / "config.json").read_bytes())["fitted"]
    forge(saved, {"fitted": {**fitted, "baseline_loss": float("nan")}})
    recurra.load(saved)


def test_lists_in_lists_without_end_are_refused(saved: Path) -> None:
    marked = Config.model_validate(
        {**json.loads((saved / "config.json").read_bytes()), "fitted": {"marked": 1}}
    ).to_bytes()
    messages = set()
    for depth in (300, *range(800, 1000), 10**5):  # those that can be read, and just not
        deep = b"[" * depth + b"]" * depth
        content = marked.replace(b'"marked": 1', b'"marked": ' + deep)
        (saved / "config.json").write_bytes(sealed_bytes(content))
        with pytest.raises(ModelFileError) as raised:
            recurra.load(saved)
        messages.add(str(raised.value).partition(": damaged, ")[2])
    assert "lists in lists too deep." in messages
    assert any("recursion" in message for message in messages)  # while it is read
    assert not any("checksum" in message for message in messages)


def sealed_bytes(content: bytes) -> bytes:
    """Return a config whose checksum, which ends it, is made right again."""
    start, tail = content[:-68], content[-4:]
    assert tail == b'"\n}\n'
    return start + hashlib.sha256(start + b"0" * 64 + tail).hexdigest().encode() + tail


def test_what_a_file_says_cannot_command_a_terminal(saved: Path) -> None:
    forge(saved, {"\x1b[2J": 1})
    with pytest.raises(ModelFileError) as raised:
        recurra.load(saved)
    assert "\x1b" not in str(raised.value)


def test_the_checksum_of_a_file_is_the_one_of_its_bytes() -> None:
    known = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert FileSum.of(b"hello") == FileSum(size=5, sha256=known)
