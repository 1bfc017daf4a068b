"""Decoding: from a network's logits to sequences."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recurra.errors import ArgumentError

State = tuple[Tensor, ...]
# (tokens (T, B), state or None) -> (logits (T, B, V), state)
Step = Callable[[Tensor, State | None], tuple[Tensor, State]]


@dataclass(frozen=True)
class Sampling:
    """How a next symbol is drawn from its probabilities.

    temperature: divides the logits; below 1 the likely becomes likelier, above 1 rarer symbols
    come up more. top_k: draw among the k likeliest only. top_p: draw among the likeliest that
    together reach probability p only (Holtzman et al., arXiv 1904.09751).

    Raises `ArgumentError` unless temperature > 0, top_k >= 1, 0 < top_p <= 1.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise ArgumentError(
                f"temperature must be a number above 0, got {self.temperature}; "
                "1 draws as the model predicts, 0.5 more surely, 1.5 more boldly."
            )
        if self.top_k is not None and self.top_k < 1:
            raise ArgumentError(f"top_k must be at least 1, got {self.top_k}.")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ArgumentError(f"top_p must lie above 0 and at most at 1, got {self.top_p}.")

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities to draw from: logits (..., V) -> (..., V)."""
        # From the likeliest down and in float64, so that no temperature leaves the range.
        logits = logits.double()
        logits = (logits - logits.amax(-1, keepdim=True)) / self.temperature
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            least = logits.topk(self.top_k).values[..., -1:]
            logits = logits.masked_fill(logits < least, -math.inf)
        p = logits.softmax(-1)
        if self.top_p is not None and self.top_p < 1:
            ordered, order = p.sort(-1, descending=True)
            # A symbol stays if those before it do not reach p yet: the likeliest always does.
            stays = ordered.cumsum(-1) - ordered < self.top_p
            p = torch.zeros_like(p).scatter(-1, order, ordered * stays)
            p = p / p.sum(-1, keepdim=True)
        return p


@torch.no_grad()
def sample(
    step: Step,
    start: Tensor,
    *,
    end: int,
    banned: Sequence[int] = (),
    min_length: int = 0,
    max_length: int,
    sampling: Sampling | None = None,
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """Draw one sequence a row, symbol by symbol, until each has ended.

    Args:
        step: the network.
        start: (T, B), what every row begins with, T >= 1.
        end: the symbol that ends a sequence.
        banned: symbols never drawn.
        min_length: how many symbols are drawn before `end` may be.
        max_length: how many symbols are drawn at most; a sequence still going is cut there.
        sampling: how a symbol is drawn; as the network predicts if None.
        generator: what draws.

    Returns what was drawn after `start`, without `end`, for each row.
    """
    sampling = sampling or Sampling()
    drawn: list[Tensor] = []
    device = start.device
    going = torch.ones(start.shape[1], dtype=torch.bool, device=device)
    tokens, state = start, None
    for drawn_so_far in range(max_length):
        logits, state = step(tokens, state)
        barred = [*banned, end] if drawn_so_far < min_length else [*banned]
        numbers = torch.tensor(barred, device=device, dtype=torch.long)
        logits = logits[-1].index_fill(-1, numbers, -math.inf)
        p = sampling.probabilities(logits)
        symbol = torch.multinomial(p, 1, generator=generator).squeeze(-1)
        drawn.append(symbol)  # a row that has ended goes on, and is cut below
        going = going & (symbol != end)
        if not going.any():
            break
        tokens = symbol.unsqueeze(0)
    rows = torch.stack(drawn, 1).tolist() if drawn else [[]] * start.shape[1]
    return [row[: row.index(end)] if end in row else row for row in rows]


def collect(draw: Callable[[int], Sequence[Any]], n: int, *, unique: bool = False) -> list[Any]:
    """Return `n` sequences drawn some at a time; with `unique` all different.

    Args:
        draw: returns as many sequences as it is asked for.
        n: how many.
        unique: leave out what came up before, and give up once twenty draws brought nothing new;
            there are then fewer than `n`.

    Raises `ArgumentError` unless n is a whole number of at least 1.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ArgumentError(f"n must be a whole number of at least 1, got {n!r}.")
    made: list[Any] = []
    seen: set[tuple[Any, ...]] = set()
    fruitless = 0
    while len(made) < n and fruitless < 20:
        before = len(made)
        count = max(2 * (n - before), 16) if unique else n - before
        for row in draw(min(count, 512)):
            key = tuple(row) if isinstance(row, list) else (row.tobytes(),)
            if not unique or key not in seen:
                seen.add(key)
                made.append(row)
        fruitless = 0 if len(made) > before else fruitless + 1
    return made[:n]
