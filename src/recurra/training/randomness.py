"""Where training's random numbers stand: torch's own, and those of the batches."""

from typing import Any

import torch
from torch import Tensor, nn

_DEPTH = 3  # attributes of attributes: a loader's sampler's generator


def random_states(batches: Any) -> dict[str, Any]:
    """Return the states of torch's generators and of each that is an attribute of the batches."""
    gpus = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if gpus else [],
        "batches": {name: g.get_state() for name, g in generators(batches).items()},
    }


def set_random_states(states: dict[str, Any], batches: Any) -> None:
    """Put the generators back; the batches have those of the states."""
    torch.set_rng_state(states["cpu"])
    if states["cuda"]:
        torch.cuda.set_rng_state_all(states["cuda"])
    for name, generator in generators(batches).items():
        generator.set_state(states["batches"][name])


def generators(batches: Any) -> dict[str, torch.Generator]:
    """Return the generators that batches have, by their attributes' names."""
    found: dict[str, torch.Generator] = {}
    _search(batches, "", set(), found)
    return found


def _search(place: Any, path: str, seen: set[int], found: dict[str, torch.Generator]) -> None:
    attributes = getattr(place, "__dict__", {})
    for name, value in sorted(attributes.items()):
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, torch.Generator):
            found[f"{path}{name}"] = value
        elif path.count(".") < _DEPTH and not isinstance(value, Tensor | nn.Module | type):
            _search(value, f"{path}{name}.", seen, found)
