"""From an estimator to what a file can hold, and back."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from recurra.errors import ArgumentError, ModelFileError
from recurra.tasks.storage import Saved

# Parameters of a run, not of the model: they are not saved.
RUN_ONLY = ("callbacks", "checkpoint", "device", "progress", "resume")


def plain_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return an estimator's parameters as JSON gives them back, a class by its name.

    Raises `ArgumentError` for one that cannot be written down.
    """
    kept = {name: value for name, value in parameters.items() if name not in RUN_ONLY}
    if isinstance(kept["cell"], type):
        kept["cell"] = {"class": kept["cell"].__name__}
    return {name: _plain(name, value) for name, value in kept.items()}


def given_parameters(saved: Saved, cell: type[nn.Module] | None) -> dict[str, Any]:
    """Return the saved parameters as they were given; raises `ModelFileError`."""
    parameters = dict(saved.config.parameters)
    named = parameters.get("cell")
    if isinstance(named, dict):
        if cell is None or cell.__name__ != named.get("class"):
            raise ModelFileError(
                f"{saved.path}: its cell is the class {named.get('class')!r} of its author's "
                "own: pass that class as cell= ."
            )
        parameters["cell"] = cell
    # JSON has lists where tuples were given; no parameter is a list.
    return {k: tuple(v) if isinstance(v, list) else v for k, v in parameters.items()}


def check_tensors(saved: Saved, wanted: Mapping[str, Tensor]) -> None:
    """Raise `ModelFileError` unless the saved tensors are those that a network has."""
    for name in sorted(wanted.keys() | saved.tensors.keys()):
        if name not in saved.tensors or name not in wanted:
            what = "is missing" if name in wanted else "does not belong to the model"
            raise ModelFileError(f"{saved.path}: damaged, the tensor {name} {what}.")
        have, want = saved.tensors[name], wanted[name]
        if have.shape != want.shape or have.dtype != want.dtype:
            raise ModelFileError(
                f"{saved.path}: damaged, the tensor {name} is {have.dtype} of "
                f"{tuple(have.shape)}, not {want.dtype} of {tuple(want.shape)}."
            )


def _plain(name: str, value: Any) -> Any:
    """Return `value` as JSON gives it back."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
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
