"""What a checkpoint holds of several processes: what is alike once, the rest of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.training.checkpoint import pack, unpack
from recurra.training.processes import Processes

if TYPE_CHECKING:
    from recurra.training.loop import Trainer


def shared_state(trainer: Trainer, now: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trainer's state and where random numbers stand, with the other processes' own.

    now: the states of this process's random numbers.
    """
    state = {"now": now, "trainer": trainer.state_dict()}
    if trainer.processes.alone:
        return state
    own = pack({"now": now, "carried": trainer.state})
    _, *others = trainer.processes.gather(own)
    return {**state, "others": [_unpacked(content) for content in others]}


def load_shared(trainer: Trainer, state: Mapping[str, Any]) -> None:
    """Put a trainer where it was in this process; raises `ModelFileError` if it does not fit."""
    rank = trainer.processes.rank
    of_all, now = state["trainer"], state["now"]
    if rank:
        own = state["others"][rank - 1]
        of_all, now = {**of_all, "carried": own["carried"]}, own["now"]
    trainer.load_state_dict(of_all)
    trainer.place.now = now


def broadcast_state(processes: Processes, state: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the state that the first process has, None if it has none."""
    content = processes.broadcast(b"" if state is None else pack(dict(state)))
    return _unpacked(content) if content else None


def _unpacked(content: bytes) -> dict[str, Any]:
    return unpack(content, Path("another process's state"))
