"""A model that is served: what it answers, its live streams, what is under way."""

import asyncio
from typing import Any

from recurra.serve.calls import Calls
from recurra.serve.families import Family
from recurra.serve.metrics import Metrics
from recurra.serve.refusals import RefusedError
from recurra.serve.settings import Settings
from recurra.serve.streams.served import ServedStreams


class Service:
    """What all routes share; for one model, in one event loop."""

    def __init__(self, model: Any, name: str, family: Family, settings: Settings) -> None:
        self.name, self.family, self.settings = name, family, settings
        self.metrics = Metrics(self)
        self.calls = Calls(settings)
        self._streams = None
        if "stream" in family.takes:
            self._streams = ServedStreams(model, settings, self.metrics.saw_batch)
        self.unsent = 0  # requests by WebSocket whose replies have not gone out
        self.draining = False
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def streams(self) -> ServedStreams:
        """The streams; raises `RefusedError` where the model has none."""
        if self._streams is None:
            raise RefusedError(422, "task", self.family.no_streams)
        return self._streams

    @property
    def live(self) -> int:
        """How many streams are live."""
        return 0 if self._streams is None else len(self._streams.live)

    def begin(self) -> None:
        """Start what runs beside the requests, if it does not run yet: an app may be mounted."""
        if self._sweeping is None and self._streams is not None:
            self._streams.pushes.batches.start()
            self._sweeping = asyncio.create_task(self._sweep(self._streams))

    async def _sweep(self, streams: ServedStreams) -> None:
        pause = min(30.0, max(0.05, self.settings.idle / 10))
        while True:
            await asyncio.sleep(pause)
            streams.live.sweep()

    def check_open(self) -> None:
        """Raise `RefusedError` where the server is about to end."""
        if self.draining:
            raise RefusedError(503, "draining", "the server is about to end: go to another one.")

    async def drain(self) -> None:
        """Take no more, and wait until all that was taken is answered, for a bounded time."""
        self.draining = True
        try:
            async with asyncio.timeout(self.settings.drain):
                if self._streams is not None:
                    await self._streams.pushes.idle.wait()
                while self.calls.waiting or self.unsent:
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass

    def stop(self) -> None:
        """End the threads."""
        if self._sweeping is not None and self._streams is not None:
            self._sweeping.cancel()
            self._streams.pushes.batches.stop()
        self.calls.stop()
