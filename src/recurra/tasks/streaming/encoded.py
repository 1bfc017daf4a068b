"""Streams of what an encoder reads: a classifier's, a regressor's, a tagger's."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data.inputs import read_inputs
from recurra.data.vocabulary import END, Vocabulary
from recurra.errors import DataError
from recurra.networks.encoder import Encoder
from recurra.tasks.reading import Reading
from recurra.tasks.streaming.reader import Kept, State, StreamReader
from recurra.tasks.streaming.running import RunningLayer
from recurra.tasks.supervised import SupervisedEstimator


class EncoderReader(StreamReader):
    """Reads what an encoder reads."""

    def __init__(self, estimator: SupervisedEstimator, encoder: Encoder) -> None:
        self._owner = type(estimator).__name__
        self._reading: Reading = estimator.reading_
        self._encoder = encoder
        self._layer = RunningLayer(encoder.recurrent)
        self._device = next(encoder.parameters()).device
        self._vocabulary = Vocabulary(self._reading.symbols)
        self._is_numbers = self._reading.kind == "numbers"
        self._is_plain = not self._is_numbers and not self._reading.spelling

    def start(self, condition: Any = None) -> State:
        """Return the state of a stream of which nothing was read."""
        self.refuse(condition)
        return self._layer.start()

    def read(self, piece: Any) -> Any:
        """Return a piece as a row of steps; raises `DataError` for another form."""
        if self._is_numbers:
            return self._read_numbers(piece)
        if isinstance(piece, str) and self._reading.kind == "text":
            return self._reading.cut([piece])[0][0]
        if isinstance(piece, str):
            raise DataError(f"a piece must be a list of symbols, got the text {piece[:30]!r}.")
        if isinstance(piece, list) and not piece:
            return []
        return self._read_checked(piece)

    def _read_checked(self, piece: Any) -> Any:
        if not isinstance(piece, str | Iterable):
            piece = [piece]  # one step of one feature
        inputs = read_inputs(
            [piece if isinstance(piece, str | list) else np.asarray(piece)], "piece"
        )
        self._reading.check(inputs, self._owner, "piece")
        return self._reading.cut(inputs.rows)[0][0]

    def _read_numbers(self, piece: Any) -> Any:
        """Return numbers as (t, F); what is odd about them the slower way says."""
        F = self._reading.features
        try:
            numbers = np.asarray(piece, dtype=np.float64)
        except (TypeError, ValueError):
            return self._read_checked(piece)
        if numbers.ndim == 0:
            numbers = numbers.reshape(1)
        if not numbers.size:
            return np.zeros((0, F))
        if numbers.ndim == 1 and F == 1:
            numbers = numbers[:, np.newaxis]
        if numbers.ndim != 2 or numbers.shape[1] != F or not np.isfinite(numbers).all():
            return self._read_checked(piece)
        return numbers

    def _run(self, kept: Kept, rows: Sequence[Any]) -> tuple[Tensor, list[int]]:
        """Return the outputs (T, B, O) for rows and how many steps each has; T is 1 at least."""
        lengths = [len(row) for row in rows]
        if self._is_plain:
            batch: Any = torch.from_numpy(self._numbered(rows, lengths)).to(self._device)
        elif self._is_numbers and min(lengths) == max(lengths) > 0:
            batch = torch.from_numpy(np.stack(rows, 1)).to(self._device)
        else:
            batch, _ = self._reading.batch(rows, self._device)
        return self._layer.run(self._encoder.reader(batch), kept, lengths), lengths

    def _numbered(self, rows: Sequence[Sequence[str]], lengths: Sequence[int]) -> Any:
        """Return the symbols' numbers (T, B), padded."""
        numbers = np.array(self._vocabulary.encode(list(chain(*rows))), dtype=np.int64)
        T, B = max(1, *lengths), len(rows)
        if min(lengths) == T:
            return np.ascontiguousarray(numbers.reshape(B, T).T)
        padded = np.full((B, T), END, dtype=np.int64)
        padded[np.arange(T) < np.array(lengths)[:, np.newaxis]] = numbers
        return np.ascontiguousarray(padded.T)
