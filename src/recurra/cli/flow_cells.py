"""Cells as they are written on the command line: a name, and what it is built with."""

import inspect
from typing import Any

from recurra.cells import CELLS, build_cell
from recurra.cells.activations import ACTIVATIONS
from recurra.cli.explain import read_options
from recurra.errors import ArgumentError, RecurraError


def read_cell(text: str, where: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the options of a cell written as NAME[:ACTIVATION|OPTION]...

    An option is written as OPTION=VALUE, or in short by how it begins if it is a switch.
    Raises `ArgumentError`, which says `where`.
    """
    name, *parts = text.split(":")
    try:
        if name not in CELLS:
            build_cell(name, 1, 1)
        options: dict[str, Any] = {}
        for part in parts:
            options |= _option(name, part)
    except RecurraError as error:
        raise ArgumentError(f"{where}: {error}") from None
    return name, options


def _option(cell: str, text: str) -> dict[str, Any]:
    if "=" in text:
        return read_options([text])
    parameters = inspect.signature(CELLS[cell]).parameters
    if "activation" in parameters and text in ACTIVATIONS:
        return {"activation": text}
    switches = [name for name, parameter in parameters.items() if parameter.default is False]
    fitting = [name for name in switches if text and name.startswith(text)]
    if len(fitting) == 1:
        return {fitting[0]: True}
    known = [*(ACTIVATIONS if "activation" in parameters else ()), *switches]
    raise ArgumentError(
        f"{cell} has no activation or switch {text!r}; it takes {', '.join(known) or 'none'}, or "
        "an option as NAME=VALUE."
    )
