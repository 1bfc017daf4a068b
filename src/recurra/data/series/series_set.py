"""Series of numbers over time as users give them: read, sorted, checked, gaps found."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.series.times import Frequency, Times, find_frequency
from recurra.errors import ArgumentError, DataError, RecurraWarning

Numbers = NDArray[np.float64]
GAPS = ("refuse", "fill", "ignore")


@dataclass(frozen=True)
class SeriesSet:
    """One or more series on times of their own.

    ids: n names; times: for each series (T,), ascending; values: (T,) float64; past: (T, P),
    numbers known up to now only; known: (T + ahead, K), numbers known ahead, for the steps of the
    series and perhaps for some that follow; frequency: how far a step goes, None where steps count
    and times are labels (days of trade).
    """

    ids: list[str]
    times: list[Times]
    values: list[Numbers]
    past: list[Numbers]
    known: list[Numbers]
    past_names: tuple[str, ...] = ()
    known_names: tuple[str, ...] = ()
    frequency: Frequency | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def cut(self, lengths: Sequence[int]) -> "SeriesSet":
        """Return each series' first steps alone, known numbers too: what was known then."""
        return SeriesSet(
            self.ids,
            [t[:n] for t, n in zip(self.times, lengths, strict=True)],
            [v[:n] for v, n in zip(self.values, lengths, strict=True)],
            [p[:n] for p, n in zip(self.past, lengths, strict=True)],
            [k[:n] for k, n in zip(self.known, lengths, strict=True)],
            self.past_names,
            self.known_names,
            self.frequency,
        )

    def times_ahead(self, k: int, H: int) -> Times:
        """Return the H times after series k's last; 1 to H where steps count and not the clock."""
        if self.frequency is None:
            return np.arange(1, H + 1)
        return self.frequency.after(self.times[k][-1], H)


@dataclass(frozen=True)
class RawSeries:
    """One series before it is checked: T times, values, past (T, P), known (T, K)."""

    id: str
    times: Times
    values: Numbers
    past: Numbers
    known: Numbers


def checked(
    raw: Sequence[RawSeries],
    gaps: str,
    past_names: Sequence[str] = (),
    known_names: Sequence[str] = (),
) -> SeriesSet:
    """Return the series sorted, without duplicates, gaps and missing numbers.

    Times that are not ascending are sorted, with a `RecurraWarning`. With covariates known ahead a
    series may end in rows without a value: those are its future.

    Args:
        raw: n series.
        gaps: "refuse" raises for steps that are not there; "fill" carries the last numbers
            forward into them and into missing ones (nothing is taken from later); "ignore" counts
            steps and not the clock, as for days of trade.
        past_names, known_names: the covariates' names.

    Raises `DataError`, which names the series and the time; `ArgumentError` for another `gaps`.
    """
    if gaps not in GAPS:
        raise ArgumentError(f"gaps={gaps!r} is not known; there are {', '.join(GAPS)}.")
    if not raw:
        raise DataError("there are no series.")
    ids = [one.id for one in raw]
    twice = [one for one in dict.fromkeys(ids) if ids.count(one) > 1]
    if twice:
        raise DataError(f"there are two series named {twice[0]!r}; rename one.")
    if len({one.times.dtype.kind for one in raw}) > 1:
        raise DataError("some series have dates and others numbers for times; give all the same.")
    sorted_ones = [_in_order(one) for one in raw]
    frequency = None
    if gaps != "ignore":
        # The longest series tells most.
        frequency = find_frequency(max((one.times for one in sorted_ones), key=len))
        sorted_ones = [_without_gaps(one, frequency, gaps == "fill") for one in sorted_ones]
    parts = [_without_missing(one, gaps == "fill", known_names) for one in sorted_ones]
    return SeriesSet(
        ids,
        [one.times[: len(one.values)] for one in parts],
        [one.values for one in parts],
        [one.past[: len(one.values)] for one in parts],
        [one.known for one in parts],
        tuple(past_names),
        tuple(known_names),
        frequency,
    )


def _in_order(one: RawSeries) -> RawSeries:
    if not len(one.times):
        raise DataError(f"series {one.id!r} is empty.")
    order = np.argsort(one.times, kind="stable")
    times = one.times[order]
    same = times[1:] == times[:-1]
    if same.any():
        count = int(same.sum())
        raise DataError(
            f"series {one.id!r} has {shown_time(times[1:][same][0])} twice"
            f"{f', and {count - 1} more times' if count > 1 else ''}; keep one row a time."
        )
    if (order[1:] < order[:-1]).any():
        newest = (order[1:] < order[:-1]).all()
        warnings.warn(
            f"series {one.id!r} is {'newest first' if newest else 'not in the order of time'}; "
            "it was sorted.",
            RecurraWarning,
            stacklevel=4,
        )
    return RawSeries(one.id, times, one.values[order], one.past[order], one.known[order])


def _without_gaps(one: RawSeries, frequency: Frequency, fill: bool) -> RawSeries:
    grid = frequency.grid(one.times[0], one.times[-1])
    odd = ~np.isin(one.times, grid)
    if odd.any():
        raise DataError(
            f"series {one.id!r}: {shown_time(one.times[odd][0])} is not on the grid that "
            f"begins {shown_time(one.times[0])} with steps of {frequency} ({int(odd.sum())} of "
            f"{len(odd)} times are off it); resample it, or pass gaps='ignore' to count steps and "
            "not the clock."
        )
    absent = ~np.isin(grid, one.times)
    if not absent.any():
        return one
    if not fill:
        raise DataError(
            f"series {one.id!r} has gaps: {int(absent.sum()):,} of {len(grid):,} steps of "
            f"{frequency} are not there, the first {shown_time(grid[absent][0])}; pass gaps='fill' "
            "to carry the last value forward, or gaps='ignore' where only steps count (days of "
            "trade)."
        )
    # For each time of the grid the row at it or the last one before it.
    last = np.searchsorted(one.times, grid, side="right") - 1
    return RawSeries(one.id, grid, one.values[last], one.past[last], one.known[last])


def _without_missing(one: RawSeries, fill: bool, known_names: Sequence[str]) -> RawSeries:
    values, past, known = one.values, one.past, one.known
    there = np.flatnonzero(~np.isnan(values))
    if not len(there):
        raise DataError(f"series {one.id!r} has no values.")
    end = int(there[-1]) + 1 if known_names else len(values)
    values, past = values[:end], past[:end]
    if fill:
        values, past, known = (_carried(a, one.id) for a in (values, past, known))
    for numbers, what in ((values, "value"), (past, "covariate"), (known, "known covariate")):
        wrong = ~np.isfinite(numbers.reshape(len(numbers), -1)).all(1)
        if wrong.any():
            where = int(wrong.argmax())
            kind = "missing (NaN)" if np.isnan(numbers[where]).any() else "infinite (inf)"
            more = f", and {int(wrong.sum()) - 1} more" if wrong.sum() > 1 else ""
            raise DataError(
                f"series {one.id!r}: the {what} at {shown_time(one.times[where])} is {kind}{more}; "
                "fill it in, or pass gaps='fill' to carry the last one forward."
            )
    return RawSeries(one.id, one.times, values, past, known)


def _carried(numbers: Numbers, name: str) -> Numbers:
    """Return (T, ...) numbers with each missing one replaced by the last before it."""
    flat = numbers.reshape(len(numbers), -1)
    if len(flat) and np.isnan(flat[0]).any():
        raise DataError(
            f"series {name!r} begins with a missing number, which nothing before it can fill; "
            "leave its first rows out."
        )
    rows = np.where(np.isnan(flat), 0, np.arange(len(flat))[:, np.newaxis])
    last = np.maximum.accumulate(rows, axis=0)
    return np.take_along_axis(flat, last, axis=0).reshape(numbers.shape)


def shown_time(time: Any) -> str:
    """Return a time as an error shows it: a date without the hour where it is midnight."""
    return str(time).removesuffix(".000000").removesuffix("T00:00:00")
