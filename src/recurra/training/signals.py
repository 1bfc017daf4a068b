"""Signals that end a training, heard between two steps."""

import signal
import threading
from types import FrameType
from typing import Any, Self

from recurra.training.processes import Processes, lost


class Signals:
    """Hears Ctrl-C while the block runs, so that it ends training between two steps.

    A process alone ends at the second Ctrl-C as if there was no block; of several each hears them
    all, because torchrun sends it another. Where another process was lost torchrun sends SIGTERM,
    which raises `LostProcessError`. Signals that the program handles itself are left to it.

    asked: whether Ctrl-C was pressed.
    """

    def __init__(self, processes: Processes) -> None:
        self.asked = False
        self._processes = processes
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self  # only the main thread gets signals
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before[signal.SIGINT] = signal.signal(signal.SIGINT, self._interrupted)
        if not self._processes.alone and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self._before[signal.SIGTERM] = signal.signal(signal.SIGTERM, _terminated)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self.asked and self._processes.alone:
            raise KeyboardInterrupt
        self.asked = True


def _terminated(number: int, frame: FrameType | None) -> None:
    raise lost("this one was told to end, by SIGTERM")
