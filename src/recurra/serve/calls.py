"""Calls of the model that are not of streams, on a thread of their own: streams do not wait."""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from recurra.serve.refusals import RefusedError, busy
from recurra.serve.settings import Settings


class Calls:
    """Runs one call after the other; a bounded number waits, each for a bounded time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None]
        self._jobs = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.waiting = 0

    async def run(self, work: Callable[[], Any]) -> Any:
        """Return what work returns; raises `RefusedError` where too many wait, or it takes long."""
        if self.waiting >= self._settings.calls:
            raise busy(f"{self.waiting} calls wait already: call again in a moment.")
        if self._thread is None:
            # It ends with the process: a call that nobody waits for any more does not hold it up.
            self._thread = threading.Thread(target=self._work, name="recurra-calls", daemon=True)
            self._thread.start()
        loop, running = asyncio.get_running_loop(), Future[Any]()
        self.waiting += 1
        running.add_done_callback(lambda _: self._tell(loop))
        self._jobs.put((work, running))
        seconds = self._settings.seconds
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(running)  # if it has not begun, it never will
        except TimeoutError:
            said = f"no answer within {seconds:g} seconds: ask for less."
            raise RefusedError(503, "time", said) from None

    def stop(self) -> None:
        """Take no more."""
        self._jobs.put(None)

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        if not loop.is_closed():  # the server may have ended meanwhile
            loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self.waiting -= 1

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, running = job
            if not running.set_running_or_notify_cancel():
                continue
            try:
                running.set_result(work())
            except Exception as error:
                running.set_exception(error)
