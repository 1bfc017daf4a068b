"""What a cell draws at random at each step, as inputs of its program."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from recurra.errors import ArgumentError
from recurra.program.trace_leaves import Path


@dataclass(frozen=True)
class Random:
    """Random numbers that each row of each step has its own of.

    kind: "dropout" is 0 with probability p and 1 / (1 - p) otherwise; "bernoulli" is 1 with
    probability p and 0 otherwise; "uniform" lies in [0, 1); "normal" has mean 0 and variance 1.
    size: how many features. p: the probability, or where the cell keeps one that changes.
    """

    kind: Literal["dropout", "bernoulli", "uniform", "normal"]
    size: int
    p: float | Path = 0.0

    def __str__(self) -> str:
        p = str(self.p) if isinstance(self.p, Path) else f"{self.p:g}"
        return f"{self.kind}({p})" if self.p else self.kind

    def draw(self, T: int, B: int, like: Tensor, cell: object = None) -> Tensor:
        """Return new random numbers (T, B, size), of the dtype and on the device of `like`.

        cell: what a probability that changes is read from.
        Raises `ArgumentError` for one that is none.
        """
        drawn = like.new_empty(T, B, self.size)
        p = float(self.p.read(cell)) if isinstance(self.p, Path) else self.p
        if not 0 <= p <= 1:
            raise ArgumentError(f"a probability must lie between 0 and 1, got {p}.")
        if self.kind == "uniform":
            return drawn.uniform_()
        if self.kind == "normal":
            return drawn.normal_()
        if self.kind == "bernoulli":
            return drawn.bernoulli_(p)
        return drawn.zero_() if p == 1 else drawn.bernoulli_(1 - p).div_(1 - p)
