"""Splits that keep a group's rows together, so that nothing held out was trained on."""

import hashlib
import math
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ArgumentError

# Joiners choose a letter's shape and are often left out: with or without, it is the same name.
_JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"))


def group_key(name: str) -> str:
    """Return what two spellings of one name share: case folded, NFC, no zero-width joiners."""
    folded = unicodedata.normalize("NFC", name).casefold().translate(_JOINERS)
    return unicodedata.normalize("NFC", folded).strip()


def split_by_group(
    groups: Sequence[str],
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
) -> tuple[NDArray[np.int64], ...]:
    """Split rows into parts such that all rows of one group fall in the same part.

    Groups are put into an order drawn by `seed` and cut where the rows before the cut come
    closest to the fractions. The order is that of a hash of seed and group, so it depends on no
    library's random numbers, and rows that are added later leave nearly all others in their part.
    scikit-learn's GroupShuffleSplit counts groups, not rows, and splits in two only.

    Args:
        groups: for each row its group, say `group_key(name)`; of N rows.
        fractions: the share of the rows each part gets; two or more, positive, summing to 1.
        seed: any integer.

    Returns for each part the indices of its rows, ascending, int64; no part is empty.
    Raises `ArgumentError` for other fractions, or for fewer groups than parts.
    """
    _check_fractions(fractions)
    rows_in = Counter(groups)
    if len(rows_in) < len(fractions):
        raise ArgumentError(
            f"groups must hold at least {len(fractions)} different groups, one for each part; "
            f"got {len(rows_in)} in {len(groups)} rows."
        )
    order = sorted(rows_in, key=lambda group: (_draw(group, seed), group))
    before = np.cumsum([0] + [rows_in[group] for group in order])
    part_of: dict[str, int] = {}
    start = 0
    for part in range(len(fractions)):
        target = math.fsum(fractions[: part + 1]) * len(groups)
        # Each part keeps one group at least, and leaves one for each part after it.
        last = len(order) - (len(fractions) - 1 - part)
        nearest = int(np.argmin(np.abs(before - target)))
        stop = min(max(nearest, start + 1), last) if part < len(fractions) - 1 else len(order)
        part_of.update(dict.fromkeys(order[start:stop], part))
        start = stop
    parts = np.fromiter((part_of[group] for group in groups), np.int64, len(groups))
    return tuple(np.flatnonzero(parts == part).astype(np.int64) for part in range(len(fractions)))


def _draw(group: str, seed: int) -> bytes:
    text = f"{int(seed)}\n{group}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest()


def _check_fractions(fractions: Sequence[float]) -> None:
    # Written so that NaN fails.
    positive = all(0 < fraction < 1 for fraction in fractions)
    if len(fractions) < 2 or not positive or not math.isclose(math.fsum(fractions), 1):
        raise ArgumentError(
            f"fractions must be two or more numbers above 0 that sum to 1, got {fractions!r}."
        )
