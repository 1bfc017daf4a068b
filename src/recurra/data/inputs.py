"""What users give as sequences (texts, lists of words, arrays) read into one form, checked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recurra.data.tables.table import shown_cell
from recurra.errors import ArgumentTypeError, DataError

Kind = Literal["text", "symbols", "numbers"]
_KINDS = {"text": "text", "symbols": "lists of symbols", "numbers": "numbers"}


@dataclass(frozen=True)
class Inputs:
    """Sequences in one of three kinds.

    kind: "text", n strings; "symbols", n lists of strings; "numbers", n arrays (T, F) float64.
    features: F, 0 for text and symbols. columns: T where the rows were those of a table, an array
    of 2 dimensions, else None. flat: whether numbers came without an axis of features.
    """

    kind: Kind
    rows: Sequence[Any]
    features: int = 0
    columns: int | None = None
    flat: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def must_be(
        self, kind: Kind, features: int, columns: int | None, owner: str, name: str = "X"
    ) -> None:
        """Raise `DataError` unless the sequences are of the form that `owner` was fitted on."""
        if self.kind != kind:
            raise DataError(
                f"{name} holds {_KINDS[self.kind]}, but {owner} was fitted on {_KINDS[kind]}."
            )
        if columns is not None and self.columns is not None and self.columns != columns:
            raise DataError(
                f"{name} has {self.columns} features, but {owner} is expecting {columns} "
                "features as input; give series of other lengths as a list of arrays."
            )
        if self.features != features:
            raise DataError(
                f"{name} has {self.features} features a step, but {owner} is expecting "
                f"{features} features as input."
            )


def read_inputs(X: Any, name: str = "X") -> Inputs:
    """Read sequences.

    Args:
        X: n strings; or n lists of strings; or numbers: an array (n, T, F), a table (n, T) whose
            rows are series of one feature, or a list of n arrays (T,) or (T, F) of any lengths.

    Raises `DataError` or `ArgumentTypeError`, which name the row, for anything else, and for
    numbers that are not finite.
    """
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise ArgumentTypeError(
            f"{name} is a sparse matrix, and dense data is required: use {name}.toarray()."
        )
    if hasattr(X, "to_numpy"):  # a frame or a column of pandas or polars
        X = X.to_numpy()
    if hasattr(X, "__array__") and not isinstance(X, np.ndarray):
        X = np.asarray(X)
    if isinstance(X, str | bytes | dict) or not isinstance(X, Iterable):
        raise DataError(f"{name} must be a list of sequences, got {type(X).__name__}.")
    if isinstance(X, np.ndarray) and X.dtype.kind in "OUS" and X.ndim == 1:
        X = X.tolist()
    if isinstance(X, np.ndarray):
        return _from_array(X, name)
    rows = list(X)
    if not rows:
        raise DataError(f"{name} is empty: there are no sequences.")
    if all(isinstance(row, str) for row in rows):
        return Inputs("text", rows)
    if any(isinstance(row, str) for row in rows):
        k = next(k for k, row in enumerate(rows) if not isinstance(row, str))
        raise DataError(
            f"{name}, row {k}: texts and other things are mixed, got {_shown(rows[k])}."
        )
    if all(isinstance(row, list | tuple) for row in rows) and _of_words(rows):
        return _from_words(rows, name)
    return _from_list(rows, name)


def _of_words(rows: Sequence[Any]) -> bool:
    firsts = [row[0] for row in rows if len(row)]
    return bool(firsts) and isinstance(firsts[0], str)


def _from_words(rows: Sequence[Any], name: str) -> Inputs:
    for k, row in enumerate(rows):
        for symbol in row:
            if not isinstance(symbol, str):
                raise DataError(f"{name}, row {k}: symbols must be strings, got {_shown(symbol)}.")
    return Inputs("symbols", [list(row) for row in rows])


def _from_list(rows: Sequence[Any], name: str) -> Inputs:
    """Read a table of nested lists, or a list of arrays."""
    if not any(hasattr(row, "__array__") for row in rows):
        sizes = {np.ndim(row) and len(row) for row in rows} if _regular(rows) else set()
        if len(sizes) == 1:
            return _from_array(np.array(rows), name)
    series: list[NDArray[np.float64]] = []
    flat = True
    for k, row in enumerate(rows):
        try:
            array = _numbers(np.asarray(row), f"{name}, row {k}")
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{name}, row {k}: {_shown(row)} is no sequence of numbers.") from None
        if array.ndim == 1:
            array = array[:, np.newaxis]
        else:
            flat = False
        if array.ndim != 2:
            raise DataError(
                f"{name}, row {k}: a sequence is an array (T,) or (T, F), got {array.shape}."
            )
        if series and array.shape[1] != series[0].shape[1] and len(array):
            raise DataError(
                f"{name}, row {k}: {array.shape[1]} features a step, but row 0 has "
                f"{series[0].shape[1]}."
            )
        series.append(array)
    return Inputs("numbers", series, series[0].shape[1], flat=flat)


def _regular(rows: Sequence[Any]) -> bool:
    try:
        return bool(np.array(rows).dtype != object)
    except ValueError:
        return False


def _from_array(X: NDArray[Any], name: str) -> Inputs:
    if X.ndim not in (2, 3):
        raise DataError(
            f"{name} must be a table (n, T) or an array (n, T, F), got shape {X.shape}. Reshape "
            f"your data: {name}.reshape(-1, 1) holds n series of one step, {name}.reshape(1, -1) "
            "one series."
        )
    if not len(X):
        raise DataError(f"{name} is empty: there are no sequences (0 samples).")
    if X.shape[-1] == 0:
        raise DataError(f"{name}: 0 feature(s) (shape={X.shape}) while a minimum of 1 is required.")
    array = _numbers(X, name)
    if array.ndim == 2:
        rows = list(array[:, :, np.newaxis])
        return Inputs("numbers", rows, 1, columns=X.shape[1], flat=True)
    return Inputs("numbers", list(array), X.shape[2])


def _numbers(array: NDArray[Any], name: str) -> NDArray[np.float64]:
    if array.dtype.kind == "c":
        raise DataError(f"{name}: Complex data not supported: give real and imaginary parts.")
    if array.dtype.kind in "USMm":
        raise DataError(f"{name}: numbers were expected, got {array.dtype}.")
    try:
        numbers = array.astype(np.float64)
    except TypeError as error:
        raise ArgumentTypeError(
            f"{name}: every argument must be a string or a number: {error}."
        ) from None
    except ValueError as error:
        raise DataError(f"{name}: numbers were expected, {error}.") from None
    if not np.isfinite(numbers).all():
        what = "NaN" if np.isnan(numbers).any() else "infinity (inf)"
        where = tuple(int(place) for place in np.argwhere(~np.isfinite(numbers))[0])
        raise DataError(f"{name} holds {what} (at {where}): fill it in or leave the row out.")
    return numbers


def _shown(value: object) -> str:
    return shown_cell(repr(value))
