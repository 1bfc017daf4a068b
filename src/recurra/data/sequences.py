"""Sequences of symbols as users give them, checked."""

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.data.vocabulary import SPECIAL
from recurra.errors import DataError

Sequences = Sequence[str] | Sequence[Sequence[str]]


def symbols_of(sequence: str | Sequence[str]) -> list[str]:
    """Return the symbols: a text's characters in Unicode's NFC form, a list's items as they are."""
    return list(unicodedata.normalize("NFC", sequence) if isinstance(sequence, str) else sequence)


def check_sequences(X: Sequences, max_length: int) -> tuple[list[list[str]], bool]:
    """Return each sequence's symbols, and whether the sequences are strings.

    Raises `DataError`, which names the row, unless `X` is a list of strings or a list of lists
    of strings, none of them empty or longer than `max_length`.
    """
    if isinstance(X, str) or not isinstance(X, Iterable):
        raise DataError(f"X must be a list of sequences, got {type(X).__name__}.")
    rows: list[list[str]] = []
    kind: type | None = None
    for k, sequence in enumerate(X):
        this: type = str if isinstance(sequence, str) else list
        if not isinstance(sequence, str | list | tuple):
            raise DataError(
                f"X, row {k}: a sequence is a string or a list of strings, got {sequence!r}."
            )
        if kind not in (None, this):
            raise DataError(f"X, row {k}: strings and lists are mixed; give all in one form.")
        kind = this
        symbols = symbols_of(sequence)
        if not symbols:
            raise DataError(f"X, row {k}: the sequence is empty.")
        if not all(isinstance(symbol, str) for symbol in symbols):
            raise DataError(f"X, row {k}: symbols must be strings, got {sequence!r}.")
        if len(symbols) > max_length:
            raise DataError(
                f"X, row {k}: {len(symbols)} symbols, starting {''.join(symbols)[:30]!r}; "
                f"max_length is {max_length}."
            )
        rows.append(symbols)
    if not rows:
        raise DataError("X is empty: there are no sequences.")
    return rows, kind is str


def check_condition(condition: Any, n: int, *, several: bool = True) -> list[str]:
    """Return the labels of n sequences as text; with `several`, refuse one label for all.

    Raises `DataError` when they are not n strings, numbers or truth values.
    """
    if hasattr(condition, "__array__"):
        condition = np.asarray(condition)
        condition = condition.ravel() if condition.ndim == 2 else condition
    if isinstance(condition, str) or not isinstance(condition, Iterable):
        raise DataError(f"condition must be a list of labels, got {condition!r}.")
    labels = list(condition)
    if len(labels) != n:
        raise DataError(f"condition has {len(labels)} labels for {n} sequences.")
    labels = [label_text(label, k) for k, label in enumerate(labels)]
    if several and len(set(labels)) == 1:
        raise DataError(
            f"condition is {labels[0]!r} in every row (one class): there is nothing to learn from "
            "it. Leave it out, or give sequences of at least two labels."
        )
    return labels


def label_text(label: Any, row: int | None = None) -> str:
    """Return a label as text: 3 and "3" are the same label; raises `DataError` for none."""
    label = label.item() if isinstance(label, np.generic) else label
    known = isinstance(label, str | int | float) and label == label
    if not known or label == "":
        where = "condition" if row is None else f"condition, row {row}"
        raise DataError(f"{where}: a label is a string or a number, got {label!r}.")
    return str(label)


def check_weights(weights: Any, n: int) -> list[float] | None:
    """Return n weights, or None; raises `DataError` unless they are n numbers of at least 0."""
    if weights is None:
        return None
    try:
        # Arrays that are no sequences (scikit-learn tests for them) are asked for one first.
        array = np.asarray(weights) if hasattr(weights, "__array__") else weights
        values = [float(weight) for weight in array]
    except (TypeError, ValueError) as error:
        raise DataError(f"sample_weight must be numbers: {error}.") from None
    if len(values) != n:
        raise DataError(f"sample_weight has {len(values)} weights for {n} sequences.")
    for k, value in enumerate(values):
        if not (math.isfinite(value) and value >= 0):
            raise DataError(f"sample_weight, row {k}: {value} is no weight of at least 0.")
    if not any(values):
        raise DataError("sample_weight is zero in every row.")
    return values


def count_starts(
    rows: Sequence[Sequence[str]], labels: Sequence[str] | None
) -> dict[str | None, dict[str, int]]:
    """Return how often each first symbol begins a sequence, by label (None without labels)."""
    counts: dict[str | None, Counter[str]] = {}
    for k, row in enumerate(rows):
        label = None if labels is None else labels[k]
        counts.setdefault(label, Counter())[row[0]] += 1
    return {label: dict(counts[label]) for label in sorted(counts, key=lambda label: label or "")}


def seen_once(sequences: Sequence[Sequence[int]], size: int) -> Tensor:
    """Return which of `size` symbol numbers come up exactly once: (size,) bool."""
    numbers = [number for sequence in sequences for number in sequence]
    counts = torch.bincount(torch.tensor(numbers, dtype=torch.long), minlength=size)
    once = counts == 1
    once[:SPECIAL] = False
    return once
