"""What two runs must have in common for one to go on where the other stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from recurra.errors import ArgumentError
from recurra.training.randomness import generators, random_states, set_random_states

if TYPE_CHECKING:
    from recurra.training.batches import Batches
    from recurra.training.loop import Trainer

_LOOKED_AT = 64  # batches; all of them would be a pass over data that may not fit into memory
_PROBES = (0, 1, 10, 100, 1000, 10_000)  # the steps at which a schedule's function is looked at


def run_settings(
    trainer: Trainer, train: Batches, valid: Batches | None, begin: Mapping[str, Any]
) -> dict[str, str]:
    """Return what makes a run's result, each setting by name and as text.

    Args:
        trainer: as it is before the run's first step.
        train, valid: its data, of which the first 64 batches of a pass are looked at.
        begin: the states of the random numbers when the run began.
    """
    schedule = trainer.schedule
    found: dict[str, Any] = {
        "model": type(trainer.model).__name__,
        **{f"weights {name}": _kind(t) for name, t in trainer.model.state_dict().items()},
        "optimizer": type(trainer.optimizer).__name__,
        **{f"optimizer {name}": value for name, value in trainer.optimizer.defaults.items()},
        "schedule": None if schedule is None else type(schedule).__name__,
        "epochs": trainer.epochs,
        "clip": trainer.clip,
        "clip_by": trainer.clip_by,
        "carry": trainer.carry,
        "patience": trainer.patience,
        "precision": trainer.precision,
        "processes": trainer.processes.world,
        **trainer.settings,
        "batches of an epoch": len(train),
        "batches of validation": 0 if valid is None else len(valid),
        "generators of the batches": sorted(generators(train)),
        "data": _digest(train, begin),
    }
    if isinstance(schedule, torch.optim.lr_scheduler.LambdaLR):
        found["schedule's rates"] = [[f(k) for k in _PROBES] for f in schedule.lr_lambdas]
    if valid is not None:
        found["data of validation"] = _digest(valid, None)
    return {name: _text(value) for name, value in found.items()}


def check_settings(before: Mapping[str, str], now: Mapping[str, str], where: str) -> None:
    """Raise `ArgumentError`, naming what differs, unless two runs' settings are the same."""
    told = differences(before, now)
    if not told:
        return
    raise ArgumentError(
        f"{where}: the run to resume had other settings ({told}). Give it the same, or train "
        "anew in another folder."
    )


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return which settings are not the same, with both values, as text; empty if all are."""
    names = [*now, *(name for name in before if name not in now)]
    different = [name for name in names if before.get(name) != now.get(name)]
    return "; ".join(f"{n}: {before.get(n, 'none')}, now {now.get(n, 'none')}" for n in different)


def _digest(batches: Batches, begin: Mapping[str, Any] | None) -> str:
    """Return a checksum of a pass's first batches; the random numbers stay where they are."""
    kept = random_states(batches)
    seen = hashlib.sha256()
    try:
        if begin is not None and begin["batches"].keys() == kept["batches"].keys():
            set_random_states(dict(begin), batches)
        for batch in islice(batches, _LOOKED_AT):
            _feed(seen, batch)
    finally:
        set_random_states(kept, batches)
    return seen.hexdigest()[:16]


def _feed(seen: Any, value: Any) -> None:
    """Take a batch, whatever it is made of, into a checksum."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        seen.update(f"{value.dtype}{tuple(value.shape)}".encode())
        seen.update(value.contiguous().flatten().view(torch.uint8).numpy())
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        seen.update(f"{value.dtype}{value.shape}".encode())
        seen.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Mapping):
        _feed(seen, list(value.items()))
    elif isinstance(value, list | tuple):
        seen.update(f"{len(value)} of".encode())
        for part in value:
            _feed(seen, part)
    elif is_dataclass(value) and not isinstance(value, type):
        _feed(seen, [getattr(value, field.name) for field in fields(value)])
    elif value is None or isinstance(value, bool | int | float | str | bytes):
        seen.update(repr(value).encode())
    else:
        seen.update(type(value).__name__.encode())  # its text may be another in every process


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _text(value: Any) -> str:
    """Return a setting as text, the same in every process."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(_text(v) for v in value)}]"
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return str(value)
    if isinstance(value, Tensor):
        return _text(value.tolist())
    if isinstance(value, Mapping):
        return _text([[key, each] for key, each in value.items()])
    return getattr(value, "__name__", type(value).__name__)
