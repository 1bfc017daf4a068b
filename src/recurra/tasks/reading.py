"""How an estimator reads its inputs: what it learned of them, and how it turns them to tensors."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pydantic
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from recurra.data.inputs import Inputs, Kind, read_inputs
from recurra.data.tokens import Tokenizer, make_tokenizer
from recurra.data.vocabulary import END, Vocabulary
from recurra.data.words import WordBatch, WordBook
from recurra.errors import DataError
from recurra.networks.readers import NumberReader, SymbolReader, WordReader


class Reading(pydantic.BaseModel):
    """What an estimator knows of its inputs.

    kind: of what they were given as; tokenizer: how texts are cut, None for other kinds;
    spelling: whether symbols are read by their spelling, too; symbols: those with a number, in
    their order; buckets: how many pieces are told apart; features, columns: as `Inputs` has them;
    mean, deviation: of each feature.
    """

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True)

    kind: Kind
    tokenizer: Tokenizer | None = None
    spelling: bool = False
    symbols: tuple[str, ...] = pydantic.Field(default=(), strict=False)  # JSON has lists only
    buckets: int = 0
    features: int = 0
    columns: int | None = None
    mean: list[float] = []
    deviation: list[float] = []

    @classmethod
    def learn(
        cls,
        inputs: Inputs,
        rows: Sequence[Any],
        weights: NDArray[np.float64],
        *,
        tokens: str = "auto",
        lower: bool = False,
        pieces: int = 2000,
        least: float = 2,
    ) -> "Reading":
        """Learn vocabularies and scales from the rows to train on.

        Args:
            inputs: what was given, for its form.
            rows: those of its rows to learn from, with their weights.
            tokens: how texts are cut: "char", "word", "bpe" or "auto", as `make_tokenizer` has it.
            lower: whether texts are lower-cased.
            pieces: for "bpe", how many there are at most.
            least: what a word must weigh in all to have a number of its own.
        """
        if inputs.kind == "numbers":
            scale = _scale(rows, weights)
            return cls(kind="numbers", features=inputs.features, columns=inputs.columns, **scale)
        if inputs.kind == "text":
            if not any(row.strip() for row in rows):
                raise DataError("there is nothing to learn from: all texts are empty.")
            tokenizer = make_tokenizer(tokens, rows, lower=lower, size=pieces)
            reading = cls(kind="text", tokenizer=tokenizer, spelling=tokenizer.kind == "word")
        else:
            reading = cls(kind="symbols", spelling=tokens in ("auto", "word"))
        cut, _ = reading.cut(rows)
        if reading.spelling:
            book = WordBook.of(zip(cut, weights.tolist(), strict=True), least)
            found = {"symbols": book.vocabulary.symbols, "buckets": book.buckets}
        else:
            found = {"symbols": Vocabulary.of(cut).symbols}
        return reading.model_copy(update=found)

    @property
    def table_features(self) -> int | None:
        """What scikit-learn calls n_features_in_: of rows of numbers, None of other inputs."""
        return (self.columns or self.features) if self.kind == "numbers" else None

    def cut(self, rows: Sequence[Any], most: int | None = None) -> tuple[list[Any], int]:
        """Return the rows as arrays or lists of symbols, and how many were longer than `most`.

        Of those the first `most` steps are kept.
        """
        if self.tokenizer is not None:
            # A symbol is never longer than what is left of a text of this many characters.
            reach = None if most is None else 200 * most
            rows = [self.tokenizer.split(row[:reach]) for row in rows]
        longer = sum(most is not None and len(row) > most for row in rows)
        return [row[:most] for row in rows], longer

    def read(self, X: Any, owner: str, most: int | None = None, name: str = "X") -> list[Any]:
        """Return the rows of what the fitted `owner` is given; raises `DataError` otherwise."""
        inputs = read_inputs(X, name)
        self.check(inputs, owner, name)
        return self.cut(inputs.rows, most)[0]

    def check(self, inputs: Inputs, owner: str, name: str = "X") -> None:
        """Raise `DataError` unless inputs are of the form that `owner` was fitted on."""
        inputs.must_be(self.kind, self.features, self.columns, owner, name)

    def batch(self, rows: Sequence[Any], device: torch.device) -> tuple[Any, Tensor]:
        """Return rows as the reader takes them, padded, and their lengths (B,)."""
        lengths = torch.tensor([len(row) for row in rows], device=device)
        return self._pad(rows, device), lengths

    def reader(self, size: int, forget: float = 0.0) -> nn.Module:
        """Return the network's first part, which gives each symbol `size` features."""
        if self.kind == "numbers":
            return NumberReader(self.mean, self.deviation)
        if self.spelling:
            return WordReader(len(self._book), self.buckets, size, forget)
        return SymbolReader(len(self._vocabulary), size, forget)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self.symbols)

    @cached_property
    def _book(self) -> WordBook:
        return WordBook(self._vocabulary, self.buckets)

    def _pad(self, rows: Sequence[Any], device: torch.device) -> Tensor | WordBatch:
        if self.kind == "numbers":
            return _pad_numbers(rows, device)
        return (
            self._book.batch(rows).to(device) if self.spelling else self._pad_symbols(rows, device)
        )

    def _pad_symbols(self, rows: Sequence[Sequence[str]], device: torch.device) -> Tensor:
        numbers = [torch.tensor(self._vocabulary.encode(row), dtype=torch.long) for row in rows]
        return _at_least_a_step(pad_sequence(numbers, padding_value=END)).to(device)


def _pad_numbers(rows: Sequence[NDArray[np.float64]], device: torch.device) -> Tensor:
    return _at_least_a_step(pad_sequence([torch.from_numpy(row.copy()) for row in rows])).to(device)


def _at_least_a_step(x: Tensor) -> Tensor:
    """Return x (T, B, ...), with a step of padding where all rows are empty."""
    return x if len(x) else x.new_zeros(1, *x.shape[1:])


def _scale(rows: Sequence[NDArray[np.float64]], weights: NDArray[np.float64]) -> dict[str, Any]:
    """Return the mean and the standard deviation of each feature, over all steps of the rows."""
    steps = np.array([len(row) for row in rows]) * weights
    means = np.array([row.mean(0) if len(row) else row.sum(0) for row in rows])
    total = max(float(steps.sum()), 1e-300)
    mean = (steps[:, np.newaxis] * means).sum(0) / total
    squares = np.array([((row - mean) ** 2).sum(0) for row in rows])
    deviation = np.sqrt((weights[:, np.newaxis] * squares).sum(0) / total)
    # A feature that never changes, but for rounding, stays as it is: zero.
    deviation[deviation <= 1e-12 * np.abs(mean)] = 1.0
    return {"mean": mean.tolist(), "deviation": deviation.tolist()}
