"""JSON as it is written down: nothing that is not in the standard, nothing said twice."""

import json
from typing import Any

from pydantic_core import from_json, to_json

from recurra.serve.refusals import RefusedError

_DEPTH = 32
_FAR = 1.7e308  # what no double holds is no number here


def parse(body: bytes | str) -> Any:
    """Return what a body says.

    Raises `RefusedError` for what is no JSON in UTF-8 (NaN and half characters included), for a
    name that an object has twice, for more than 32 levels and for numbers that no double holds.
    """
    text = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise RefusedError(400, "json", f"the body is no JSON: {error}.") from None
    names, depth = _measure(value)
    if depth > _DEPTH:
        raise RefusedError(400, "json", f"the body is nested more than {_DEPTH} levels deep.")
    # Each name has a colon. More colons may stand in texts: only then is it worth a closer look.
    if text.count(b":") > names:
        _refuse_twice(text)
    return value


def dump(value: Any) -> bytes:
    """Return a value as JSON; numbers that are not finite become null."""
    return to_json(value, inf_nan_mode="null")


def size_of(value: Any) -> int:
    """Return how many characters, numbers and lists a value from JSON holds."""
    if isinstance(value, str):
        return len(value) + 1
    if isinstance(value, list):
        return 1 + sum(map(size_of, value))
    if isinstance(value, dict):
        return 1 + sum(map(size_of, value.values()))
    return 1


def check_size(most: int, value: Any) -> int:
    """Return a value's size; raises `RefusedError` where it is more than a request may hold."""
    size = size_of(value)
    if size > most:
        raise RefusedError(
            413, "large", f"a request may hold {most:,} characters or numbers, this has {size:,}."
        )
    return size


def _measure(value: Any) -> tuple[int, int]:
    """Return how many names the objects in a value have, and how deep it is."""
    kind = type(value)
    if kind is dict:
        names, parts = len(value), value.values()
    elif kind is list:
        names, parts = 0, value
    else:
        return 0, 0
    depth = 0
    for part in parts:
        kind = type(part)
        if kind is dict or kind is list:
            inner, below = _measure(part)
            names += inner
            depth = max(depth, below)
        elif (kind is int or kind is float) and not -_FAR < part < _FAR:
            raise RefusedError(400, "json", "a number in the body is out of range.")
    return names, depth + 1


def _refuse_twice(text: bytes) -> None:
    def once(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise RefusedError(
                400, "json", f"the name {twice[:30]!r} is there twice in one object."
            )

    try:
        json.loads(text, object_pairs_hook=once)
    except ValueError as error:
        raise RefusedError(400, "json", f"the body is no JSON: {error}.") from None
