"""A stream: what has been read so far, and what is predicted from it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from recurra.durable import replace_file
from recurra.errors import ArgumentError, ModelFileError
from recurra.tasks.estimator import SequenceEstimator
from recurra.tasks.streaming.pool import StreamPool
from recurra.tasks.streaming.reader import Kept, State
from recurra.tasks.streaming.readers import reader_for


class TaskStream:
    """An input that comes in pieces, and what an estimator says of it so far.

    Pieces of any size come to the same as the whole at once. The state is some vectors, whatever
    has come in. Made by `estimator.stream()`.
    """

    def __init__(self, pool: StreamPool, condition: Any = None) -> None:
        self._pool, self._condition = pool, condition
        self._place = pool.open(condition)

    @property
    def steps(self) -> int:
        """How many steps were read so far."""
        return self._pool.steps(self._place)

    def push(self, piece: Any) -> Any:
        """Read on and return what is predicted now.

        Args:
            piece: what comes next, in the form of an input: a text (of whole words, where words
                are read), a list of symbols, numbers (t,) or (t, F).

        Returns, of a classifier the probabilities (classes,), of a regressor the number or
        numbers, of a tagger the probabilities (t, classes) of the piece's steps, of a generator
        the probability of each next symbol ("" for the end), of a forecaster what comes next (H,),
        None while there is not enough to look back on. Raises `DataError` for another form; what
        was read stays.
        """
        return self._pool.advance([self._place], [self._pool.read(self._place, piece)])[0]

    def reset(self) -> None:
        """Forget what was read."""
        self._pool.close(self._place)
        self._place = self._pool.open(self._condition)

    @property
    def state(self) -> State:
        """What is kept of what was read: copies, tensors by name."""
        return self._pool.state(self._place)

    @state.setter
    def state(self, state: Mapping[str, torch.Tensor]) -> None:
        self._pool.set_state(self._place, state)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the state to a file (safetensors), whole or not at all; return its path."""
        import safetensors.torch

        file = Path(path).absolute()
        replace_file(file, safetensors.torch.save(self.state))
        return file

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Go on from a state that was saved; raises `ModelFileError` for a file of another kind."""
        import safetensors.torch

        try:
            self.state = safetensors.torch.load(Path(path).read_bytes())
        except OSError as error:
            raise ModelFileError(f"{path}: cannot be read, {error.strerror}.") from None
        except (safetensors.SafetensorError, ValueError, KeyError) as error:
            raise ModelFileError(f"{path}: is no state of such a stream, {error}") from None


def advance(streams: Sequence[TaskStream], pieces: Sequence[Any]) -> list[Any]:
    """Push a piece to each of several streams of one estimator in one run of its network.

    Each comes to what it would alone. Returns their predictions.
    """
    reader = streams[0]._pool.reader
    if any(stream._pool.reader is not reader for stream in streams):
        raise ArgumentError("the streams are not all of one estimator's `stream()`.")
    if len({id(stream) for stream in streams}) != len(streams):
        raise ArgumentError("a stream is there twice: push its pieces one after the other.")
    rows = [s._pool.read(s._place, piece) for s, piece in zip(streams, pieces, strict=True)]
    each = [stream._pool.gather([stream._place]) for stream in streams]
    kept = Kept(
        {name: torch.cat([one.fixed[name] for one in each]) for name in each[0].fixed},
        [one.loose[0] for one in each],
    )
    answers = reader.advance(kept, rows)
    parts = {name: torch.split(tensor, 1) for name, tensor in kept.fixed.items()}
    for b, (stream, row) in enumerate(zip(streams, rows, strict=True)):
        one = Kept({name: part[b] for name, part in parts.items()}, [kept.loose[b]])
        stream._pool.scatter([stream._place], one, [len(row)])
    return answers


def open_stream(estimator: SequenceEstimator, condition: Any = None) -> TaskStream:
    """Return a stream of a fitted estimator; of a generator with labels, for one of them.

    Raises `ArgumentError` for an estimator that must have the whole input before it can answer.
    """
    return TaskStream(StreamPool(reader_for(estimator)), condition)


def open_pool(estimator: SequenceEstimator, room: int = 64, most: int | None = None) -> StreamPool:
    """Return a pool for many streams of a fitted estimator; `StreamPool` has the arguments.

    Raises `ArgumentError` for an estimator that must have the whole input before it can answer.
    """
    return StreamPool(reader_for(estimator), room, most)
