"""What was measured of a gradient's way through time, as plain arrays and words."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, repr=False, eq=False)
class GradientFlow:
    """How a gradient flows back through time: the result of `gradient_flow`. `print` it.

    Arrays are float64. Layers and directions are counted from 0; direction 1 runs from T - 1 to 0,
    so that its distances are to later steps. n is the number of loss times measured.

    cell: the cell's class; layers, directions: how many; state_names: the cell's states;
    T, B: steps and rows.
    times: the n steps t whose losses L_t were measured; of one loss in all T - 1, though distances
        count from the end of each run, which in direction 1 is step 0.
    norms: (layers, directions, n, T), ‖∂L_t/∂s_s‖ of the whole state s that leaves step s, the mean
        over rows (those that have both steps) of the norm over features. Each state's gradient is
        whole, as autograd gives it: that of an LSTM's c counts what goes through the h of the same
        step. NaN where no row has both steps, 0 where L_t does not depend on the state.
    state_norms: the same of each state, by name.
    local: (layers, directions, T), the spectral norm of a step's Jacobian ∂s_t/∂s_{t-1}
        (∂s_t/∂s_{t+1} in direction 1), the geometric mean over a few rows (`notes`).
    product: the same of ∂s_end/∂s_t, of all steps from t to the run's end; NaN where it was not
        measured. bound: the product of the local norms on that way, which is never smaller.
    rate, rate_low, rate_high: (layers, directions), the factor a step and its 95 % interval; NaN
        where there are too few steps.
    arrives: (layers, directions, T), by distance d, the mean over t of norm(t, t - d)/norm(t, t),
        in direction 1 of norm(t, t + d)/norm(t, t); NaN where there is no such pair.
    contributions: by parameter, (T,), the norm of its gradient's part that comes through
        computations at distance d from the loss, the mean over t.
    underflow: for "float32", "float16", "bfloat16", where a gradient's mean norm first leaves the
        format's range: "distance" (None if not within a million steps), "kind" ("underflow",
        "overflow" or None), "measured" (False: beyond what was measured, by the rate), "layer",
        "direction".
    verdict: what it comes to, in words.
    lstm_rate: the factor a step of an LSTM with forget bias 1 on the same input, None if it was
        not measured.
    notes: how it was measured, in sentences.
    """

    cell: str
    layers: int
    directions: int
    state_names: tuple[str, ...]
    T: int
    B: int
    times: tuple[int, ...]
    norms: Array
    state_norms: dict[str, Array]
    local: Array
    product: Array
    bound: Array
    rate: Array
    rate_low: Array
    rate_high: Array
    arrives: Array
    contributions: dict[str, Array]
    underflow: dict[str, dict[str, Any]]
    verdict: str
    lstm_rate: float | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the verdict and how it was found."""
        return "\n".join([self.verdict, *(f"({note})" for note in self.notes)])

    def __repr__(self) -> str:
        """Return one line."""
        return (
            f"GradientFlow({self.cell}, layers={self.layers}, directions={self.directions}, "
            f"T={self.T}, B={self.B}: {self.verdict})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain lists, dicts, numbers and words."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "GradientFlow":
        """Rebuild a record from `to_dict`'s result."""
        values = dict(record)
        for name in _ARRAYS:
            values[name] = np.array(values[name], dtype=np.float64)
        for name in _BY_NAME:
            of = values[name]
            values[name] = {key: np.array(array, dtype=np.float64) for key, array in of.items()}
        for name in _TUPLES:
            values[name] = tuple(values[name])
        values["underflow"] = {name: dict(found) for name, found in values["underflow"].items()}
        return cls(**values)


_ARRAYS = ("norms", "local", "product", "bound", "rate", "rate_low", "rate_high", "arrives")
_BY_NAME = ("state_norms", "contributions")
_TUPLES = ("state_names", "times", "notes")


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
