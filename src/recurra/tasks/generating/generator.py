"""`SequenceGenerator`: new sequences like those it was shown, for a label and a beginning."""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recurra.data.examples import Examples
from recurra.data.inputs import Inputs, read_inputs
from recurra.data.long_text.source import LongText
from recurra.data.sequences import check_condition, check_sequences, check_weights, label_text
from recurra.errors import ArgumentError, DataError, RecurraWarning
from recurra.networks import Sampling, collect
from recurra.tasks.estimator import SequenceEstimator, seeded
from recurra.tasks.generating.endless import EndlessText, count_parts, of_length
from recurra.tasks.generating.lexicon import Lexicon, check_label
from recurra.tasks.generating.number_sequences import Measures, NumberSequences
from recurra.tasks.generating.symbol_sequences import SymbolSequences
from recurra.tasks.parameters import check_numbers


@dataclass(eq=False, repr=False)
class SequenceGenerator(SequenceEstimator):
    """Learns sequences and makes new ones: one to many, conditioned on a label.

    A sequence is a string (its symbols are its characters, in Unicode's NFC form), a list of
    strings (its symbols are those), or numbers, an array (T,) or (T, F). Each step is predicted
    from those before it and from the sequence's label, if there are labels; so `bidirectional`
    must be False. Of numbers the distribution is learned, a mixture of normal ones (Graves, arXiv
    1308.0850); if all series have the same number of steps, so will those made.

    With `chunk` one endless text is learned instead, of a file of any size, in constant memory: its
    symbols are characters, or bytes. Up to `batch_size` rows read a part of it each, side by side;
    the state goes on from chunk to chunk, gradients stay in one (or within `truncate` steps). The
    last `validation_fraction` of its bytes is held out.

    Args, beside those of `SequenceEstimator`:
        embedding_size: the features a symbol and a label are read as.
        max_length: the symbols, or steps, a sequence may have; of an endless text, how many are
            made where `generate` is not told.
        chunk: steps between two steps of the optimiser, of one endless text; None for sequences.
        tokens: what an endless text's symbols are: "char" or "byte".

    Fitted: network_, history_, sequences_ (what is known of the sequences), of it conditions_ and
    for symbols lexicon_ and starts_; baseline_loss_ (on the validation part, of counted pairs of
    symbols, in nats a symbol; for numbers of one normal distribution, in nats a step and standard
    units).
    """

    hidden_size: int = 256
    _: KW_ONLY
    embedding_size: int = 128
    max_length: int = 200
    chunk: int | None = None
    tokens: str = "char"

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, condition: Any = None
    ) -> Self:
        """Learn the sequences `X`.

        Args:
            X: n strings, n lists of strings, or numbers: a table (n, T), an array (n, T, F), a
                list of n arrays of any lengths. With `chunk` one text: a str, bytes, the
                `pathlib.Path` of a file, or a `recurra.data.LongText`.
            y: n labels, one a sequence, or None; `condition` is another name for it.
            sample_weight: n weights of at least 0, or None for 1 each.

        Returns self. Raises `DataError` for data, `ArgumentError` for parameters that cannot be
        used.
        """
        self._check_parameters()
        if self.chunk is not None:
            return self._fit_text(X, self.chunk, y, condition, sample_weight)
        if isinstance(X, str | bytes | os.PathLike | LongText):
            raise DataError("X is one text: give chunk=256, say, or a list of sequences.")
        inputs = read_inputs(X)
        n = len(inputs)
        if inputs.kind != "numbers":
            symbols, _ = check_sequences(inputs.rows, self.max_length)
            inputs = Inputs(inputs.kind, symbols)
        given = _either(y, condition)
        labels = None if given is None else check_condition(given, n)
        weights = np.array(check_weights(sample_weight, n) or [1.0] * n)
        seed = self._seed()
        examples = Examples(inputs.rows, labels or [None] * n, weights).distinct(seed)
        train, valid = examples.split(self.validation_fraction, seed)
        self._learn(inputs, examples, train)
        with seeded(seed, self._target_device()):
            self.network_ = self._build().to(self._target_device())
            draw = torch.Generator().manual_seed(seed)
            size = self._training_batch(len(train))
            self._train(
                self.sequences_.batches(self.network_, train, size, draw),
                self.sequences_.batches(self.network_, valid, 256) if len(valid) else None,
                self.sequences_.loss,
                self.sequences_.unit,
            )
        self.baseline_loss_ = self.sequences_.naive_loss(train, valid if len(valid) else train)
        return self

    def _learn(self, inputs: Inputs, examples: Examples, train: Examples) -> None:
        """Learn symbols, scales and labels."""
        labels = None if examples.targets[0] is None else examples.targets
        self.sequences_: SymbolSequences | NumberSequences  # an EndlessText is the former, too
        if inputs.kind == "numbers":
            self.sequences_ = NumberSequences.of(inputs, train, labels, self.max_length)
        else:
            text = inputs.kind == "text"
            lexicon = Lexicon.of(examples.inputs, labels, train.inputs, text=text)
            self.sequences_ = SymbolSequences(lexicon, self.max_length)
        self._take_features()

    def _fit_text(self, X: Any, chunk: int, *unused: Any) -> Self:
        """Learn one endless text."""
        if any(given is not None for given in unused):
            raise ArgumentError(f"chunk={chunk}: an endless text has no labels and no weights.")
        counted = count_parts(X, self.tokens, chunk, self.validation_fraction)
        text = self.sequences_ = EndlessText.of(counted[0], self.max_length)
        self._take_features()
        with seeded(self._seed(), self._target_device()):
            device = self._target_device()
            self.network_ = self._build().to(device)
            train, *valid = (text.chunks(c, chunk, self.batch_size, device) for c in counted)
            self._train(train, valid[0] if valid else None, text.loss, text.unit, carry=True)
        self.baseline_loss_ = text.naive_text_loss(counted[0], counted[-1])
        return self

    def _take_features(self) -> None:
        features = None
        if isinstance(self.sequences_, NumberSequences):
            reading = self.sequences_.measures.reading
            features = reading.columns or reading.features
        self._keep_features(features)

    @property
    def conditions_(self) -> list[str]:
        """The labels, in order; empty without."""
        self._check_fitted()
        return self.sequences_.conditions

    @property
    def lexicon_(self) -> Lexicon:
        """What is known of symbols; raises `ArgumentError` for a model of numbers."""
        self._check_fitted()
        if isinstance(self.sequences_, NumberSequences):
            raise ArgumentError("this model was fitted on numbers, which have no lexicon.")
        return self.sequences_.lexicon

    @property
    def starts_(self) -> dict[str | None, dict[str, int]]:
        """How often each first symbol begins a sequence of each label; of None without labels."""
        return self.lexicon_.starts_by_label

    def score(self, X: Any, y: Any = None, *, condition: Any = None) -> float:
        """Return the mean log-likelihood of a symbol (or step) of `X`, ends included, in nats.

        For symbols it is minus the loss; one not seen in training counts as unknown, whichever it
        is. Of numbers it is the density's, in the data's own units. With `chunk` X is a text or a
        list of texts, which have no end; a long one is read in rows side by side.
        """
        self._check_fitted()
        rows: Any = self.sequences_.read(X)
        samples = self._log_likelihoods(rows, _either(y, condition))
        return float(samples.sum()) / self.sequences_.sizes(rows)

    def score_samples(self, X: Any, y: Any = None, *, condition: Any = None) -> NDArray[np.float64]:
        """Return the log-likelihood of each sequence and its end, in nats: (n,) float64.

        Without labels a model that has some averages the likelihood over them, by how often each
        was there.
        """
        self._check_fitted()
        return self._log_likelihoods(self.sequences_.read(X), _either(y, condition))

    def _log_likelihoods(self, rows: Sequence[Any], given: Any) -> NDArray[np.float64]:
        sequences = self.sequences_
        if given is not None:
            labels = check_condition(given, len(rows), several=False)
            for label in set(labels):
                check_label(label, sequences.conditions)
            return sequences.log_likelihoods(self.network_, rows, labels)
        if not sequences.conditions:
            return sequences.log_likelihoods(self.network_, rows, None)
        shares = np.log(np.array(sequences.counts) / sum(sequences.counts))
        each = [
            share + sequences.log_likelihoods(self.network_, rows, [label] * len(rows))
            for share, label in zip(shares, sequences.conditions, strict=True)
        ]
        total: NDArray[np.float64] = np.logaddexp.reduce(each, axis=0)
        return total

    def generate(
        self,
        prefix: Any = "",
        condition: Any = None,
        n: int = 1,
        *,
        length: int | None = None,
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
            length: how many symbols follow the prefix, of an endless text; None for max_length.
            temperature: above 0; below 1 surer, above 1 bolder.
            top_k: draw among the k likeliest symbols only.
            top_p: draw among the likeliest symbols that reach probability p only.
            unique: no sequence twice; where fewer than n come up, those, with a warning.
            random_state: a number for the same sequences every time, or None.

        Returns the sequences, in the form of those learned. Raises `ArgumentError` for an unknown
        label, or for a prefix that no sequence of the label begins with.
        """
        self._check_fitted()
        sequences = self.sequences_ if length is None else of_length(self.sequences_, length)
        sampling = Sampling(temperature, top_k, top_p)
        label = None if condition is None else label_text(condition)
        check_label(label, sequences.conditions)
        beginning: Any = sequences.begin(prefix, label)
        draw = None
        if random_state is not None:
            draw = torch.Generator(self._network_device()).manual_seed(random_state)
        made = collect(
            lambda count: sequences.draw(self.network_, beginning, label, count, sampling, draw),
            n,
            unique=unique,
        )
        if len(made) < n:
            warnings.warn(
                f"only {len(made)} different sequences came up where {n} were asked for; "
                "a higher temperature gives more.",
                RecurraWarning,
                stacklevel=2,
            )
        return [sequences.joined(row) for row in made]

    def _build(self) -> nn.Module:
        return self.sequences_.build(self._recurrent, self.embedding_size, self._dropout_rate())

    def _fitted_record(self) -> dict[str, Any]:
        if isinstance(self.sequences_, NumberSequences):
            known = {"measures": self.sequences_.measures.model_dump()}
        else:
            known = {"lexicon": self.sequences_.lexicon.model_dump()}
        return {**known, "baseline_loss": self.baseline_loss_}

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        if "measures" in record:
            measures = Measures.model_validate(record["measures"])
            self.sequences_ = NumberSequences(measures, self.max_length)
        else:
            lexicon = Lexicon.model_validate(record["lexicon"])
            kind = SymbolSequences if lexicon.endless is None else EndlessText
            self.sequences_ = kind(lexicon, self.max_length)
        self._take_features()
        self.baseline_loss_ = float(record["baseline_loss"])

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_numbers(self, at_least_1="embedding_size max_length", at_least_1_or_none="chunk")
        if self.tokens not in ("char", "byte"):
            raise ArgumentError(f"tokens must be 'char' or 'byte', got {self.tokens!r}.")
        if self.tokens == "byte" and self.chunk is None:
            raise ArgumentError(
                "tokens='byte' is for one endless text: give chunk=256 (--chunk 256)."
            )
        if self.bidirectional:
            raise ArgumentError(
                "bidirectional=True: a generator predicts each symbol from those before it, and "
                "cannot read what it has not made yet."
            )


def _either(y: Any, condition: Any) -> Any:
    if y is not None and condition is not None:
        raise ArgumentError("y and condition are two names for the labels: give one of them.")
    return y if condition is None else condition
