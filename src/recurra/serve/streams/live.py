"""The live streams of a server, and what is known of those that ended."""

import base64
import hmac
import re
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from recurra.serve.refusals import RefusedError
from recurra.serve.settings import Settings

_FORM = re.compile(r"([A-Za-z0-9_-]{8})\.([0-9a-f]{1,16})\.([A-Za-z0-9_-]{22})")
_REMEMBERED = 100_000  # ended streams of which it is known how they ended
_WAYS = {
    "expired": "nobody pushed to the stream for {idle:g} seconds, so it ended",
    "closed": "the stream was closed",
    "fault": "the server had a fault while the stream was read, so it ended",
    "ended": "the stream ended long ago",
    "restarted": "the stream is one of an earlier run of the server, and ended with it",
}


@dataclass(eq=False, slots=True)
class LiveStream:
    """A live stream.

    place: where the model keeps its state; used: when it was last asked for; step: the last push's
    number; read: steps of input; running: whether a push is under way; waiting: the pushes after
    it; mark, answer: the last push's piece, told briefly, and what was answered (has_answer: or
    whether it was too large to be kept); room: bytes that what grows of it takes.
    """

    id: str
    place: int
    used: float
    step: int = 0
    read: int = 0
    running: bool = False
    mark: Any = None
    answer: Any = None
    has_answer: bool = False
    has_ended: bool = False
    room: int = 0
    waiting: deque[Any] = field(default_factory=deque)


class LiveStreams:
    """Live streams by their ids.

    An id names the run of the server, has a number and a seal that only this run can make: so an
    id that was never given out is told from one that ended without remembering either.

    Args:
        settings: limits.
        forget: called with each stream that ends.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        settings: Settings,
        forget: Callable[[LiveStream], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._forget, self._clock = settings, forget, clock
        self._run, self._key, self._count = secrets.token_urlsafe(6), secrets.token_bytes(32), 0
        self._live: OrderedDict[str, LiveStream] = OrderedDict()  # the longest unused first
        self._ended: OrderedDict[int, str] = OrderedDict()
        self.ended_by = {"expired": 0, "closed": 0, "fault": 0}

    def __len__(self) -> int:
        return len(self._live)

    @property
    def opened(self) -> int:
        """How many there were in all."""
        return self._count

    def check_room(self) -> None:
        """Raise `RefusedError` where there are as many streams as there may be."""
        if len(self._live) >= self._settings.streams:
            raise RefusedError(
                429, "streams", f"{len(self._live):,} streams are open: close some, or wait."
            )

    def add(self, place: int) -> LiveStream:
        """Return a new stream."""
        self._count += 1
        live = LiveStream(
            f"{self._run}.{self._count:x}.{self._seal(self._count)}", place, self._clock()
        )
        self._live[live.id] = live
        return live

    def find(self, stream: str) -> LiveStream:
        """Return a live stream, which is in use by that; raises `RefusedError` saying why not."""
        live = self._live.get(stream)
        if live is None:
            raise self.absent(stream)
        now = self._clock()
        if self._is_idle(live, now):
            self.end(live, "expired")
            raise self.absent(stream)
        live.used = now
        self._live.move_to_end(stream)
        return live

    def expires_in(self, live: LiveStream) -> float:
        """Return the seconds until a stream ends if nobody pushes."""
        return round(max(0.0, live.used + self._settings.idle - self._clock()), 3)

    def close(self, stream: str) -> None:
        """End a stream."""
        self.end(self.find(stream), "closed")

    def sweep(self) -> None:
        """End the streams that nobody has pushed to for too long."""
        now = self._clock()
        while self._live:
            oldest = next(iter(self._live.values()))
            if now - oldest.used <= self._settings.idle:
                break
            if oldest.running:  # it is in use: it goes to the end
                oldest.used = now
                self._live.move_to_end(oldest.id)
            else:
                self.end(oldest, "expired")

    def _is_idle(self, live: LiveStream, now: float) -> bool:
        return not live.running and now - live.used > self._settings.idle

    def end(self, live: LiveStream, way: str) -> None:
        """End a live stream in a way: "expired", "closed" or "fault"."""
        del self._live[live.id]
        live.has_ended = True
        self.ended_by[way] += 1
        self._ended[int(live.id.split(".")[1], 16)] = way
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
        self._forget(live)

    def _seal(self, number: int) -> str:
        seal = hmac.digest(self._key, number.to_bytes(8, "big"), "sha256")[:16]
        return base64.urlsafe_b64encode(seal).rstrip(b"=").decode()

    def absent(self, stream: str) -> RefusedError:
        """Return what is said of a stream that is not live: how it ended, if it ever was."""
        form = _FORM.fullmatch(stream)
        if form is None:
            return RefusedError(
                404, "unknown", "there is no such stream: open one by POST /streams."
            )
        run, number, seal = form[1], int(form[2], 16), form[3]
        if run != self._run:
            way = "restarted"
        elif hmac.compare_digest(seal, self._seal(number)):
            way = self._ended.get(number, "ended")
        else:
            return RefusedError(404, "unknown", "there never was such a stream: open one first.")
        said = _WAYS[way].format(idle=self._settings.idle)
        code = "expired" if way == "ended" else way
        return RefusedError(409, code, f"{said}: open a new one and push from the beginning.")
