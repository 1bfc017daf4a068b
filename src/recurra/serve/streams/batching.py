"""Pushes to many streams: those that wait run together in one call of the model."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from recurra.serve.bodies import Push
from recurra.serve.refusals import busy, refusal_of
from recurra.serve.settings import Settings
from recurra.serve.streams.live import LiveStream
from recurra.serve.streams.runner import StreamRunner

Done = Callable[[Any], None]  # takes the answer, or why there is none
_STEPS = 256  # of a piece at a time: a long one goes in turns with others
_TOGETHER = 2**16  # steps of all pieces that run together: they take memory, and others wait
_AT_ONCE = 0.004  # seconds of work that the event loop does itself


@dataclass(eq=False, slots=True)
class Job:
    """A push on its way.

    size: characters and numbers it holds; row: its steps, of which `begun` are read; result: the
    answer, or why there is none.
    """

    live: LiveStream
    push: Push
    done: Done
    size: int
    since: float
    row: Any = None
    begun: int = 0
    result: Any = None

    @property
    def is_unfinished(self) -> bool:
        """Whether some of it is still to be read."""
        return self.row is not None and self.begun < len(self.row)


class Batches:
    """Runs jobs of different streams, all that wait together, and hands them back in the loop.

    Handing work to a thread costs more than a small model's step, and then each of the two waits
    for the interpreter that the other holds. So what took little time before, by the size of
    what is to be read, is done by the event loop itself, and the rest by a thread.

    Args:
        runner: the model's side.
        settings: limits.
        seen: told the size of every batch.
        finish: given jobs that are done.
    """

    def __init__(
        self,
        runner: StreamRunner,
        settings: Settings,
        seen: Callable[[int], None],
        finish: Callable[[Sequence[Job]], None],
    ) -> None:
        self._runner, self._settings = runner, settings
        self._seen, self._finish = seen, finish
        self._ready: list[Job] = []
        self._is_awake = self._is_busy = False
        self._seconds: dict[int, float] = {}  # that a batch took, by its size's power of two
        self._batches: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()

    def start(self) -> None:
        """Begin."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="recurra-streams", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End when what runs is done."""
        self._batches.put(None)
        self._thread.join(self._settings.drain)

    def add(self, job: Job) -> None:
        """Take a job."""
        self._ready.append(job)
        self._wake()

    def _wake(self) -> None:
        if not self._is_awake and not self._is_busy:
            self._is_awake = True
            self._loop.call_soon(self._run_next)  # behind what else has come in by now

    def _run_next(self) -> None:
        self._is_awake = False
        count = self._fitting()
        jobs, self._ready = self._ready[:count], self._ready[count:]
        if self._seconds.get(_order(jobs), _AT_ONCE) < _AT_ONCE:
            self._run(jobs)
            self._take_back(jobs)
        else:
            self._is_busy = True
            self._batches.put(jobs)

    def _fitting(self) -> int:
        """Return how many of the jobs that are ready run together, one at least."""
        ready = self._ready[: self._settings.batch]
        steps = accumulate(min(job.size, _STEPS) for job in ready)
        return max(1, sum(so_far <= _TOGETHER for so_far in steps))

    def _work(self) -> None:
        while (jobs := self._batches.get()) is not None:
            self._run(jobs)
            self._loop.call_soon_threadsafe(self._take_back, jobs)

    def _take_back(self, jobs: list[Job]) -> None:
        self._is_busy = False
        unfinished = [job for job in jobs if job.is_unfinished]
        self._ready = unfinished + self._ready
        self._finish([job for job in jobs if not job.is_unfinished] if unfinished else jobs)
        if self._ready:
            self._wake()

    def _run(self, jobs: Sequence[Job]) -> None:
        # Of this thread alone: the time it waits for another one says nothing of the model.
        order, since = _order(jobs), time.thread_time()
        self._read(jobs)
        fit = [job for job in jobs if job.row is not None]
        if fit:
            self._read_on(fit)
        self._seconds[order] = time.thread_time() - since
        self._seen(len(jobs))

    def _read(self, jobs: Sequence[Job]) -> None:
        late = time.monotonic() - self._settings.seconds
        for job in jobs:
            if job.row is not None:
                continue
            try:
                if job.since < late:
                    raise busy("the push waited too long and was left out: push it again.")
                job.row = self._runner.read(job.live.place, job.push.piece)
            except Exception as error:
                job.result = refusal_of(error)

    def _read_on(self, jobs: Sequence[Job]) -> None:
        rows = [job.row[job.begun : job.begun + _STEPS] for job in jobs]
        try:
            answers = self._runner.advance([job.live.place for job in jobs], rows)
        except Exception as error:
            if len(jobs) > 1:  # the fault of one is not the others'
                for job in jobs:
                    self._read_on([job])
            else:
                jobs[0].result, jobs[0].row = refusal_of(error), None
            return
        for job, row, answer in zip(jobs, rows, answers, strict=True):
            job.result = self._runner.joined(job.result, answer) if job.begun else answer
            job.begun += len(row)


def _order(jobs: Sequence[Job]) -> int:
    """Return the power of two of how much there is to read."""
    return sum(min(job.size, _STEPS) for job in jobs).bit_length()
