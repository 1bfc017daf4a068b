"""What has been made of a cell's equations, kept with the cell."""

from collections.abc import Hashable
from threading import Lock
from typing import Any


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
        self.lock = Lock()

    def __deepcopy__(self, memo: object) -> "Programs":
        return Programs()

    def __reduce__(self) -> tuple[type["Programs"], tuple[()]]:
        return Programs, ()
