"""Pushes in the order of their steps, each once: what was answered is told again, not read."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from recurra.serve.bodies import Push
from recurra.serve.refusals import RefusedError, busy
from recurra.serve.settings import Settings
from recurra.serve.streams.batching import Batches, Done, Job
from recurra.serve.streams.live import LiveStream, LiveStreams
from recurra.serve.streams.runner import StreamRunner
from recurra.serve.strict_json import check_size, dump

_SHORT = 64  # characters and numbers of a piece that is kept as it is, to know it again


class Pushes:
    """Takes pushes and hands answers back; all in the event loop.

    Of one stream one push is under way at a time; others wait, the least step number first.

    Args:
        runner: the model's side.
        streams: the live ones.
        settings: limits.
        seen: told how many went together, every time.
    """

    def __init__(
        self,
        runner: StreamRunner,
        streams: LiveStreams,
        settings: Settings,
        seen: Callable[[int], None],
    ) -> None:
        self._runner, self._streams, self._settings = runner, streams, settings
        self.batches = Batches(runner, settings, seen, self._finish)
        self.waiting = self.waiting_size = self.answered = 0
        self.room = 0  # bytes that what grows of streams takes
        self.idle = asyncio.Event()
        self.idle.set()

    def push(self, stream: str, push: Push, done: Done) -> None:
        """Take a push; `done` gets its answer, or why there is none, soon or at once."""
        try:
            live = self._streams.find(stream)
            size = check_size(self._settings.text, push.piece)
            self._check_room(size)
            if live.running and len(live.waiting) >= self._settings.waiting_each:
                raise busy("too many pushes to this stream wait: push again in a moment.")
        except RefusedError as refused:
            done(refused)
            return
        job = Job(live, push, done, size, time.monotonic())
        self.waiting += 1
        self.waiting_size += size
        self.idle.clear()
        if live.running:
            live.waiting.append(job)
        else:
            self._begin(job)

    def _check_room(self, size: int) -> None:
        settings = self._settings
        if self.waiting >= settings.waiting or (
            self.waiting_size + size > settings.waiting_size and self.waiting
        ):
            raise busy(f"{self.waiting:,} pushes wait already: push again in a moment.")
        self.check_memory()

    def check_memory(self) -> None:
        """Raise `RefusedError` where what grows of streams takes as much as it may."""
        if self.room > self._settings.memory:
            raise busy("the streams hold as much as they may: close some, or wait.")

    def took(self, live: LiveStream) -> None:
        """Take note of a stream that was opened, perhaps from a state."""
        live.read = self._runner.steps(live.place)
        live.room = self._runner.room_of(live.place, None)
        self.room += live.room

    def forget(self, live: LiveStream) -> None:
        """Take note that a stream has ended."""
        self.room -= live.room
        if not live.running:
            self._runner.close(live.place)

    def _begin(self, job: Job) -> None:
        live, push = job.live, job.push
        if live.has_ended:
            self._end(job, self._streams.absent(live.id))
        elif push.step == live.step + 1:
            live.running = True
            self.batches.add(job)
        elif push.step == live.step and live.step:
            self._end(job, self._again(job))
        else:
            said = f"the stream is at step {live.step}: push step {live.step + 1}, not {push.step}."
            self._end(job, RefusedError(409, "step", said, step=live.step))

    def _again(self, job: Job) -> Any:
        """Return the last answer once more; or that the piece is another one."""
        live = job.live
        if dump(_mark(job.push.piece, job.size)) != dump(live.mark):
            what = "was another piece"
        elif not live.has_answer:
            what = "was read, but its answer was too large to be kept"
        else:
            return self._answer(job, live.answer) | {"repeated": True}
        said = f"step {live.step} {what}: push step {live.step + 1} next."
        return RefusedError(409, "step", said, step=live.step)

    def _end(self, job: Job, result: Any) -> None:
        self.waiting -= 1
        self.waiting_size -= job.size
        if not self.waiting:
            self.idle.set()
        job.done(result)

    def _finish(self, jobs: Sequence[Job]) -> None:
        """Hand answers to those who pushed, and begin what waits behind them."""
        now = time.monotonic()
        for job in jobs:
            live, result = job.live, job.result
            live.running = False
            if not isinstance(result, RefusedError):
                self.answered += 1
                live.used = now
                self._keep(live, job)
                result = self._answer(job, result)
            elif job.begun and not live.has_ended:  # it was read in part
                self._streams.end(live, "fault")
            self._end(job, result)
            if live.has_ended:
                self._runner.close(live.place)
            while live.waiting and not live.running:
                after = min(live.waiting, key=lambda one: one.push.step)
                live.waiting.remove(after)
                self._begin(after)

    def _keep(self, live: LiveStream, job: Job) -> None:
        """Take note of where the stream is now, and of its answer if there is room for it."""
        live.step, live.mark = job.push.step, _mark(job.push.piece, job.size)
        live.read = self._runner.steps(live.place)
        live.answer, live.has_answer = job.result, True
        room = self._runner.room_of(live.place, job.result)
        if room == live.room or live.has_ended:
            return
        if 2 * (self.room - live.room + room) > self._settings.memory:
            live.answer, live.has_answer = None, False
            room = self._runner.room_of(live.place, None)
        self.room += room - live.room
        live.room = room

    def _answer(self, job: Job, said: Any) -> dict[str, Any]:
        live = job.live
        answer = {"stream": live.id, "step": live.step, "read": live.read, "answer": said}
        if job.push.show:
            answer["state"] = self._runner.layers(live.place)
        return answer


def _mark(piece: Any, size: int) -> Any:
    """Return what tells a piece from others: itself where it is short, else its digest."""
    if size <= _SHORT:
        return piece
    return hashlib.blake2b(dump(piece), digest_size=32).hexdigest()
