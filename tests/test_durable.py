"""A file is there whole or not at all: what is done to the disk, in which order, and failing."""

import builtins
import errno
import os
import pathlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recurra import durable
from recurra.durable import (
    remove_unfinished,
    replace_file,
    replacing_folder,
    standing_folder,
    write_synced,
)

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
    if what == "fsync":
        assert raised.value.filename == str(tmp_path / ".a.new")
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


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def put(path: Path, content: bytes = NEW) -> None:
    """Put a folder with one file at `path`."""
    with replacing_folder(path) as made:
        write_synced(made / "file", content)


@pytest.fixture(params=["one step", "two renames"])
def swapping(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Swap folders as the system does, and as where it cannot."""
    if request.param == "two renames":
        monkeypatch.setattr(durable, "_exchange", lambda a, b: False)
    return str(request.param)


@pytest.mark.usefixtures("swapping")
def test_a_folder_is_made_then_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    put(tmp_path / "above" / "model", OLD)
    (tmp_path / "above" / "model" / "more").write_bytes(OLD)
    put(tmp_path / "above" / "model", NEW)
    assert names(tmp_path / "above") == ["model"]
    assert names(tmp_path / "above" / "model") == ["file"]
    assert (tmp_path / "above" / "model" / "file").read_bytes() == NEW


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs Linux's list of open files")
def test_a_folder_is_written_synced_swapped_and_the_one_around_it_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "model", OLD)
    calls = recorded(monkeypatch)
    swap = durable._exchange

    def noting_swap(a: Path, b: Path) -> bool:
        done = swap(a, b)
        calls.append(f"swap {b.name}" if done else "no swap")
        return done

    monkeypatch.setattr(durable, "_exchange", noting_swap)
    put(tmp_path / "model", NEW)
    assert calls == ["write", "fsync file", "fsync folder", "swap model", "fsync folder"]


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("step", ["mkdir", "open", "fsync 1", "fsync 2", "rename", "fsync 3"])
def test_where_a_folder_cannot_be_written_all_is_as_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    swapping: str,
    step: str,
    code: int,
    there: bool,
) -> None:
    path = tmp_path / "model"
    if there:
        put(path, OLD)
    kind, _, number = step.partition(" ")
    place: tuple[Any, str] = {
        "mkdir": (pathlib.Path, "mkdir"),
        "open": (pathlib.Path, "open"),
        "fsync": (os, "fsync"),
        "rename": (os, "rename")
        if swapping == "two renames" or not there
        else (durable, "_exchange"),
    }[kind]
    at = 2 if kind == "mkdir" else int(number or 1)  # the first is for the folder around it
    monkeypatch.setattr(*place, failing(getattr(*place), code, at))
    with pytest.raises(OSError, match=os.strerror(code)) as raised:
        put(path, NEW)
    monkeypatch.undo()
    assert raised.value.errno == code
    if kind == "fsync":
        assert raised.value.filename is not None
    assert names(tmp_path) == (["model"] if there else [])
    if there:
        assert (path / "file").read_bytes() == OLD


def test_the_second_of_two_renames_may_fail_and_the_old_folder_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "model", OLD)
    monkeypatch.setattr(durable, "_exchange", lambda a, b: False)
    monkeypatch.setattr(os, "rename", failing(os.rename, errno.EIO, 2))
    with pytest.raises(OSError, match="Input/output"):
        put(tmp_path / "model", NEW)
    assert names(tmp_path) == ["model"]
    assert (tmp_path / "model" / "file").read_bytes() == OLD


def test_between_two_renames_the_old_folder_is_found_and_the_next_one_mends_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "model"
    put(path, OLD)
    assert standing_folder(path) == path
    path.rename(tmp_path / ".model.old")  # killed here
    assert (standing_folder(path) / "file").read_bytes() == OLD
    with pytest.raises(RuntimeError), replacing_folder(path):
        raise RuntimeError
    assert standing_folder(path) == path
    assert names(tmp_path) == ["model"]
    (tmp_path / ".model.old").mkdir()  # killed after the second
    put(path, NEW)
    assert names(tmp_path) == ["model"]


@pytest.mark.skipif(os.name != "posix", reason="needs locks on folders")
def test_what_a_killed_program_left_is_removed_but_not_what_another_is_making(
    tmp_path: Path,
) -> None:
    for name in (".model.1.new", ".model.2.new", ".other.3.new", "model.4.new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(OLD)
    (tmp_path / ".model.5.new").mkdir()  # made just now, perhaps
    with replacing_folder(tmp_path / "model") as mine:
        assert names(tmp_path) == sorted([".model.5.new", ".other.3.new", "model.4.new", mine.name])
        write_synced(mine / "file", OLD)
        put(tmp_path / "model", NEW)  # a second program
        assert mine.is_dir()
    assert (tmp_path / "model" / "file").read_bytes() == OLD
