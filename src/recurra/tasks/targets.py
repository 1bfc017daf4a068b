"""What is to be predicted, as users give it: labels and numbers, checked."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pydantic
from numpy.typing import NDArray

from recurra.errors import DataError


class Labels(pydantic.BaseModel):
    """The classes a classifier knows: their values in order, and of what type they are."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Literal["str", "int", "bool", "float"]
    values: list[str] | list[bool] | list[int] | list[float]

    @classmethod
    def of(cls, labels: NDArray[Any]) -> "Labels":
        """Return the different labels of an array."""
        values = np.unique(labels)
        kinds: dict[str, Literal["str", "int", "bool", "float"]] = {
            "U": "str",
            "O": "str",
            "b": "bool",
            "f": "float",
        }
        return cls(kind=kinds.get(values.dtype.kind, "int"), values=values.tolist())

    def array(self) -> NDArray[Any]:
        """Return the values as NumPy has them."""
        types: dict[str, Any] = {"str": object, "int": np.int64, "bool": bool, "float": np.float64}
        values = np.array(self.values, dtype=types[self.kind])
        return values.astype(str) if self.kind == "str" else values


def read_labels(y: Any, name: str = "y") -> NDArray[Any]:
    """Return n labels as an array of text or of whole numbers.

    Raises `DataError` for labels that are missing, empty or continuous numbers.
    """
    from sklearn.utils.multiclass import check_classification_targets

    if isinstance(y, str):
        raise DataError(f"{name} must be a list of labels, got the text {y[:30]!r}.")
    labels = _column(y, name)
    for k, label in enumerate(labels.tolist()):
        if label is None or label != label:
            raise DataError(f"{name}, row {k}: the label is missing (NaN or None).")
        if isinstance(label, float) and label in (float("inf"), float("-inf")):
            raise DataError(f"{name}, row {k}: infinity (inf) is no label.")
        if isinstance(label, str) and not label.strip():
            raise DataError(f"{name}, row {k}: the label is empty.")
    kinds = {type(label) for label in labels.tolist()}
    if str in kinds and len(kinds) > 1:
        raise DataError(f"{name} mixes text with {', '.join(k.__name__ for k in kinds - {str})}.")
    if labels.dtype == object:
        labels = np.array(labels.tolist())
    try:
        check_classification_targets(labels)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None
    return labels


def read_numbers(y: Any, name: str = "y") -> NDArray[np.float64]:
    """Return n numbers (n,), or n rows of numbers (n, O).

    Raises `DataError` unless all are finite.
    """
    values = _array(y, name)
    if values.dtype.kind == "c":
        raise DataError(f"{name}: Complex data not supported: give real and imaginary parts.")
    if values.ndim not in (1, 2) or not len(values):
        raise DataError(f"{name} must be numbers (n,) or (n, O), got shape {values.shape}.")
    if values.ndim == 2 and values.shape[1] == 1:
        values = _column(values, name)
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: numbers were expected, {error}.") from None
    if not np.isfinite(numbers).all():
        what = "NaN" if np.isnan(numbers).any() else "infinity (inf)"
        row = int(np.argwhere(~np.isfinite(numbers))[0][0])
        raise DataError(f"{name}, row {row}: Input {name} contains {what}.")
    return numbers


def class_weights(
    given: str | dict[Any, float] | None, classes: Sequence[Any], labels: NDArray[np.int64], w: Any
) -> NDArray[np.float64]:
    """Return a factor for each class: 1, what is given, or what lets all weigh the same.

    Args:
        given: None, "balanced", or a dict from classes to factors, 1 where one is not there.
        classes: all classes.
        labels: (n,), the number of each example's class.
        w: (n,), what each example weighs.

    Raises `DataError` for anything else.
    """
    factors = np.ones(len(classes))
    if given is None:
        return factors
    if given == "balanced":
        totals = np.bincount(labels, weights=w, minlength=len(classes))
        factors[totals > 0] = totals.sum() / len(classes) / totals[totals > 0]
        return factors
    if not isinstance(given, dict):
        raise DataError(f"class_weight must be 'balanced', a dict or None, got {given!r}.")
    known = {value: k for k, value in enumerate(classes)}
    for label, factor in given.items():
        if label not in known:
            raise DataError(f"class_weight: {label!r} is none of the classes {list(classes)}.")
        factors[known[label]] = factor
    return factors


def _column(y: Any, name: str) -> NDArray[Any]:
    from sklearn.utils.validation import column_or_1d

    if not hasattr(y, "__array__"):
        y = list(y)
        if any(isinstance(value, str) or value is None for value in y):
            # As they are: NumPy would make a text of a missing label.
            y = np.fromiter(y, dtype=object, count=len(y))
    values = _array(y, name)
    try:
        column: NDArray[Any] = column_or_1d(values, warn=True)
    except ValueError as error:
        raise DataError(f"{name}: {error}") from None
    return column


def _array(y: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(y)
    except ValueError:
        raise DataError(f"{name} must be one target a row, got rows of unequal lengths.") from None
