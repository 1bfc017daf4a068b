"""`SequenceGenerator`: new sequences like those it was shown, for a label and a beginning."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.data.batches import TokenBatches
from recurra.data.sequences import (
    Sequences,
    check_condition,
    check_sequences,
    check_weights,
    seen_once,
)
from recurra.data.splits import hold_out
from recurra.data.vocabulary import END, START
from recurra.errors import ArgumentError, RecurraWarning
from recurra.networks import (
    GeneratorNetwork,
    Sampling,
    collect,
    sample,
    summed_loss,
    symbol_losses,
)
from recurra.tasks.baseline import bigram_loss
from recurra.tasks.estimator import SequenceEstimator, seeded
from recurra.tasks.lexicon import Lexicon
from recurra.tasks.parameters import check_numbers


@dataclass(eq=False, repr=False)
class SequenceGenerator(SequenceEstimator):
    """Learns sequences of symbols and makes new ones: one to many, conditioned on a label.

    A sequence is a string (its symbols are its characters, in Unicode's NFC form) or a list of
    strings (its symbols are those). Each symbol is predicted from those before it and from the
    sequence's label, if there are labels; so `bidirectional` must be False.

    Args, beside those of `SequenceEstimator`:
        embedding_size: the features a symbol and a label are read as.
        max_length: the symbols a sequence may have.

    Fitted: network_, history_, lexicon_ (and of it conditions_, starts_),
    baseline_loss_ (nats a symbol of counted character pairs, on the validation part).
    """

    hidden_size: int = 256
    _: KW_ONLY
    embedding_size: int = 128
    max_length: int = 200

    def fit(
        self,
        X: Sequences,
        condition: Sequence[str] | None = None,
        sample_weight: Sequence[float] | None = None,
    ) -> "SequenceGenerator":
        """Learn the sequences `X`.

        Args:
            X: n strings, or n lists of strings.
            condition: n labels, one a sequence, or None.
            sample_weight: n weights of at least 0, or None for 1 each.

        Returns self. Raises `DataError` for data, `ArgumentError` for parameters that cannot be
        used.
        """
        self._check_parameters()
        rows, text = check_sequences(X, self.max_length)
        labels = None if condition is None else check_condition(condition, len(rows))
        weights = check_weights(sample_weight, len(rows))
        seed = self._seed()
        train, valid = (
            [k for k in part if weights is None or weights[k]]
            for part in hold_out(rows, self.validation_fraction, seed)
        )
        self.lexicon_ = Lexicon.of(rows, labels, train, text=text)
        with seeded(seed):
            self.network_ = self._build().to(self._target_device())
            draw = torch.Generator().manual_seed(seed)
            self._train(
                self._batches(rows, labels, weights, train, draw),
                self._batches(rows, labels, weights, valid) if valid else None,
                summed_loss,
                "nats a character" if self.lexicon_.text else "nats a symbol",
            )
        self.baseline_loss_ = bigram_loss(
            self.lexicon_.vocabulary, [rows[k] for k in train], [rows[k] for k in valid or train]
        )
        return self

    @property
    def conditions_(self) -> list[str]:
        """The labels, in order; empty without."""
        self._check_fitted()
        return self.lexicon_.conditions

    @property
    def starts_(self) -> dict[str | None, dict[str, int]]:
        """How often each first symbol begins a sequence of each label; of None without labels."""
        self._check_fitted()
        return self.lexicon_.starts_by_label

    def score(self, X: Sequences, condition: Sequence[str] | None = None) -> float:
        """Return the mean log-likelihood of a symbol of `X`, ends included, in nats.

        It is minus the loss. A symbol not seen in training counts as unknown, whichever it is.
        """
        samples, symbols = self._scored(X, condition)
        return float(samples.sum()) / symbols

    def score_samples(
        self, X: Sequences, condition: Sequence[str] | None = None
    ) -> NDArray[np.float64]:
        """Return the log-likelihood of each sequence and its end, in nats: (n,) float64."""
        return self._scored(X, condition)[0]

    def _scored(
        self, X: Sequences, condition: Sequence[str] | None
    ) -> tuple[NDArray[np.float64], int]:
        """Return each sequence's log-likelihood, and how many symbols and ends there are."""
        self._check_fitted()
        rows, _ = check_sequences(X, self.max_length)
        labels = self.lexicon_.check_labels(condition, len(rows))
        batches = self._batches(rows, labels)
        scores = np.empty(len(rows))
        with torch.no_grad():
            for chosen in batches.order():
                losses = symbol_losses(self.network_, batches.batch(chosen))
                scores[chosen.numpy()] = -losses.double().sum(0).cpu().numpy()
        return scores, sum(len(row) + 1 for row in rows)

    def generate(
        self,
        prefix: str | Sequence[str] = "",
        condition: str | None = None,
        n: int = 1,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        unique: bool = False,
        random_state: int | None = None,
    ) -> list[Any]:
        """Make `n` new sequences that begin with `prefix`, of symbols that the label's have.

        Args:
            prefix: how each begins, of the same kind as the sequences learned.
            condition: the label, one of `conditions_`; None where there are none.
            n: how many, at least 1.
            temperature: above 0; below 1 surer, above 1 bolder.
            top_k: draw among the k likeliest symbols only.
            top_p: draw among the likeliest symbols that reach probability p only.
            unique: no sequence twice; where fewer than n come up, those, with a warning.
            random_state: a number for the same sequences every time, or None.

        Returns the sequences, strings or lists of strings. Raises `ArgumentError` for an unknown
        label, or for a prefix that no sequence of the label begins with.
        """
        self._check_fitted()
        sampling = Sampling(temperature, top_k, top_p)
        self.lexicon_.check_label(condition)
        beginning = self.lexicon_.check_prefix(prefix, condition, self.max_length)
        draw = None
        if random_state is not None:
            draw = torch.Generator(self._network_device()).manual_seed(random_state)
        made = collect(
            lambda count: self._draw(beginning, condition, count, sampling, draw), n, unique=unique
        )
        if len(made) < n:
            warnings.warn(
                f"only {len(made)} different sequences came up where {n} were asked for; "
                "a higher temperature gives more.",
                RecurraWarning,
                stacklevel=2,
            )
        return [self.lexicon_.joined(row) for row in made]

    def _draw(
        self,
        beginning: Sequence[str],
        condition: str | None,
        n: int,
        sampling: Sampling,
        draw: torch.Generator | None,
    ) -> list[list[str]]:
        """Draw `n` sequences, their beginning included."""
        device = self._network_device()
        start = torch.tensor([START, *self.lexicon_.vocabulary.encode(beginning)], device=device)
        label = None
        if condition is not None:
            label = torch.full((n,), self.conditions_.index(condition), device=device)
        rows = sample(
            lambda tokens, state: self.network_(tokens, label, state),
            start.unsqueeze(1).expand(-1, n),
            end=END,
            banned=self.lexicon_.never(condition),
            min_length=0 if beginning else 1,
            max_length=self.max_length - len(beginning),
            sampling=sampling,
            generator=draw,
        )
        return [[*beginning, *self.lexicon_.vocabulary.decode(row)] for row in rows]

    def _build(self) -> GeneratorNetwork:
        labelled = bool(self.lexicon_.conditions)
        recurrent = self._recurrent(self.embedding_size * (2 if labelled else 1))
        return GeneratorNetwork(
            len(self.lexicon_.vocabulary),
            len(self.lexicon_.conditions),
            self.embedding_size,
            recurrent,
            self._dropout_rate(),
        )

    def _fitted_record(self) -> dict[str, Any]:
        return {"lexicon": self.lexicon_.model_dump(), "baseline_loss": self.baseline_loss_}

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        self.lexicon_ = Lexicon.model_validate(record["lexicon"])
        self.baseline_loss_ = float(record["baseline_loss"])

    def _batches(
        self,
        rows: Sequence[Sequence[str]],
        labels: Sequence[str] | None,
        weights: Sequence[float] | None = None,
        chosen: Sequence[int] | None = None,
        draw: torch.Generator | None = None,
    ) -> TokenBatches:
        """Return batches of the chosen rows; with `draw` as they are trained on."""
        chosen = range(len(rows)) if chosen is None else chosen
        sequences = [self.lexicon_.vocabulary.encode(rows[k]) for k in chosen]
        return TokenBatches(
            sequences,
            self.lexicon_.numbers_of(None if labels is None else [labels[k] for k in chosen]),
            None if weights is None else [weights[k] for k in chosen],
            batch_size=256 if draw is None else self.batch_size,
            generator=draw,
            rare=None if draw is None else seen_once(sequences, len(self.lexicon_.vocabulary)),
            device=self._network_device(),
        )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_numbers(self, at_least_1="embedding_size max_length")
        if self.bidirectional:
            raise ArgumentError(
                "bidirectional=True: a generator predicts each symbol from those before it, and "
                "cannot read what it has not made yet."
            )
