"""States of training as JSON beside tensors: nothing in them is code."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from recurra.errors import ArgumentError


def to_plain(value: Any, tensors: dict[str, Tensor], name: str = "") -> Any:
    """Return `value` as JSON can hold it, and put its tensors into `tensors`, by where they were.

    It may consist of dicts, lists, tuples, tensors, numbers, text and None. Raises `ArgumentError`
    for anything else.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor):
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        # As pairs, because an optimiser's keys are numbers and JSON's are not.
        return {
            "dict": [[_key(k, name), to_plain(v, tensors, f"{name}.{k}")] for k, v in value.items()]
        }
    if type(value) in (list, tuple):
        parts = [to_plain(v, tensors, f"{name}.{k}") for k, v in enumerate(value)]
        return {type(value).__name__: parts}
    raise ArgumentError(
        f"{name.lstrip('.')} holds a {type(value).__name__}, which a checkpoint cannot: only "
        "dicts, lists, tuples, tensors, numbers and text."
    )


def from_plain(record: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return what `to_plain` was given; raises `KeyError` or `ValueError` for another record."""
    if not isinstance(record, dict):
        return record
    ((kind, content),) = record.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: from_plain(value, tensors) for key, value in content}
    parts = [from_plain(part, tensors) for part in content]
    return {"list": list, "tuple": tuple}[kind](parts)


def _key(key: Any, name: str) -> Any:
    if isinstance(key, str | int):
        return key
    raise ArgumentError(f"{name.lstrip('.')} has the key {key!r}: only text and whole numbers.")
