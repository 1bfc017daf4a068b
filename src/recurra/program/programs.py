"""What has been made of a cell's equations, kept with the cell."""

import os
from collections.abc import Hashable
from threading import Lock
from typing import Any


class ForkedLock:
    """A lock that is open in a forked child, whoever held it in the parent."""

    def __init__(self) -> None:
        self._lock, self._process = Lock(), os.getpid()

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self._lock, self._process = Lock(), os.getpid()
        self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()


class Programs:
    """What has been prepared of one cell, the last used first; a copy of the cell shares it.

    known: by what every program of it depends on besides what the cell reads.
    fixed: numbers that cannot be inputs of a program.
    credit: how many traces may follow before some calls must do without one.
    """

    def __init__(self) -> None:
        self.known: dict[Hashable, tuple[Any, ...]] = {}
        self.fixed: set[Hashable] = set()
        self.credit = 16.0
        self.graphs: list[Any] = []  # what compiled graphs name by number
        self.lock = ForkedLock()

    def __deepcopy__(self, memo: object) -> "Programs":
        return Programs()

    def __reduce__(self) -> tuple[type["Programs"], tuple[()]]:
        return Programs, ()
