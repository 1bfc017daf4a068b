"""A stream: what has been read so far, and what is predicted from it."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from recurra.durable import replace_file
from recurra.errors import ArgumentError, ModelFileError
from recurra.tasks.estimator import SequenceEstimator
from recurra.tasks.streaming.reader import StreamReader
from recurra.tasks.streaming.readers import SymbolReader, reader_for

State = dict[str, Tensor]


class TaskStream:
    """An input that comes in pieces, and what an estimator says of it so far.

    Pieces of any size come to the same as the whole at once. The state is some vectors, whatever
    has come in. Made by `estimator.stream()`.
    """

    def __init__(self, reader: StreamReader, **options: Any) -> None:
        self._reader, self._options = reader, options
        self._state = reader.start(**options)
        self.steps = 0  # read so far

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
        return advance([self], [piece])[0]

    def reset(self) -> None:
        """Forget what was read."""
        self._state, self.steps = self._reader.start(**self._options), 0

    @property
    def state(self) -> State:
        """What is kept of what was read: copies, tensors by name."""
        counted = {"steps_read": torch.tensor([self.steps])}
        return {name: tensor.clone() for name, tensor in self._state.items()} | counted

    @state.setter
    def state(self, state: Mapping[str, Tensor]) -> None:
        given = dict(state)
        steps = given.pop("steps_read", None)
        if steps is None or steps.shape != (1,):
            raise ArgumentError("the state has no steps_read: it is not one of a stream.")
        self._reader.check(given)
        self._state = {name: tensor.clone() for name, tensor in given.items()}
        self.steps = int(steps)

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
    reader = streams[0]._reader
    if any(stream._reader is not reader for stream in streams):
        raise ArgumentError("the streams are not all of one estimator's `stream()`.")
    if len({id(stream) for stream in streams}) != len(streams):
        raise ArgumentError("a stream is there twice: push its pieces one after the other.")
    read = reader.read(pieces)
    states, answers = reader.advance([stream._state for stream in streams], read)
    for stream, state, row in zip(streams, states, read, strict=True):
        stream._state, stream.steps = state, stream.steps + len(row)
    return answers


def open_stream(estimator: SequenceEstimator, condition: Any = None) -> TaskStream:
    """Return a stream of a fitted estimator; of a generator with labels, for one of them.

    Raises `ArgumentError` for an estimator that must have the whole input before it can answer.
    """
    reader = reader_for(estimator)
    if condition is None and not isinstance(reader, SymbolReader):
        return TaskStream(reader)
    if not isinstance(reader, SymbolReader):
        raise ArgumentError(f"condition={condition!r}: only a generator's stream has one.")
    return TaskStream(reader, condition=condition)
