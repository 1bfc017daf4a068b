"""What reads streams of an estimator: many at a time, each with a state of its own."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.errors import ArgumentError
from recurra.layers import Recurrent

State = dict[str, Tensor]


class StreamReader(ABC):
    """Reads pieces of streams; what is kept of each is tensors by name."""

    @abstractmethod
    def start(self) -> State:
        """Return the state of a stream of which nothing was read."""

    @abstractmethod
    def read(self, pieces: Sequence[Any]) -> list[Any]:
        """Return pieces as rows of steps; raises `DataError` for another form."""

    @abstractmethod
    def advance(
        self, states: Sequence[State], rows: Sequence[Any]
    ) -> tuple[list[State], list[Any]]:
        """Read rows on from states; return the states after them, and the predictions."""

    def check(self, state: Mapping[str, Tensor]) -> None:
        """Raise `ArgumentError` unless a state is of the form of this reader's."""
        self.check_form(self.start(), state)

    def check_form(self, wanted: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
        """Raise `ArgumentError` unless a state has the tensors of the one that is wanted."""
        for name in sorted(wanted.keys() | state.keys()):
            if name not in wanted or name not in state:
                what = "has no" if name in wanted else "has another,"
                raise ArgumentError(f"the state {what} {name}: it is of another kind of stream.")
            have, want = state[name], wanted[name]
            if have.dtype != want.dtype or (have.shape != want.shape and not self.grows(name)):
                raise ArgumentError(
                    f"the state's {name} is {have.dtype} of {tuple(have.shape)}, not "
                    f"{want.dtype} of {tuple(want.shape)}."
                )

    def grows(self, name: str) -> bool:
        """Return whether a tensor of the state may have any length."""
        return False


def fresh_layer_state(layer: Recurrent) -> State:
    """Return the layer's state at the beginning of one stream, each (L, size)."""
    like = next(layer.parameters()).detach()
    return {
        f"layer.{name}": tensor[:, 0].detach().clone()
        for name, tensor in zip(layer.state_sizes, layer.fresh_state(like, 1), strict=True)
    }


def run_layer(
    layer: Recurrent, x: Tensor, states: Sequence[State], lengths: Tensor
) -> tuple[Tensor, list[State]]:
    """Run the layer over the next steps x (T, B, I) of B streams; return outputs and states."""
    names = [f"layer.{name}" for name in layer.state_sizes]
    start = tuple(torch.stack([state[name] for state in states], 1).to(x) for name in names)
    out, last = layer(x, start, lengths)
    return out, [
        {name: tensor[:, b].clone() for name, tensor in zip(names, last, strict=True)}
        for b in range(len(states))
    ]
