"""Files and folders that are there whole or not at all, whatever stops program or machine."""

import ctypes
import errno
import glob
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

NEW = ".new"  # how the name ends of what is not yet whole
_OLD = ".old"
_AT_WORKING_FOLDER, _EXCHANGE = -100, 2  # of Linux's renameat2


def write_synced(file: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it; raises `OSError`, which names the file."""
    with _naming(file), file.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's names; raises `OSError`, which names the folder."""
    if os.name == "nt":  # Windows has no handle on a folder to sync
        return
    with _naming(folder):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def replace_file(file: Path, content: bytes) -> None:
    """Write a file under another name, then give it its own: the old one or the new one is there.

    In this order: write, fsync of the file, rename, fsync of the folder. Raises `OSError`; nothing
    is then left under the other name, and what was at `file` is there still.
    """
    beside = file.with_name(f".{file.name}{NEW}")
    try:
        write_synced(beside, content)
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def remove_unfinished(folder: Path) -> None:
    """Remove what a program that was killed in `replace_file` left in a folder."""
    for rest in folder.glob(f".*{NEW}"):
        rest.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder, which takes the place of `path` once the block has filled it.

    In this order: the block's files (`write_synced`), fsync of the new folder, one rename, fsync of
    the folder around it. Where `path` is there already the rename swaps the two, so that at no
    moment there is nothing; only where the system cannot swap it takes two renames, and
    `standing_folder` finds the old one if the program is killed between them.

    Raises `OSError`; `path` is then as it was, and nothing is left beside it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear(path)
    made = path.with_name(f".{path.name}.{secrets.token_hex(4)}{NEW}")
    made.mkdir()
    lock = _lock(made)
    try:
        yield made
        sync_folder(made)
        _put(made, path)
    finally:
        shutil.rmtree(made, ignore_errors=True)  # unfinished, or what was at `path`
        if lock is not None:
            os.close(lock)


def standing_folder(path: Path) -> Path:
    """Return where the folder `path` is: there, or aside if a replacement of it was cut off."""
    aside = _aside(path)
    return aside if not path.exists() and aside.is_dir() else path


def _put(made: Path, path: Path) -> None:
    """Give `made` the name `path`, and what was there, if anything, the name `made`."""
    move = _swap if path.exists() else os.rename
    move(made, path)
    try:
        sync_folder(path.parent)
    except BaseException:
        if move is _swap:
            _swap(made, path)
        else:
            os.rename(path, made)
        raise


def _swap(a: Path, b: Path) -> None:
    """Swap the names of two folders."""
    if _exchange(a, b):
        return
    aside = _aside(b)
    os.rename(b, aside)
    try:
        os.rename(a, b)
    except BaseException:
        os.rename(aside, b)
        raise
    os.rename(aside, a)


def _exchange(a: Path, b: Path) -> bool:
    """Swap two names in one step, if the system can; raises `OSError`."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if _LINUX else None
    if rename is None:
        return False
    names = os.fsencode(a), os.fsencode(b)
    if rename(_AT_WORKING_FOLDER, names[0], _AT_WORKING_FOLDER, names[1], _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL):  # an old kernel; a file system that cannot
        return False
    raise OSError(code, os.strerror(code), str(b))


def _clear(path: Path) -> None:
    """Mend and remove what programs that were killed in `replacing_folder` left beside `path`."""
    aside = _aside(path)
    if aside.is_dir():
        if path.exists():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            os.rename(aside, path)
    for rest in path.parent.glob(f".{glob.escape(path.name)}.*{NEW}"):
        lock = _lock(rest)
        if lock is not None:
            # One that is empty may be a folder that another program has made just now.
            if any(rest.iterdir()):
                shutil.rmtree(rest, ignore_errors=True)
            os.close(lock)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}{_OLD}")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Run a block whose `OSError`s name the file, those of a write and an fsync, too."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


_LINUX = sys.platform.startswith("linux")

if sys.platform == "win32":

    def _lock(folder: Path) -> int | None:
        return None

else:
    import fcntl

    def _lock(folder: Path) -> int | None:
        """Return a handle that holds the folder for this program, None where another has it."""
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another program's, or a file system without locks
                os.close(handle)
            else:
                return handle
        return None
