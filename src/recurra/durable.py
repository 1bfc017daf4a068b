"""Files that are there whole or not at all, whatever stops the program or the machine."""

import os
from pathlib import Path

NEW = ".new"  # how the name of a file ends that is not yet whole


def write_synced(file: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it; raises `OSError`."""
    with file.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has a folder's names; raises `OSError`."""
    if os.name == "nt":  # Windows has no handle on a folder to sync
        return
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
