"""Forks of a process that has worked in parallel, where no compiled core sees to them."""

import ctypes
import os

_SOFT = 1  # omp_pause_soft: what the program has set is kept


def let_helpers_go() -> None:
    """End the threads with which GCC's OpenMP helps the caller; they come back when needed.

    A child that found them in OpenMP's books, and not in itself, would wait for them for good.
    `native/src/threads.cpp` does the same.
    """
    pause = getattr(ctypes.CDLL(None), "omp_pause_resource_all", None)
    if pause is not None:
        pause(_SOFT)


def watch() -> None:
    """Have it done before every fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=let_helpers_go)
