"""What a cell draws at random at each step, as inputs of its program."""

from dataclasses import dataclass
from typing import Literal

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
