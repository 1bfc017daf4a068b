"""What is exported: a graph, and what it must agree with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recurra.export.graph import Graph, Port

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Subject:
    """A graph with what it stands for.

    graph: complete; about: one line; run: what the model itself gives for inputs by their names,
    in the order of the graph's outputs; notes: what a user needs to feed it, as JSON can hold it.
    """

    graph: Graph
    about: str
    run: Callable[[Arrays], Sequence[NDArray[Any]]]
    notes: Mapping[str, Any] = field(default_factory=dict)

    def draw(self, rng: np.random.Generator, sizes: Mapping[str, int]) -> Arrays:
        """Return random inputs; sizes: of each axis by its letter."""
        return {port.name: _drawn(port, rng, sizes) for port in self.graph.inputs}


def _drawn(port: Port, rng: np.random.Generator, sizes: Mapping[str, int]) -> NDArray[Any]:
    shape = tuple(axis if isinstance(axis, int) else sizes[axis] for axis in port.axes)
    low, high = (_bound(v, sizes) for v in (port.low, port.high))
    if np.issubdtype(port.dtype, np.integer):
        return rng.integers(low, high, shape, endpoint=True).astype(port.dtype)
    return rng.uniform(low, high, shape).astype(port.dtype)


def _bound(value: Any, sizes: Mapping[str, int]) -> Any:
    if not isinstance(value, str):
        return value
    axis, _, less = value.partition("-")
    return sizes[axis] - int(less or 0)


@contextmanager
def in_use(network: nn.Module) -> Iterator[None]:
    """Run a block with the network as it predicts, without gradients."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training
