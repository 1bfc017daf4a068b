"""What has been made of a cell's equations, kept with the cell."""

from collections.abc import Hashable
from threading import Lock
from typing import Any


class Programs:
    """What has been prepared of one cell, by the attributes that its equations may depend on.

    A copy of the cell shares it; a deep or pickled copy starts anew.
    """

    def __init__(self) -> None:
        self.known: dict[Hashable, Any] = {}
        self.lock = Lock()

    def __deepcopy__(self, memo: object) -> "Programs":
        return Programs()

    def __reduce__(self) -> tuple[type["Programs"], tuple[()]]:
        return Programs, ()
