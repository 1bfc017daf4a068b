"""`SequenceGenerator`: new sequences like those it was shown, for a label and a beginning."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

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
from recurra.errors import RecurraWarning
from recurra.layers import Recurrent
from recurra.networks import (
    GeneratorNetwork,
    Sampling,
    collect,
    sample,
    summed_loss,
    symbol_losses,
)
from recurra.tasks.baseline import bigram_loss
from recurra.tasks.estimator import SequenceEstimator, check_parameters, seeded
from recurra.tasks.lexicon import Lexicon
from recurra.training import Callback


class SequenceGenerator(SequenceEstimator):
    """Learns sequences of symbols and makes new ones: one to many, conditioned on a label.

    A sequence is a string (its symbols are its characters, in Unicode's NFC form) or a list of
    strings (its symbols are those). Each symbol is predicted from those before it and from the
    sequence's label, if there are labels.

    Args:
        cell: a name ("lstm", "gru", "elman", ...) or a class, as `recurra.Recurrent` takes it.
        hidden_size: H, the features of the recurrent state.
        num_layers: recurrent layers on top of one another.
        embedding_size: the features a symbol and a label are read as.
        cell_options: a dict of options for the cell, or None.
        dropout: the probability of a feature's being zeroed, in training.
        clip: the norm band (L, U) gradients are scaled into, or None.
        epochs: passes over the training part, at most.
        batch_size: sequences a step.
        learning_rate: AdamW's at its peak; it rises for 200 steps, then falls along a cosine.
        weight_decay: AdamW's.
        validation_fraction: the share of distinct sequences held out to judge epochs by; 0 for
            none.
        patience: epochs without a better validation loss before training stops, or None.
        max_length: the symbols a sequence may have.
        device: "auto" (a GPU if there is one), "cpu", "cuda", ...
        random_state: a number for the same model every time, or None.
        progress: whether to show progress on the error stream.
        callbacks: what listens to training, `recurra.training.Callback`s.

    Fitted: network_, history_, lexicon_ (and of it conditions_, starts_),
    baseline_loss_ (nats a symbol of counted character pairs, on the validation part).
    """

    def __init__(
        self,
        cell: str | type[nn.Module] = "lstm",
        hidden_size: int = 256,
        num_layers: int = 1,
        *,
        embedding_size: int = 128,
        cell_options: dict[str, Any] | None = None,
        dropout: float = 0.15,
        clip: tuple[float, float] | None = (0.0, 1.0),
        epochs: int = 10,
        batch_size: int = 64,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.1,
        validation_fraction: float = 0.1,
        patience: int | None = 3,
        max_length: int = 200,
        device: str | torch.device = "auto",
        random_state: Any = None,
        progress: bool = False,
        callbacks: Sequence[Callback] | None = None,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.embedding_size = embedding_size
        self.cell_options = cell_options
        self.dropout = dropout
        self.clip = clip
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.max_length = max_length
        self.device = device
        self.random_state = random_state
        self.progress = progress
        self.callbacks = callbacks

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
        recurrent = Recurrent(
            self.cell,
            self.embedding_size * (2 if labelled else 1),
            self.hidden_size,
            self.num_layers,
            dropout=self.dropout if self.num_layers > 1 else 0.0,
            **(self.cell_options or {}),
        )
        return GeneratorNetwork(
            len(self.lexicon_.vocabulary),
            len(self.lexicon_.conditions),
            self.embedding_size,
            recurrent,
            self.dropout,
        )

    def _fitted_record(self) -> dict[str, Any]:
        return {"lexicon": self.lexicon_.model_dump(), "baseline_loss": self.baseline_loss_}

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        self._check_parameters()
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
        whole = "hidden_size num_layers embedding_size epochs batch_size max_length"
        check_parameters(
            self,
            at_least_1=whole.split(),
            above_0=["learning_rate"],
            fractions=["dropout", "validation_fraction"],
        )
