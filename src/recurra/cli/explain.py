"""`recurra explain`: what runs of a cell."""

import json
import warnings
from collections.abc import Sequence
from typing import Any

from recurra.errors import ArgumentError, RecurraError, RecurraWarning
from recurra.layers import Recurrent, explain


def run(
    cell: str,
    input_size: int,
    hidden_size: int,
    layers: int,
    bidirectional: bool,
    options: Sequence[str],
) -> None:
    """Print what runs of a layer of such cells."""
    given = read_options(options)
    try:
        layer = Recurrent(
            cell, input_size, hidden_size, layers, bidirectional=bidirectional, **given
        )
    except RecurraError:
        raise
    except TypeError as error:  # of an option's value
        raise ArgumentError(f"--option {' '.join(options)}: {error}") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecurraWarning)  # the text says it, too
        print(explain(layer))


def read_options(options: Sequence[str]) -> dict[str, Any]:
    """Return options written as NAME=VALUE by name; raises `ArgumentError`."""
    found: dict[str, Any] = {}
    for option in options:
        name, sign, text = option.partition("=")
        if not (name.isidentifier() and sign):
            raise ArgumentError(f"--option {option!r}: write it as NAME=VALUE.")
        found[name] = read_value(text)
    return found


def read_value(text: str) -> object:
    """Return the number, true, false or null that a text stands for, else the text."""
    try:
        value: object = json.loads(text.lower() if text in ("True", "False") else text)
    except ValueError:
        return text
    return value
