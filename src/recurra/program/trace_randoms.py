"""What a cell draws at random at each step, as inputs of its program."""

import random
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Random:
    """Random numbers that each row of each step has its own of.

    kind: "dropout" is 0 with probability p and 1 / (1 - p) otherwise; "bernoulli" is 1 with
    probability p and 0 otherwise; "uniform" lies in [0, 1); "normal" has mean 0 and variance 1.
    size: how many features.
    """

    kind: Literal["dropout", "bernoulli", "uniform", "normal"]
    size: int
    p: float = 0.0

    def draw(self, T: int, B: int, like: Tensor) -> Tensor:
        """Return new random numbers (T, B, size), of the dtype and on the device of `like`."""
        drawn = like.new_empty(T, B, self.size)
        if self.kind == "uniform":
            return drawn.uniform_()
        if self.kind == "normal":
            return drawn.normal_()
        if self.kind == "bernoulli":
            return drawn.bernoulli_(self.p)
        return drawn.zero_() if self.p == 1 else drawn.bernoulli_(1 - self.p).div_(1 - self.p)


class Generators:
    """The global random generators of torch, Python and NumPy, as they were when this was made."""

    def __init__(self) -> None:
        self._torch = torch.get_rng_state()
        self._python = random.getstate()
        self._numpy = numpy_state()

    def unused(self) -> bool:
        """Return whether nothing has been drawn from them since."""
        return (
            torch.equal(self._torch, torch.get_rng_state())
            and self._python == random.getstate()
            and self._numpy == numpy_state()
        )

    def restore(self) -> None:
        """Undo what has been drawn from them."""
        if not self.unused():
            torch.set_rng_state(self._torch)
            random.setstate(self._python)
            name, keys, *others = self._numpy
            np.random.set_state((name, np.frombuffer(keys, np.uint32), *others))  # noqa: NPY002


def numpy_state() -> Any:
    """Return the state of NumPy's global generator, in a form that can be compared."""
    state: Any = np.random.get_state()  # noqa: NPY002
    name, keys, *others = state
    return name, keys.tobytes(), *others
