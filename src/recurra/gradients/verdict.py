"""What a measured gradient flow comes to, in words."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FAINT, _LOUD = 0.01, 100.0
_STEADY = 1.1  # a factor over all steps that is as good as none
_SOON = 10  # times what was measured: so far the rate is carried on in words


def verdict(
    arrives: Array,
    rate: Array,
    low: Array,
    high: Array,
    underflow: dict[str, dict[str, Any]],
    lstm_rate: float | None,
) -> str:
    """Return one or two sentences: what arrives from how far, the rate, float32's limit.

    Of several layers and directions it is the one whose gradient changes fastest.

    arrives: (layers, directions, T); rate, low, high: (layers, directions); underflow: as
    `GradientFlow` has it; lstm_rate: of the LSTM to compare with, or None.
    """
    place = fastest(rate)
    shares = arrives[place]
    backwards = place[1] == 1
    if shares.size == 1:
        return "There is one step only: no gradient has a way back to be measured on."
    if math.isnan(rate[place]):
        return f"No gradient arrives from any {'later' if backwards else 'earlier'} step."
    kind, first, share = _kind(shares, rate[place], low[place], high[place])
    amount = "less than 1 %" if kind == "vanishing" else _amount(share)
    if kind == "exploding":
        amount = "more than 100 times"
    steps = f"{first} {'step' if first == 1 else 'steps'} {'ahead' if backwards else 'back'}"
    text = f"{_where(place, rate.shape)}rom {steps} {amount}{_of(amount)} the gradient arrives: "
    text += f"{kind} at {number(rate[place])} a step{_interval(low[place], high[place])}"
    if lstm_rate is not None and not math.isnan(lstm_rate):
        text += f"; an LSTM with forget bias 1 on this input keeps {number(lstm_rate)}"
    return f"{text}.{_limit(underflow['float32'], arrives.shape[-1])}"


def fastest(rate: Array) -> tuple[int, int]:
    """Return the layer and direction whose factor a step is farthest from 1."""
    with np.errstate(divide="ignore"):
        speeds = np.nan_to_num(np.abs(np.log(rate)), nan=-1.0)
    layer, direction = np.unravel_index(int(speeds.argmax()), rate.shape)
    return int(layer), int(direction)


def _kind(shares: Array, rate: float, low: float, high: float) -> tuple[str, int, float]:
    """Return the word, the distance it is said of, and the share that arrives from there."""
    known = np.flatnonzero(~np.isnan(shares))
    faint, loud = _from_where(shares < _FAINT, known), _from_where(shares > _LOUD, known)
    if faint is not None and rate < 1:
        return "vanishing", faint, float(shares[faint])
    if loud is not None and rate > 1:
        return "exploding", loud, float(shares[loud])
    last = int(known[-1])
    over_all = abs(math.log(rate)) * last
    if low <= 1 <= high or over_all < math.log(_STEADY):
        return "steady", last, float(shares[last])
    return "fading" if rate < 1 else "growing", last, float(shares[last])


def _from_where(holds: NDArray[np.bool_], known: NDArray[np.intp]) -> int | None:
    """Return the first known place from which on it holds at every known one."""
    fails = np.flatnonzero(~holds[known])
    after = known[fails[-1] + 1 :] if len(fails) else known
    return int(after[0]) if len(after) else None


def _where(place: tuple[int, int], shape: tuple[int, ...]) -> str:
    """Return the beginning of the sentence, up to the F of From."""
    parts = [f"layer {place[0] + 1}"] if shape[0] > 1 else []
    if shape[1] > 1:
        parts.append(("forwards", "backwards")[place[1]])
    if not parts:
        return "F"
    named = ", ".join(parts)
    return f"{named[0].upper()}{named[1:]}: f"


def _amount(share: float) -> str:
    if share > 2:
        return f"{share:.2g} times" if share < 100 else "more than 100 times"
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _of(amount: str) -> str:
    return "" if amount.endswith("times") else " of"


def _interval(low: float, high: float) -> str:
    if math.isnan(low) or math.isnan(high):
        return ""
    a, b = number(low), number(high)
    # Where both ends are the number that was said, it is sure to its last digit.
    return f" (95 % interval {a} to {b})" if a != b else ""


def number(factor: float) -> str:
    """Return a factor a step in as many digits as tell it from 1."""
    if factor < 0.01 or factor >= 1000:
        return f"{factor:.2g}"
    off = abs(factor - 1)
    digits = 2 if off >= 0.02 or off == 0 else min(6, 1 - math.floor(math.log10(off)))
    return f"{factor:.{digits}f}"


def _limit(found: dict[str, Any], T: int) -> str:
    distance = found["distance"]
    if distance is None or distance > _SOON * T:
        return ""
    what = "zero" if found["kind"] == "underflow" else "infinite"
    by = "" if found["measured"] else ", if it goes on so"
    return f" In float32 it is {what} from {distance:,} steps away{by}."
