"""What cells written from their equations share: weights by name, states by name, a list of all."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

CELLS: dict[str, tuple[str, type["Equations"]]] = {}  # name -> (family, class)


class Equations(nn.Module):
    """A cell as a stranger writes it: `forward(x, *state) -> output, new state`, plain torch.

    `build` makes the weights and returns the size of each state.
    """

    state_sizes: dict[str, int]

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.I, self.H = input_size, hidden_size
        self.state_sizes = self.build(input_size, hidden_size)

    def build(self, I: int, H: int) -> dict[str, int]:  # noqa: E741
        raise NotImplementedError

    def matrix(self, *shape: int) -> nn.Parameter:
        return nn.Parameter(torch.randn(*shape) / math.sqrt(shape[-1]))

    def vector(self, size: int) -> nn.Parameter:
        return nn.Parameter(0.1 * torch.randn(size))


def cell(family: str, name: str) -> Callable[[type[Equations]], type[Equations]]:
    """List a cell under a name."""

    def add(kind: type[Equations]) -> type[Equations]:
        assert name not in CELLS, name
        CELLS[name] = family, kind
        return kind

    return add


def gates(module: nn.Module, x: Tensor, h: Tensor, count: int) -> Any:
    """Return the parts of W·x + U·h, as most gated cells have them."""
    return (module.x(x) + module.h(h)).chunk(count, -1)
