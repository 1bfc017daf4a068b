"""How a generator learns sequences of symbols, and makes them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recurra.data.batches import TokenBatches
from recurra.data.examples import Examples
from recurra.data.sequences import check_sequences, seen_once
from recurra.data.vocabulary import END, START
from recurra.layers import Recurrent
from recurra.networks import (
    GeneratorNetwork,
    Sampling,
    row_sums,
    sample,
    summed_loss,
    symbol_losses,
)
from recurra.tasks.generating.baseline import bigram_loss
from recurra.tasks.generating.lexicon import Lexicon


class SymbolSequences:
    """Sequences of symbols, by what is known of them.

    lexicon: symbols, labels, how sequences begin; max_length: the symbols one may have.
    """

    loss: Callable[..., Any] = staticmethod(summed_loss)

    def __init__(self, lexicon: Lexicon, max_length: int) -> None:
        self.lexicon, self.max_length = lexicon, max_length
        self.unit = "nats a character" if lexicon.text else "nats a symbol"

    @property
    def conditions(self) -> list[str]:
        """The labels, in order; empty without."""
        return self.lexicon.conditions

    @property
    def counts(self) -> list[float]:
        """How many sequences there are of each label."""
        return [float(sum(starts.values())) for starts in self.lexicon.starts]

    def read(self, X: Any) -> list[Any]:
        """Return what a fitted model is given as symbols; raises `DataError`."""
        return check_sequences(X, self.max_length)[0]

    def build(
        self, recurrent: Callable[[int], Recurrent], embedding_size: int, dropout: float
    ) -> GeneratorNetwork:
        """Build the network."""
        labels = len(self.conditions)
        layer = recurrent(embedding_size * (2 if labels else 1))
        size = len(self.lexicon.vocabulary)
        return GeneratorNetwork(size, labels, embedding_size, layer, dropout)

    def batches(
        self,
        network: nn.Module,
        examples: Examples,
        batch_size: int,
        draw: torch.Generator | None = None,
    ) -> TokenBatches:
        """Return batches of sequences, the targets their labels; with `draw` as trained on."""
        vocabulary = self.lexicon.vocabulary
        sequences = [vocabulary.encode(row) for row in examples.inputs]
        return TokenBatches(
            sequences,
            self.lexicon.numbers_of(examples.targets if self.conditions else None),
            examples.weights.tolist(),
            batch_size=batch_size,
            generator=draw,
            rare=None if draw is None else seen_once(sequences, len(vocabulary)),
            device=next(network.parameters()).device,
        )

    def log_likelihoods(
        self, network: nn.Module, rows: Sequence[Sequence[str]], labels: Sequence[str] | None
    ) -> NDArray[np.float64]:
        """Return the log-likelihood of each sequence and its end, in nats: (n,)."""
        targets: Sequence[str | None] = labels or [None] * len(rows)
        batches = self.batches(network, Examples(rows, targets, np.ones(len(rows))), 256)
        return -row_sums(network, batches, symbol_losses)

    def sizes(self, rows: Sequence[Sequence[str]]) -> int:
        """Return how many symbols and ends there are."""
        return sum(len(row) + 1 for row in rows)

    def naive_loss(self, train: Examples, judged: Examples) -> float:
        """Return the loss of counted pairs of symbols, in nats a symbol."""
        return bigram_loss(self.lexicon.vocabulary, train.inputs, judged.inputs)

    def begin(self, prefix: Any, condition: str | None) -> list[str]:
        """Return a prefix's symbols; raises `ArgumentError` where no sequence begins so."""
        return self.lexicon.check_prefix(prefix or "", condition, self.max_length)

    def draw(
        self,
        network: nn.Module,
        beginning: Sequence[str],
        condition: str | None,
        n: int,
        sampling: Sampling,
        generator: torch.Generator | None,
    ) -> list[list[str]]:
        """Draw `n` sequences, their beginning included."""
        device = next(network.parameters()).device
        start = torch.tensor([START, *self.lexicon.vocabulary.encode(beginning)], device=device)
        label = None
        if condition is not None:
            label = torch.full((n,), self.conditions.index(condition), device=device)
        rows = sample(
            lambda tokens, state: network(tokens, label, state),
            start.unsqueeze(1).expand(-1, n),
            end=END,
            banned=self.lexicon.never(condition),
            min_length=0 if beginning else 1,
            max_length=self._room(beginning),
            sampling=sampling,
            generator=generator,
        )
        return [[*beginning, *self.lexicon.vocabulary.decode(row)] for row in rows]

    def _room(self, beginning: Sequence[str]) -> int:
        """Return how many symbols may follow a beginning."""
        return self.max_length - len(beginning)

    def joined(self, row: Any) -> Any:
        """Return a sequence as the user gives sequences."""
        return self.lexicon.joined(row)
