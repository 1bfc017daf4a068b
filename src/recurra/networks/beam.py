"""Beam search: the likeliest sequences, several kept at every step, for a whole batch at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.errors import ArgumentError
from recurra.networks.decoding import Step

_WIDEST = 10_000  # each costs a state and a vocabulary of memory


@dataclass(frozen=True)
class Hypothesis:
    """A sequence found: its symbols without the end, log p of all and the end, its score."""

    symbols: list[int]
    log_p: float
    score: float


@dataclass(frozen=True)
class Beam:
    """How a beam search goes.

    size: K, how many unfinished sequences are kept a row. length_penalty: α; sequences are ranked
    by log p / lp(n), lp(n) = ((5 + n)/6)^α, n the symbols with the end: 0 ranks by log p, more
    favours longer ones (Wu et al., arXiv 1609.08144, equation 14, without coverage).

    Raises `ArgumentError` unless size is 1 to 10,000 and length_penalty is a number of at least 0.
    """

    size: int = 5
    length_penalty: float = 0.0

    def __post_init__(self) -> None:
        if not (_whole(self.size) and 1 <= self.size <= _WIDEST):
            raise ArgumentError(
                f"beam_size must be a whole number of at least 1, got {self.size!r}; it is at most "
                f"{_WIDEST:,}."
            )
        alpha = self.length_penalty
        number = hasattr(alpha, "__float__") and not isinstance(alpha, bool)
        if not (number and math.isfinite(alpha) and alpha >= 0):
            raise ArgumentError(f"length_penalty must be a number of at least 0, got {alpha!r}.")

    def score(self, log_p: float, n: int) -> float:
        """Return log_p / lp(n)."""
        return log_p / math.pow((5 + n) / 6, self.length_penalty)


@torch.no_grad()
def beam_search(
    step: Step,
    start: Tensor,
    *,
    end: int,
    banned: Sequence[int] = (),
    min_length: int = 0,
    max_length: int,
    beam: Beam | None = None,
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """Find for each row the sequences of highest score.

    At each step all B·K unfinished sequences are one call; a row is done when no unfinished
    sequence of it can still come to a better score than the n_best found. Every sequence ends:
    after `max_length` symbols nothing else may follow. With K so large that nothing is ever
    dropped the result is exact; K = 1 follows one sequence, that of the likeliest next symbols, and
    finds the best place to end it.

    Args:
        step: (tokens (T, B·K), state) -> (logits (T, B·K, V), state); the K rows of each of the B
            rows stand side by side, a state is a tuple of tensors (L, B·K, size).
        start: (T, B), what every row begins with, T >= 1.
        end: the symbol that ends a sequence.
        banned: symbols never taken.
        min_length: how many symbols come before `end` may.
        max_length: how many symbols a sequence may have, its end not counted.
        beam: K and the length penalty.
        n_best: how many sequences a row, at most K; where fewer end, fewer.

    Returns for each row its sequences, the best first. Raises `ArgumentError` for other numbers.
    """
    beam = beam or Beam()
    if not (_whole(n_best) and 1 <= n_best <= beam.size):
        raise ArgumentError(
            f"n_best must be a whole number from 1 to beam_size={beam.size}, got {n_best!r}."
        )
    search = _Search(start.shape[1], beam, n_best, max_length, end)
    tokens, state = start.repeat_interleave(beam.size, 1), None
    for length in range(max_length + 1):
        logits, state = step(tokens, state)
        barred = [*banned, end] if length < min_length else [*banned]
        numbers = torch.tensor(barred, dtype=torch.long, device=logits.device)
        log_p = logits[-1].double().index_fill(-1, numbers, -math.inf).log_softmax(-1)
        chosen, symbols = search.extend(log_p, length)
        if search.done():
            break
        state = tuple(s.index_select(1, chosen.to(s.device)) for s in state)
        tokens = symbols.to(start.device).unsqueeze(0)
    return search.best()


class _Search:
    """The sequences of every row: those that have ended, and the K that go on."""

    def __init__(self, B: int, beam: Beam, n_best: int, max_length: int, end: int) -> None:
        self._beam, self._n_best, self._max_length, self._end = beam, n_best, max_length, end
        K = beam.size
        self._log_p = torch.full((B, K), -math.inf, dtype=torch.float64)
        self._log_p[:, 0] = 0.0  # all K are the same at first: one of them counts
        self._live: list[list[list[int]]] = [[[] for _ in range(K)] for _ in range(B)]
        self._ended: list[list[Hypothesis]] = [[] for _ in range(B)]
        self._done = [False] * B

    def extend(self, log_p: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Take one step: log_p (B·K, V) of each next symbol -> rows to go on from, their symbols.

        Both are (B·K,) int64.
        """
        B, K = self._log_p.shape
        total = self._log_p.unsqueeze(-1) + log_p.cpu().view(B, K, log_p.shape[-1])
        V = total.shape[-1]
        ends = total[:, :, self._end]
        self._end_sequences(ends.tolist(), length)
        going = total.index_fill(-1, torch.tensor([self._end]), -math.inf).flatten(1)
        self._log_p, places = going.topk(min(K, going.shape[1]), -1)
        if places.shape[1] < K:  # fewer than K ways to go on: the rest is empty
            missing = K - places.shape[1]
            self._log_p = torch.nn.functional.pad(self._log_p, (0, missing), value=-math.inf)
            places = torch.nn.functional.pad(places, (0, missing))
        parents, symbols = places // V, places % V
        for b, (rows, taken) in enumerate(zip(parents.tolist(), symbols.tolist(), strict=True)):
            if not self._done[b]:
                self._live[b] = [
                    [*self._live[b][k], symbol] for k, symbol in zip(rows, taken, strict=True)
                ]
        self._settle()
        first = torch.arange(B).unsqueeze(1) * K
        return (first + parents).flatten(), symbols.flatten()

    def done(self) -> bool:
        """Return whether no row can find a better sequence."""
        return all(self._done)

    def best(self) -> list[list[Hypothesis]]:
        """Return each row's sequences, the best first."""
        return self._ended

    def _end_sequences(self, ends: list[list[float]], length: int) -> None:
        for b, row in enumerate(ends):
            if self._done[b]:
                continue
            for k, log_p in enumerate(row):
                if log_p > -math.inf:
                    score = self._beam.score(log_p, length + 1)
                    self._ended[b].append(Hypothesis(self._live[b][k], log_p, score))
            self._ended[b].sort(key=lambda found: -found.score)
            del self._ended[b][self._n_best :]

    def _settle(self) -> None:
        """Mark the rows of which no unfinished sequence can still win."""
        for b, log_p in enumerate(self._log_p[:, 0].tolist()):
            # log p only falls, and its divisor is largest for the longest sequence.
            bound = self._beam.score(log_p, self._max_length + 1)
            enough = len(self._ended[b]) == self._n_best
            if log_p == -math.inf or (enough and bound <= self._ended[b][-1].score):
                self._done[b] = True


def _whole(value: object) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)  # NumPy's, too
