"""Streams of a forecaster of one series: the last values, and what follows them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from recurra.data.inputs import read_inputs
from recurra.data.series.series_set import SeriesSet
from recurra.errors import ArgumentError
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.streaming.reader import Kept, State, StreamReader


class WindowReader(StreamReader):
    """Reads streams of a forecaster: its network sees the last window anew at every piece."""

    def __init__(self, estimator: Forecaster) -> None:
        state = estimator.state_
        if state.kind != "series" or state.past_names or state.known_names or len(state.ids) > 1:
            raise ArgumentError("a forecaster has a stream if it was fitted on one series alone.")
        self._estimator, self._most = estimator, state.W + state.lag

    def start(self, condition: Any = None) -> State:
        """Return the state of a stream of which nothing was read."""
        self.refuse(condition)
        return {"values": torch.zeros(0, dtype=torch.float64)}

    def grows(self, name: str) -> bool:
        """Return whether a tensor of the state may have any length."""
        return True

    def fixed_of(self, state: State) -> tuple[State, Any]:
        """Return a stream's state as it is kept: the last values at the end of a window."""
        values = state["values"][-self._most :]
        window = torch.zeros(self._most, dtype=torch.float64)
        window[self._most - len(values) :] = values
        return {"window": window, "count": torch.tensor([len(values)])}, None

    def state_of(self, fixed: State, loose: Any) -> State:
        """Return what is kept of a stream as its state."""
        return {"values": fixed["window"][self._most - int(fixed["count"]) :]}

    def read(self, piece: Any) -> Any:
        """Return a piece as numbers (t,); raises `DataError` for another form."""
        try:
            numbers = np.atleast_1d(np.asarray(piece, dtype=np.float64))
        except (TypeError, ValueError):
            numbers = np.atleast_1d(np.asarray(piece, dtype=object))
        if not numbers.size:
            return np.zeros(0)
        return read_inputs([numbers], "piece").rows[0][:, 0]

    def advance(self, kept: Kept, rows: Sequence[Any], most: int | None = None) -> list[Any]:
        """Read rows on and return what follows; None while there is not enough to look back on."""
        W = self._most
        windows = np.stack(
            [
                np.concatenate([old, row])[-W:]
                for old, row in zip(kept.fixed["window"].numpy(), rows, strict=True)
            ]
        )
        counts = (kept.fixed["count"] + torch.tensor([len(row) for row in rows])[:, None]).clamp(
            max=W
        )
        kept.fixed = {"window": torch.from_numpy(windows), "count": counts}
        enough = np.flatnonzero(counts[:, 0].numpy() == W)
        answers: list[Any] = [None] * len(rows)
        if len(enough):
            for b, ahead in zip(enough.tolist(), self._ahead(windows[enough]), strict=True):
                answers[b] = ahead
        return answers

    def _ahead(self, windows: Any) -> Any:
        """Return what follows n windows (n, W): (n, H)."""
        n, W = windows.shape
        nothing = np.zeros((W, 0))
        series = SeriesSet(
            self._estimator.state_.ids * n, [np.arange(W)] * n, list(windows),
            [nothing] * n, [nothing] * n,
        )  # fmt: skip
        return self._estimator.walk(series, [np.array([W])] * n)[0]
