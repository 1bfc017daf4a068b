"""Batches of sequences of unequal length, with little padding."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from recurra.data.sharing import Share
from recurra.data.vocabulary import END, START, UNKNOWN

IGNORED = -100  # the target of padding, which torch's cross-entropy passes over

Made = TypeVar("Made")


class LengthBatches(Generic[Made]):
    """Batches of rows of about the same length, made anew at each pass.

    With a `generator` each pass draws another order; without one the order is by length and
    always the same.

    Args:
        lengths: the rows' lengths.
        make: called with the numbers of a batch's rows, (B,) int64, returns the batch.
        batch_size: B, at most.
        generator: what draws the order.
        most: how many steps a batch may have, padding included, unless it is one row; None for
            any number.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        make: Callable[[Tensor], Made],
        *,
        batch_size: int,
        generator: torch.Generator | None = None,
        most: int | None = None,
    ) -> None:
        self._lengths = torch.tensor(lengths, dtype=torch.float32)
        self._make = make
        self._batch_size = batch_size
        self._generator = generator
        self._most = most

    def __len__(self) -> int:
        if self._most is None:
            return math.ceil(len(self._lengths) / self._batch_size)
        return len(self._cut(self._lengths.argsort(stable=True)))

    def __iter__(self) -> Iterator[Made]:
        for chosen in self.order():
            yield self.made(chosen)

    @property
    def rows(self) -> int:
        """How many rows a pass has."""
        return len(self._lengths)

    def share(self, rank: int, world: int) -> Share[Made]:
        """Return the share of process `rank` of `world`: rows of each batch."""
        return Share(self, rank, world)

    def made(self, chosen: Tensor) -> Made:
        """Return the batch of the rows `chosen`."""
        return self._make(chosen)

    def part_of(self, chosen: Tensor, part: slice) -> Made | None:
        """Return some rows of the batch of the rows `chosen`, None where they are none."""
        mine = chosen[part]
        return self.made(mine) if len(mine) else None

    def order(self) -> Sequence[Tensor]:
        """Return the rows of each batch of one pass: drawn anew each time with a generator."""
        if self._generator is None:
            return self._cut(self._lengths.argsort(stable=True))
        # Up to two steps of noise mix the lengths enough that batches differ from pass to pass.
        noise = torch.rand(len(self._lengths), generator=self._generator) * 2
        batches = self._cut((self._lengths + noise).argsort())
        shuffled = torch.randperm(len(batches), generator=self._generator)
        return [batches[int(k)] for k in shuffled]

    def _cut(self, rows: Tensor) -> Sequence[Tensor]:
        """Cut rows in the order of their lengths into batches."""
        if self._most is None:
            return torch.split(rows, self._batch_size)
        sizes: list[int] = []
        size = 0
        for length in self._lengths[rows].tolist():  # the last row of a batch is its longest
            if size and (size == self._batch_size or (size + 1) * length > self._most):
                sizes.append(size)
                size = 0
            size += 1
        return torch.split(rows, [*sizes, size] if size else sizes)


@dataclass(frozen=True)
class TokenBatch:
    """Sequences to be predicted one symbol at a time.

    inputs: (T, B), each sequence behind its start symbol; targets: (T, B), each sequence before
    its end symbol, `IGNORED` in padding; condition: (B,) or None; weights: (B,) or None.
    """

    inputs: Tensor
    targets: Tensor
    condition: Tensor | None = None
    weights: Tensor | None = None


class TokenBatches(LengthBatches[TokenBatch]):
    """Batches of token sequences, each symbol to be predicted from those before it.

    Args:
        sequences: token numbers, without start and end.
        condition: one number a sequence, or None.
        weights: one weight a sequence, or None.
        batch_size: B, at most.
        generator: what draws the order.
        rare: (V,) bool, symbols so rare that each is now and then read as unknown, so that the
            model learns what an unknown symbol is worth; None for none.
        device: where the batches go.
    """

    unknown_rate = 0.2  # how often a rare symbol is read as unknown

    def __init__(
        self,
        sequences: Sequence[Sequence[int]],
        condition: Sequence[int] | None = None,
        weights: Sequence[float] | None = None,
        *,
        batch_size: int,
        generator: torch.Generator | None = None,
        rare: Tensor | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        # Start and end share one row: what is read is row[:-1], what is predicted row[1:].
        self._rows = [torch.tensor([START, *sequence, END]) for sequence in sequences]
        self._condition = None if condition is None else torch.tensor(condition)
        self._weights = None if weights is None else torch.tensor(weights, dtype=torch.float32)
        self._rare = rare
        self._device = device
        lengths = [len(row) for row in self._rows]
        super().__init__(lengths, self.batch, batch_size=batch_size, generator=generator)

    def batch(self, chosen: Tensor) -> TokenBatch:
        """Return the batch of the rows `chosen`."""
        return self._batch(chosen, self._draw(chosen))

    def part_of(self, chosen: Tensor, part: slice) -> TokenBatch | None:
        """Return some rows of the batch of the rows `chosen`, None where they are none."""
        drawn = self._draw(chosen)
        mine = chosen[part]
        if not len(mine):
            return None
        return self._batch(mine, None if drawn is None else drawn[:, part])

    def _batch(self, chosen: Tensor, drawn: Tensor | None) -> TokenBatch:
        rows = pad_sequence([self._rows[k] for k in chosen.tolist()], padding_value=IGNORED)
        targets = rows[1:].clone()
        inputs = rows[:-1].clamp(min=END)  # what stands in padding is read, and ignored
        if self._rare is not None and drawn is not None:
            _forget(inputs, targets, drawn, self._rare)
        return TokenBatch(
            inputs.to(self._device),
            targets.to(self._device),
            None if self._condition is None else self._condition[chosen].to(self._device),
            None if self._weights is None else self._weights[chosen].to(self._device),
        )

    def _draw(self, chosen: Tensor) -> Tensor | None:
        """Return (T, B) bool, where a rare symbol is to be read as unknown; None without any."""
        if self._rare is None:
            return None
        T = max(len(self._rows[k]) for k in chosen.tolist()) - 2  # start and end are not rare
        return torch.rand(T, len(chosen), generator=self._generator) < self.unknown_rate


def _forget(inputs: Tensor, targets: Tensor, drawn: Tensor, rare: Tensor) -> None:
    """Read rare symbols as unknown where it was drawn, where they are input and where target."""
    symbols = inputs[1:]
    gone = drawn[: len(symbols)] & rare[symbols]
    symbols[gone] = UNKNOWN
    before = targets[:-1]  # the target at t is the input at t + 1
    before[gone] = UNKNOWN
