"""When the steps of a series are: times read, their frequency found, times ahead."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recurra.data.tables.table import shown_cell
from recurra.errors import DataError

Times = NDArray[Any]  # (T,) int64 or datetime64[us]
Unit = Literal["steps", "microseconds", "business days", "months", "month ends"]

_DAY = 86_400_000_000
_NAMES = {
    _DAY * 7: "week",
    _DAY: "day",
    3_600_000_000: "hour",
    60_000_000: "minute",
    1_000_000: "second",
}
_LONGEST = 10_000_000  # steps of a regular grid, above which a frequency makes no sense


@dataclass(frozen=True)
class Frequency:
    """How far a step goes: `every` of the unit."""

    unit: Unit
    every: int

    def after(self, last: Any, H: int) -> Times:
        """Return the H times that follow `last`."""
        steps = np.arange(1, H + 1) * self.every
        if self.unit == "steps":
            return np.asarray(int(last) + steps)
        last = np.datetime64(last, "us")
        if self.unit == "microseconds":
            return np.asarray(last + steps.astype("timedelta64[us]"))
        if self.unit == "business days":
            ahead = np.busday_offset(last.astype("datetime64[D]"), steps, roll="backward")
            return np.asarray(ahead).astype("datetime64[us]")
        months = last.astype("datetime64[M]") + steps.astype("timedelta64[M]")
        if self.unit == "month ends":
            return _month_ends(months)
        day = last - last.astype("datetime64[M]").astype("datetime64[us]")
        return np.asarray(months.astype("datetime64[us]") + day)

    def grid(self, first: Any, last: Any) -> Times:
        """Return all times from `first` to `last`; raises `DataError` for too many."""
        if self.unit in ("months", "month ends"):
            apart = np.diff(np.array([first, last], dtype="datetime64[M]")).astype(int)[0]
        elif self.unit == "business days":
            apart = np.busday_count(np.datetime64(first, "D"), np.datetime64(last, "D"))
        else:
            apart = np.asarray(last - first).astype(np.int64)
        steps = int(apart) // self.every
        if steps > _LONGEST:
            raise DataError(f"{first} to {last} would be {steps:,} steps of {self}.")
        return np.concatenate([[first], self.after(first, steps)])

    def __str__(self) -> str:
        if self.unit != "microseconds":
            noun = {"steps": "step", "business days": "business day"}.get(self.unit, "month")
            return f"{self.every} {noun}{'s' * (self.every > 1)}"
        for size, noun in _NAMES.items():
            if self.every % size == 0:
                n = self.every // size
                return f"{n} {noun}{'s' * (n > 1)}"
        return f"{self.every} microseconds"


def read_times(given: Any, name: str) -> Times:
    """Return times as int64 or datetime64[us]; raises `DataError` for anything else.

    Args:
        given: T whole numbers, dates, datetimes, or texts in ISO 8601 ("2015-12-31").
        name: what errors call them.
    """
    if getattr(getattr(given, "dtype", None), "tz", None) is not None:
        given = given.dt.tz_convert("UTC").dt.tz_localize(None)
    array = np.asarray(given)
    if array.dtype.kind == "M":
        times: Times = array.astype("datetime64[us]")
    elif array.dtype.kind in "iu" or (array.dtype.kind == "f" and _whole(array)):
        times = array.astype(np.int64)
    else:
        times = _from_items(array.tolist(), name)
    if times.dtype.kind == "M" and np.isnat(times).any():
        raise DataError(f"{name}, row {int(np.isnat(times).argmax())}: the time is missing.")
    return times


def find_frequency(times: Times) -> Frequency:
    """Return the frequency of ascending times: months where they fit, else the commonest step."""
    if times.dtype.kind == "i":
        return Frequency("steps", _commonest(np.diff(times)) if len(times) > 1 else 1)
    if len(times) < 2:
        return Frequency("microseconds", _DAY)
    apart = np.diff(times).astype(np.int64)
    days = times.astype("datetime64[D]")
    months = times.astype("datetime64[M]")
    if apart.min() >= 28 * _DAY:
        within = times - months.astype("datetime64[us]")
        every = _commonest(np.diff(months).astype(np.int64))
        if (within == within[0]).all() and within[0].astype(np.int64) < 28 * _DAY:
            return Frequency("months", every)
        if (times == _month_ends(months)).all():
            return Frequency("month ends", every)
    every = _commonest(apart)
    whole = (days.astype("datetime64[us]") == times).all()
    if whole and every == _DAY and np.is_busday(days).all() and apart.max() >= 3 * _DAY:
        return Frequency("business days", 1)
    return Frequency("microseconds", every)


def _month_ends(months: Times) -> Times:
    one = np.timedelta64(1, "D")
    return ((months + np.timedelta64(1, "M")).astype("datetime64[D]") - one).astype(
        "datetime64[us]"
    )


def _whole(array: NDArray[Any]) -> bool:
    return bool(np.isfinite(array).all() and (array % 1 == 0).all())


def _commonest(steps: NDArray[np.int64]) -> int:
    sizes, counts = np.unique(steps, return_counts=True)
    return int(sizes[counts.argmax()])


def _from_items(items: list[Any], name: str) -> Times:
    if items and all(isinstance(item, str) and item.strip().isdecimal() for item in items):
        # Years and step numbers; a date as 20151231 would be read as a number of steps.
        return np.array([int(item) for item in items], dtype=np.int64)
    read = np.empty(len(items), dtype="datetime64[us]")
    for k, item in enumerate(items):
        try:
            if isinstance(item, str):
                text = item.strip().removesuffix("Z")
                if not text[:1].isdigit() or "NaT" in text:
                    raise ValueError
                read[k] = np.datetime64(text)
            elif item is None or isinstance(item, float):
                raise ValueError
            else:
                read[k] = np.datetime64(item)
        except (ValueError, TypeError, OverflowError):
            raise DataError(
                f"{name}, row {k}: {shown_cell(str(item))} is no time; write dates as 2015-12-31, "
                "times as 2015-12-31T16:00, or number the steps."
            ) from None
    return read
