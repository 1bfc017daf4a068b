"""One program at a time in a folder."""

import errno
import os
import sys
import warnings
from pathlib import Path
from types import TracebackType

from recurra.errors import ArgumentError, RecurraWarning

NAME = "lock"
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class FolderLock:
    """Keeps a folder for this program while the block runs.

    The operating system holds the lock, so that it ends with the program, however that ends.

    Args:
        folder: is there already.

    Entering raises `ArgumentError`, with the other's process id, where another has the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle: int | None = None

    def __enter__(self) -> "FolderLock":
        handle = os.open(self._folder / NAME, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(handle)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                holder = os.read(handle, 20).decode(errors="replace").strip()
                os.close(handle)
                raise ArgumentError(
                    f"{self._folder}: process {holder or '(unknown)'} is training there; wait for "
                    "its end, or give another folder."
                ) from None
            warnings.warn(
                f"{self._folder}: its file system has no locks ({error.strerror}); see to it that "
                "nothing else trains there.",
                RecurraWarning,
                stacklevel=2,
            )
        os.ftruncate(handle, 0)
        os.lseek(handle, 0, os.SEEK_SET)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._handle is not None
        # The file stays: if it went, one who waits could lock a file that is no longer there.
        os.ftruncate(self._handle, 0)
        os.close(self._handle)
        self._handle = None


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> None:
        # A byte far behind the process id, because what is locked there cannot be read.
        os.lseek(handle, 2**30, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
