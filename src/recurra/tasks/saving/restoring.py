"""From an estimator to what a file can hold, and back."""

import dataclasses
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, get_type_hints

import numpy as np
import pydantic
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from recurra.errors import ArgumentError, ModelFileError
from recurra.tasks.saving.config import HISTORY, About, first_fault
from recurra.tasks.saving.files import as_json, shown
from recurra.tasks.saving.folder import Saved
from recurra.training.history import History

# Parameters of a run, not of the model: they are not saved.
RUN_ONLY = ("callbacks", "checkpoint", "device", "progress", "resume")
# What building a network raises where the parts of a file do not fit together.
UNFIT = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


def plain_parameters(kind: type, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return an estimator's parameters as JSON gives them back, a class by its name.

    kind: the estimator's class. Raises `ArgumentError` for one that cannot be written down.
    """
    kept = {name: _plain(name, v) for name, v in parameters.items() if name not in RUN_ONLY}
    for name, adapter in _types(kind).items():
        if name in kept and not isinstance(kept[name], dict):
            try:  # 1 where True is meant will not be refused when it is read
                kept[name] = adapter.validate_python(_as_given(kept[name]))
            except pydantic.ValidationError as error:
                raise ArgumentError(
                    f"{name}={kept[name]!r} cannot be saved: {first_fault(error)}."
                ) from None
    return kept


def given_parameters(kind: type, saved: Saved, cell: type[nn.Module] | None) -> dict[str, Any]:
    """Return the saved parameters as they were given.

    Raises `ModelFileError` for other types than the estimator's class `kind` has, and for a cell
    that is not the class `cell`.
    """
    parameters = dict(saved.config.parameters)
    named = parameters.get("cell")
    if isinstance(named, dict):
        if cell is None or named != _named(cell):
            raise ModelFileError(
                f"{saved.path}: its cell is the class {shown(repr(named.get('class')), 80)} of its "
                "author's own: pass that class as cell= ."
            )
        parameters["cell"] = cell
    given = {name: _as_given(value) for name, value in parameters.items()}
    types = _types(kind)
    for name, value in given.items():
        if name not in types:
            raise ModelFileError(
                f"{saved.path}: damaged, a {kind.__name__} has no parameter {shown(name, 40)}."
            )
        try:
            types[name].validate_python(value, strict=True)
        except pydantic.ValidationError as error:
            raise ModelFileError(
                f"{saved.path}: damaged, the parameter {name}: {first_fault(error)}."
            ) from None
    return given


def given_about(known: About, given: Mapping[str, Any]) -> About:
    """Return what is known of a model with what a user adds; raises `ArgumentError`."""
    try:
        return About.model_validate({**known.model_dump(), **given})
    except pydantic.ValidationError as error:
        raise ArgumentError(f"about: {first_fault(error)}.") from None


def given_history(saved: Saved) -> History:
    """Return the record of training; raises `ModelFileError` for one of another form."""
    file = saved.path / HISTORY
    try:
        history = _HISTORY.validate_json(as_json(saved.history), strict=True)
    except pydantic.ValidationError as error:
        raise ModelFileError(f"{file}: damaged, {first_fault(error)}.") from None
    for name in saved.history.keys() - history.to_dict().keys():
        raise ModelFileError(f"{file}: damaged, there is no {shown(name, 40)} in such a record.")
    return history


def check_tensors(saved: Saved, wanted: Mapping[str, Tensor]) -> None:
    """Raise `ModelFileError` unless the saved tensors are those that a network has."""
    for name in sorted(wanted.keys() | saved.tensors.keys()):
        told = f"{saved.path}: damaged, the tensor {shown(name, 80)}"
        if name not in saved.tensors or name not in wanted:
            what = "is missing" if name in wanted else "does not belong to the model"
            raise ModelFileError(f"{told} {what}.")
        have, want = saved.tensors[name], wanted[name]
        if have.shape != want.shape or have.dtype != want.dtype:
            raise ModelFileError(
                f"{told} is {have.dtype} of {tuple(have.shape)}, not {want.dtype} of "
                f"{tuple(want.shape)}."
            )


@contextmanager
def at_most_parameters(most: int) -> Iterator[None]:
    """Run a block that builds a network; raises `ValueError` once it has more than `most` tensors.

    A file that asks for a million layers is refused in no time.
    """
    mine, count = threading.get_ident(), 0

    def register(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal count
        if threading.get_ident() == mine:
            count += 1
            if count > most:
                raise ValueError("the network it describes has more tensors than are saved")

    hook = register_module_parameter_registration_hook(register)
    try:
        yield
    finally:
        hook.remove()


_HISTORY = pydantic.TypeAdapter(History)


@cache
def _types(kind: type) -> dict[str, pydantic.TypeAdapter[Any]]:
    """Return what checks each parameter of an estimator's class, by its annotation or None."""
    hints = get_type_hints(kind)
    names = (field.name for field in dataclasses.fields(kind))
    return {
        name: pydantic.TypeAdapter(hints[name] | None) for name in names if name not in RUN_ONLY
    }


def _as_given(value: Any) -> Any:
    """Return a tuple for a list: JSON has lists where tuples were given; no parameter is a list."""
    return tuple(value) if isinstance(value, list) else value


def _named(cell: type) -> dict[str, str]:
    return {"class": cell.__name__}


def _plain(name: str, value: Any) -> Any:
    """Return `value` as JSON gives it back."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if name == "cell" and isinstance(value, type):
        return _named(value)
    if isinstance(value, tuple | list):
        return [_plain(name, v) for v in value]
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {k: _plain(name, v) for k, v in value.items()}
    if name == "random_state":  # a generator in some state: not needed to use the model
        return None
    raise ArgumentError(
        f"{name}={value!r} cannot be saved: only numbers, text, lists and dicts can. "
        "An activation can be given by name; a cell as a class of your own."
    )
