"""Tags as users give them, one for each step: read and checked."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from recurra.data.inputs import Inputs
from recurra.data.tables.text_lines import shown_cell
from recurra.errors import DataError
from recurra.tasks.targets import read_labels


def read_tags(y: Any, inputs: Inputs) -> list[list[Any]]:
    """Return a list of tags for each of the n sequences of `inputs`, one tag a step.

    Args:
        y: n lists of tags; or, where the inputs are numbers, n single ones: each is the tag of
            every step of its series.
        inputs: what is tagged.

    Raises `DataError`, which names the row, where the lengths differ, a tag is missing, or it is
    neither text nor a whole number.
    """
    if hasattr(y, "__array__"):
        y = np.asarray(y)
    if isinstance(y, str | bytes | dict) or not isinstance(y, Iterable):
        raise DataError(f"y must be a list of tags for each row of X, got {type(y).__name__}.")
    if inputs.kind == "numbers" and _one_a_row(y, inputs):
        labels = read_labels(y).tolist()
        _check_count(labels, inputs)
        return [[label] * len(row) for label, row in zip(labels, inputs.rows, strict=True)]
    rows = [_listed(row) for row in y]
    _check_count(rows, inputs)
    steps = "steps" if inputs.kind == "numbers" else "words"
    for k, (tags, row) in enumerate(zip(rows, inputs.rows, strict=True)):
        if tags is None:
            raise DataError(f"y, row {k}: a list of tags was expected, one for each step.")
        if len(tags) != len(row):
            raise DataError(f"y, row {k} has {len(tags)} tags for the {len(row)} {steps} of X.")
        for t, tag in enumerate(tags):
            if tag is None or tag != tag or (isinstance(tag, str) and not tag.strip()):
                what = "is empty" if tag == "" else f"is missing ({shown_cell(tag)})"
                raise DataError(f"y, row {k}, step {t}: the tag {what}.")
    tags = [tag for row in rows if row for tag in row]
    if not tags:
        raise DataError("y holds not one tag: all sequences are empty.")
    others = {type(tag).__name__ for tag in tags if not isinstance(tag, str)}
    if others and any(isinstance(tag, str) for tag in tags):
        raise DataError(f"y mixes text with {', '.join(sorted(others))}.")
    plain = iter(read_labels(tags).tolist())
    return [[next(plain) for _ in row] for row in inputs.rows]


def _one_a_row(y: Any, inputs: Inputs) -> bool:
    """Return whether `y` has one tag a row; a column (n, 1) has, unless a row is one step."""
    if not isinstance(y, np.ndarray) or y.dtype == object:
        return not any(map(np.ndim, y))
    return y.ndim == 1 or (y.shape[1:] == (1,) and any(len(row) != 1 for row in inputs.rows))


def _listed(row: Any) -> Sequence[Any] | None:
    if isinstance(row, str | bytes | dict) or not isinstance(row, Iterable):
        return None
    return list(row)


def _check_count(rows: Sequence[Any], inputs: Inputs) -> None:
    if len(rows) != len(inputs):
        raise DataError(f"y has {len(rows)} rows for the {len(inputs)} rows of X.")
