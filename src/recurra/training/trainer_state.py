"""A trainer's state as one nested record, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from recurra.errors import ModelFileError
from recurra.training.callback import Callback
from recurra.training.history import History
from recurra.training.place import Place

if TYPE_CHECKING:
    from recurra.training.loop import Trainer


def trainer_state(trainer: Trainer) -> dict[str, Any]:
    """Return weights, optimiser, schedule, the best weights, carried state, place and record."""
    return {
        "model": trainer.model.state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "schedule": None if trainer.schedule is None else trainer.schedule.state_dict(),
        "best": trainer.best,
        "carried": trainer.state,
        "place": asdict(replace(trainer.place, now=None)),
        "history": _packed(trainer.history),
        "callbacks": {name: kept for name, c in _named(trainer) if (kept := c.state_dict())},
    }


def load_trainer_state(trainer: Trainer, state: Mapping[str, Any]) -> None:
    """Put a trainer where `trainer_state` found it; raises `ModelFileError` if it does not fit."""
    try:
        trainer.model.load_state_dict(state["model"])
        trainer.optimizer.load_state_dict(state["optimizer"])
        if trainer.schedule is not None:
            trainer.schedule.load_state_dict(state["schedule"])
        device = next(trainer.model.parameters()).device
        trainer.best = tree_map_only(Tensor, lambda t: t.to(device), state["best"])
        trainer.state = tree_map_only(Tensor, lambda t: t.to(device), state["carried"])
        trainer.place = Place(**state["place"])
        trainer.history = _unpacked(state["history"])
        for name, callback in _named(trainer):
            if name in state["callbacks"]:
                callback.load_state_dict(state["callbacks"][name])
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"the checkpoint does not fit this training: {error}.") from error


def _packed(history: History) -> dict[str, Any]:
    """Return a record with its rows of norms, as long as the training, as tensors."""
    record = history.to_dict()
    for name in ("gradient_norms", "group_norms"):
        record[name] = _tensors(record[name])
    return record


def _unpacked(record: Mapping[str, Any]) -> History:
    return History.from_dict(tree_map_only(Tensor, Tensor.tolist, dict(record)))


def _tensors(norms: Any) -> Any:
    if isinstance(norms, dict):
        return {name: _tensors(each) for name, each in norms.items()}
    return torch.tensor(norms, dtype=torch.float64)


def _named(trainer: Trainer) -> Iterator[tuple[str, Callback]]:
    """Go through the callbacks, each by its class and which one of that class it is."""
    seen: dict[str, int] = {}
    for callback in trainer.callbacks:
        kind = type(callback).__name__
        seen[kind] = seen.get(kind, 0) + 1
        yield f"{kind} {seen[kind]}", callback
