"""Many streams of one estimator, their states side by side."""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.errors import ArgumentError, DataError
from recurra.tasks.streaming.reader import Kept, State, StreamReader

_STEPS = "steps_read"


class StreamPool:
    """Keeps streams by the places of their states in some tensors, which grow as they are needed.

    So that many streams go on in one run of the network, with a few operations that gather what is
    kept of them and put it back. Each comes to what it would alone. Several threads may share a
    pool if no two go on with the same stream at once.

    Args:
        reader: an estimator's, as `reader_for` returns it.
        room: how many streams there is room for at first.
        most: of a generator's symbols, how many `advance` tells; None for all that may come.
    """

    def __init__(self, reader: StreamReader, room: int = 1, most: int | None = None) -> None:
        self.reader = reader
        self._room, self._most = room, most
        self._slabs: State = {}
        self._loose: list[Any] = []
        self._steps: list[int] = []
        self._free: list[int] = []
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._steps) - len(self._free)

    def open(self, condition: Any = None, state: Mapping[str, Tensor] | None = None) -> int:
        """Return the place of a new stream, from a state if one is given.

        Raises `ArgumentError` for a condition or a state that is not of this model.
        """
        if state is None:
            start, steps = self.reader.start(condition), 0
        elif condition is not None:
            raise ArgumentError("give a condition or a state, not both: a state has its own.")
        else:
            start, steps = self._checked(state)
        fixed, loose = self.reader.fixed_of(start)
        with self._lock:
            if not self._free:
                self._grow(fixed)
            place = self._free.pop()
            self._put(place, fixed, loose, steps)
        return place

    def close(self, place: int) -> None:
        """Forget a stream; its place is given to another."""
        with self._lock:
            self._loose[place] = None
            self._free.append(place)

    def read(self, place: int, piece: Any) -> Any:
        """Return a stream's next piece as a row of steps; raises `DataError` for another form."""
        row = self.reader.read(piece)
        if not len(row):
            with self._lock:
                fixed = {name: slab[place] for name, slab in self._slabs.items()}
                if not self.reader.takes_nothing(fixed):
                    raise DataError("a piece without symbols: there is nothing to read.")
        return row

    def advance(self, places: Sequence[int], rows: Sequence[Any]) -> list[Any]:
        """Read rows (of `read`) on in as many streams; return what is predicted of each."""
        kept = self.gather(places)
        answers = self.reader.advance(kept, rows, self._most)
        self.scatter(places, kept, [len(row) for row in rows])
        return answers

    def gather(self, places: Sequence[int]) -> Kept:
        """Return what is kept of some streams: a copy, but for what is loose."""
        at = torch.from_numpy(np.array(places))
        with self._lock:
            fixed = {n: slab.index_select(0, at.to(slab.device)) for n, slab in self._slabs.items()}
            return Kept(fixed, [self._loose[place] for place in places])

    def scatter(self, places: Sequence[int], kept: Kept, more: Sequence[int]) -> None:
        """Keep what is kept after `more` steps of each."""
        at = torch.from_numpy(np.array(places))
        with self._lock:
            for name, slab in self._slabs.items():
                slab.index_copy_(0, at.to(slab.device), kept.fixed[name].to(slab))
            for place, loose, steps in zip(places, kept.loose, more, strict=True):
                self._loose[place] = loose
                self._steps[place] += steps

    def steps(self, place: int) -> int:
        """Return how many steps a stream has read."""
        return self._steps[place]

    def room_of(self, place: int) -> int:
        """Return about how many bytes what grows of a stream takes."""
        return self.reader.room_of(self._loose[place])

    def state(self, place: int) -> State:
        """Return a stream's state: copies, tensors by name."""
        with self._lock:
            fixed = {name: slab[place].clone() for name, slab in self._slabs.items()}
            state = self.reader.state_of(fixed, self._loose[place])
            return state | {_STEPS: torch.tensor([self._steps[place]])}

    def set_state(self, place: int, state: Mapping[str, Tensor]) -> None:
        """Set a stream's state; raises `ArgumentError` for one of another kind."""
        given, steps = self._checked(state)
        fixed, loose = self.reader.fixed_of(given)
        with self._lock:
            self._put(place, fixed, loose, steps)

    def _checked(self, state: Mapping[str, Tensor]) -> tuple[State, int]:
        given = dict(state)
        steps = given.pop(_STEPS, None)
        if steps is None or steps.shape != (1,):
            raise ArgumentError("the state has no steps_read: it is not one of a stream.")
        self.reader.check(given)
        return given, max(0, int(steps))

    def _put(self, place: int, fixed: State, loose: Any, steps: int) -> None:
        for name, slab in self._slabs.items():
            slab[place] = fixed[name]
        self._loose[place], self._steps[place] = loose, steps

    def _grow(self, like: State) -> None:
        """Make room for twice as many streams."""
        old, new = len(self._steps), max(self._room, 2 * len(self._steps))
        with torch.inference_mode(False):  # they are written to, inside that mode or not
            for name, tensor in like.items():
                slab = tensor.new_zeros(new, *tensor.shape)
                if old:
                    slab[:old] = self._slabs[name]
                self._slabs[name] = slab
        self._loose += [None] * (new - old)
        self._steps += [0] * (new - old)
        self._free = list(range(new - 1, old - 1, -1))
