"""A file is there whole or not at all: what is done to the disk, in which order, and failing."""

import builtins
import errno
import os
import pathlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recurra.durable import remove_unfinished, replace_file

OLD, NEW = b"what was there before", b"what comes after it, and is longer"


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that the calls are written into as they are made."""
    calls: list[str] = []
    fsync, rename, opened = os.fsync, pathlib.Path.replace, pathlib.Path.open

    def noting_fsync(handle: int) -> None:
        what = os.readlink(f"/proc/self/fd/{handle}")
        calls.append(f"fsync {'folder' if Path(what).is_dir() else Path(what).name}")
        fsync(handle)

    def noting_rename(self: Path, target: Any) -> Path:
        calls.append(f"rename {self.name} {Path(target).name}")
        return rename(self, target)

    def noting_open(self: Path, *given: Any, **options: Any) -> Any:
        file = opened(self, *given, **options)
        write = file.write

        class Noting:
            def __enter__(self) -> Any:
                file.__enter__()
                return self

            def __exit__(self, *error: Any) -> Any:
                return file.__exit__(*error)

            def write(self, content: bytes) -> int:
                calls.append("write")
                return int(write(content))

            def __getattr__(self, name: str) -> Any:
                return getattr(file, name)

        return Noting()

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(pathlib.Path, "replace", noting_rename)
    monkeypatch.setattr(pathlib.Path, "open", noting_open)
    return calls


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's list of open files")
def test_it_is_written_synced_renamed_and_the_folder_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = recorded(monkeypatch)
    replace_file(tmp_path / "a", NEW)
    assert calls == ["write", "fsync .a.new", "rename .a.new a", "fsync folder"]
    monkeypatch.undo()
    assert (tmp_path / "a").read_bytes() == NEW


def failing(real: Callable[..., Any], code: int, at: int) -> Callable[..., Any]:
    """Return `real`, but for its call number `at`, which fails."""
    calls = 0

    def call(*given: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise OSError(code, os.strerror(code))
        return real(*given, **options)

    return call


CODES = [errno.ENOSPC, errno.EIO, errno.EACCES]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("what", ["open", "fsync", "rename"])
def test_where_it_cannot_be_written_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, code: int
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    place, name = {
        "open": (pathlib.Path, "open"),
        "fsync": (os, "fsync"),
        "rename": (pathlib.Path, "replace"),
    }[what]
    monkeypatch.setattr(place, name, failing(getattr(place, name), code, 1))
    with pytest.raises(OSError, match=os.strerror(code)) as raised:
        replace_file(tmp_path / "a", NEW)
    monkeypatch.undo()
    assert raised.value.errno == code
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == OLD


@pytest.mark.parametrize("code", CODES)
def test_a_folder_that_cannot_be_synced_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    monkeypatch.setattr(os, "fsync", failing(os.fsync, code, 2))
    with pytest.raises(OSError, match=os.strerror(code)):
        replace_file(tmp_path / "a", NEW)
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == NEW  # whole, if perhaps not yet on the disk


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_is_full_in_the_middle_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(OLD)
    real = pathlib.Path.open

    def on_full(self: Path, mode: str) -> Any:
        real(self, mode).close()  # a name is there, and no room for what comes
        return builtins.open("/dev/full", mode)

    monkeypatch.setattr(pathlib.Path, "open", on_full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(tmp_path / "a", NEW * 10_000)
    monkeypatch.undo()
    assert [file.name for file in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == OLD


def test_what_a_killed_program_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.new", "a", "b.new", ".c"):
        (tmp_path / name).write_bytes(OLD)
    remove_unfinished(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".c", "a", "b.new"]
