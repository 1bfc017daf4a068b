"""The problems: sequences that are answered right only by who remembers their beginning."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

CATEGORIES, SYMBOLS = 8, 2  # of the copy problem; the paper has 10 symbols to remember
BLANK, DELIMITER = CATEGORIES, CATEGORIES + 1


@dataclass(frozen=True)
class Problem:
    """A task that asks for a memory of T steps.

    sizes: the features of x and of the head's outputs.
    batch: T, B and a generator to inputs x (steps, B, I) and targets y.
    loss: the outputs (steps, B, outputs) and y to a mean.
    naive: the loss, at T, of the best answer that remembers nothing.
    bound: the share of the naive loss below which the problem is solved.
    told: what it is, for the report.
    """

    title: str
    sizes: tuple[int, int]
    batch: Callable[[int, int, Generator], tuple[Tensor, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor]
    naive: Callable[[int], float]
    bound: float
    told: str


def adding(T: int, B: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Return x (T, B, 2) of values in [0, 1) and marks, one mark in each half, and y (B, 1)."""
    values, marks = torch.rand(T, B, generator=generator), torch.zeros(T, B)
    half, rows = T // 2, torch.arange(B)
    marks[torch.randint(half, (B,), generator=generator), rows] = 1
    marks[torch.randint(half, T, (B,), generator=generator), rows] = 1
    return torch.stack([values, marks], -1), (values * marks).sum(0).unsqueeze(-1)


def copying(T: int, B: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Return x (T + 2·SYMBOLS, B, CATEGORIES + 2), one-hot, and classes y (T + 2·SYMBOLS, B)."""
    symbols = torch.randint(CATEGORIES, (SYMBOLS, B), generator=generator)
    x = torch.full((T + 2 * SYMBOLS, B), BLANK)
    y = x.clone()
    x[:SYMBOLS] = y[T + SYMBOLS :] = symbols
    x[T + SYMBOLS - 1] = DELIMITER
    return F.one_hot(x, CATEGORIES + 2).float(), y


PROBLEMS = {
    "adding": Problem(
        "The adding problem",
        (2, 1),
        adding,
        lambda out, y: F.mse_loss(out[-1], y),
        lambda T: 1 / 6,
        0.06,
        "x has T values, uniform in [0, 1), and one mark in each half; wanted after the last step "
        "is the sum of the two marked values (Hochreiter and Schmidhuber, 1997; with marks as in "
        "Le et al., arXiv 1504.00941). Always answering 1 has a mean squared error of 0.167; "
        "solved is less than 0.01. With truncate=10 the gradient reaches the last 11 steps, "
        "where 22/T of the rows have a mark.",
    ),
    "copying": Problem(
        "The copy problem",
        (CATEGORIES + 2, CATEGORIES + 1),
        copying,
        lambda out, y: F.cross_entropy(out.flatten(0, 1), y.flatten()),
        lambda T: SYMBOLS * math.log(CATEGORIES) / (T + 2 * SYMBOLS),
        0.1,
        f"{SYMBOLS} symbols of {CATEGORIES} kinds, T blanks of which the last is a delimiter, then "
        f"the symbols are wanted in order (Arjovsky et al., arXiv 1511.06464, with {SYMBOLS} in "
        f"place of 10). Guessing them has a cross entropy of {SYMBOLS}·ln {CATEGORIES} / "
        f"(T + {2 * SYMBOLS}) a step; solved is less than a tenth of it. With truncate=10 "
        "no gradient of a wanted symbol reaches the steps at which the symbols are shown.",
    ),
}
