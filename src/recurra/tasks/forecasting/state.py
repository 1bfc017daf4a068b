"""What a forecaster knows beside its weights: scales, calibration, where its series ended."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pydantic
from numpy.typing import NDArray

from recurra.data.inputs import Inputs
from recurra.data.series.series_set import SeriesSet
from recurra.data.series.times import Frequency, read_times
from recurra.errors import DataError
from recurra.tasks.forecasting.transforms import lag_of, levels_of, steps_of

Numbers = NDArray[np.float64]
_KEPT = 100  # steps of each series, at least, so that a forecast can be drawn after them


class Scale(pydantic.BaseModel):
    """How one series is scaled: its steps by mean and deviation, what follows by H of each."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    mean: float
    deviation: float
    centre: list[float]
    spread: list[float]

    @classmethod
    def of(cls, values: Numbers, transform: str, H: int, name: str) -> "Scale":
        """Return the scale of a series' (T,) values; what never changes is divided by 1."""
        lag = lag_of(transform)
        steps = steps_of(values, transform, name)[lag:]
        mean, deviation = mean_and_deviation(steps)
        if not lag:
            return cls(mean=mean, deviation=deviation, centre=[mean] * H, spread=[deviation] * H)
        level = levels_of(values, transform, name)
        centre, spread = [], []
        for h in range(1, H + 1):
            # Too few steps to see h of them: what h independent steps would come to.
            ahead = (mean * h, deviation * h**0.5)
            if len(level) >= h + 3:
                ahead = mean_and_deviation(level[h:] - level[:-h])
            centre.append(ahead[0])
            spread.append(ahead[1])
        return cls(mean=mean, deviation=deviation, centre=centre, spread=spread)


class Context(pydantic.BaseModel):
    """The end of a fitted series, from which it is forecast: values (T,), past, known."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    times: list[int] | list[str]
    values: list[float]
    past: list[list[float]]
    known: list[list[float]]


class ForecastState(pydantic.BaseModel):
    """What `fit` learned.

    kind: "series", or "windows" for rows of numbers with what follows; W, H: steps back and ahead;
    lag: steps that a difference takes beside; ids: the series; scales: one each; covariate_mean,
    covariate_deviation: of the past and the known; columns: T of the rows, None where they were
    no table; flat: whether what follows was one number a row; shifts: (H, Q), what conformal
    calibration adds to each quantile, in units of the spread.
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    kind: Literal["series", "windows"]
    W: int = pydantic.Field(ge=1)
    H: int = pydantic.Field(ge=1)
    lag: int = pydantic.Field(ge=0, le=1)
    ids: list[str] = ["y"]
    scales: list[Scale]
    covariate_mean: list[float] = []
    covariate_deviation: list[float] = []
    past_names: list[str] = []
    known_names: list[str] = []
    features: int = 1
    columns: int | None = None
    flat: bool = False
    shifts: list[list[float]] = []
    scores: dict[str, float] = {}
    frequency: tuple[str, int] | None = pydantic.Field(default=None, strict=False)  # JSON: a list
    contexts: list[Context] = []

    @property
    def past(self) -> int:
        """How many covariates are known up to now only."""
        return len(self.covariate_mean) - len(self.known_names)

    def scales_of(self, series: SeriesSet, transform: str) -> list[Scale]:
        """Return each series' scale: the one learned, its own for a series never seen."""
        learned = dict(zip(self.ids, self.scales, strict=True))
        return [
            learned[name] if name in learned else Scale.of(values, transform, self.H, name)
            for name, values in zip(series.ids, series.values, strict=True)
        ]

    def numbers_of(self, ids: list[str]) -> NDArray[np.int64]:
        """Return the number of each series' embedding, 0 for one never seen."""
        numbers = {name: k + 1 for k, name in enumerate(self.ids)}
        return np.array([numbers.get(name, 0) for name in ids], dtype=np.int64)

    def must_fit(self, series: SeriesSet) -> None:
        """Raise `DataError` unless the series have the covariates the model learned."""
        for what in ("past_names", "known_names"):
            have, want = list(getattr(series, what)), getattr(self, what)
            if have != want:
                raise DataError(
                    f"the series have {what.removesuffix('_names')} covariates {have}, but the "
                    f"model was fitted with {want}."
                )

    def must_be_whole(self, levels: int) -> None:
        """Raise `DataError` unless the parts, read from a file, are of sizes that fit."""
        n, H = len(self.ids), self.H
        sizes = {
            "scales": len(self.scales) == n,
            "centre": all(len(s.centre) == len(s.spread) == H for s in self.scales),
            "covariates": len(self.covariate_mean)
            == len(self.covariate_deviation)
            >= len(self.known_names),
            "shifts": [len(row) for row in self.shifts] == [levels] * H,
            "contexts": len(self.contexts) == (n if self.kind == "series" else 0),
        }
        for name, fits in sizes.items():
            if not fits:
                raise DataError(f"the forecaster's {name} do not fit its series and horizon.")

    def must_be_rows(self, inputs: Inputs, name: str) -> None:
        """Raise `DataError` unless the inputs are rows as the model learned them."""
        inputs.must_be("numbers", self.features, self.columns, name)
        T = self.W + self.lag
        for k, row in enumerate(inputs.rows):
            if len(row) != T:
                raise DataError(f"X, row {k} has {len(row)} steps, but {name} learned rows of {T}.")

    def with_known(self, series: SeriesSet, known: Any) -> SeriesSet:
        """Return the series with what is known of the H steps after each, (n, H, K)."""
        wanted = (len(series), self.H, len(self.known_names))
        try:
            ahead = np.asarray(known, dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(f"known must be numbers (n, H, K) = {wanted}.") from None
        if ahead.shape != wanted or not np.isfinite(ahead).all():
            raise DataError(
                f"known must be finite numbers (n, H, K) = {wanted} for n series, H steps and "
                f"{self.known_names}, got {ahead.shape}."
            )
        rows = zip(series.known, series.values, ahead, strict=True)
        joined = [np.concatenate([seen[: len(v)], more]) for seen, v, more in rows]
        return replace(series, known=joined)

    def remember(self, series: SeriesSet) -> None:
        """Keep the ends of the series, and what is known of the steps after them."""
        frequency = series.frequency
        self.frequency = None if frequency is None else (frequency.unit, frequency.every)
        self.contexts = []
        for k, values in enumerate(series.values):
            first = max(0, len(values) - max(self.W + self.lag, _KEPT))
            times = series.times[k][first:]
            self.contexts.append(
                Context(
                    times=times.tolist() if times.dtype.kind == "i" else times.astype(str).tolist(),
                    values=values[first:].tolist(),
                    past=series.past[k][first:].tolist(),
                    known=series.known[k][first:].tolist(),
                )
            )

    def remembered(self) -> SeriesSet:
        """Return the series' ends."""
        unit: Any = None if self.frequency is None else self.frequency[0]
        return SeriesSet(
            self.ids,
            [read_times(one.times, "time") for one in self.contexts],
            [np.array(one.values) for one in self.contexts],
            [_table(one.past, len(self.past_names)) for one in self.contexts],
            [_table(one.known, len(self.known_names)) for one in self.contexts],
            tuple(self.past_names),
            tuple(self.known_names),
            None if self.frequency is None else Frequency(unit, self.frequency[1]),
        )


def mean_and_deviation(values: Numbers) -> tuple[float, float]:
    """Return the mean and the standard deviation, 1 where there is none but for rounding."""
    mean, deviation = float(values.mean()), float(values.std())
    return mean, deviation if deviation > 1e-12 * abs(mean) else 1.0


def _table(rows: list[list[float]], width: int) -> Numbers:
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)
