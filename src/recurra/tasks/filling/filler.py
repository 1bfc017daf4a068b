"""`BlankFiller`: what belongs in a blank, from what stands before it and after it."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from torch import nn

from recurra.data.examples import Examples
from recurra.data.inputs import Inputs, read_inputs
from recurra.data.sequences import check_weights
from recurra.data.tables.text_lines import shown_cell
from recurra.errors import ArgumentError, DataError
from recurra.networks.tagger import BlankNetwork
from recurra.tasks.filling.reading import (
    MARK,
    BlankReading,
    blank_pattern,
    make_blanks,
    mark_blanks,
    parted,
)
from recurra.tasks.labelled import OneLabelEstimator


@dataclass(eq=False, repr=False)
class BlankFiller(OneLabelEstimator):
    """Learns which word belongs in a blank: the lesson's example of reading in both directions.

    A layer running forward reads what stands before the blank, one running backward what stands
    after it, and the answer is made of both states at the blank. With `bidirectional=False` the
    network sees what stands before it and nothing else. A sequence without a blank has it at its
    end; so has a series of numbers, whose filler is what follows it.

    Args, beside those of `SupervisedEstimator`:
        blank: what stands for the blank; of "__" longer rows of underscores are one too.
        choices: the words to choose among, or None for all that come up.
        max_length: the steps that are read, those nearest to the blank.

    Fitted: network_, history_, reading_, classes_ (the words to choose among, in order),
    class_shares_ (of each word, the share of the examples trained on), n_features_in_ for numbers;
    and on the validation part (on the training part without one) baseline_score_, the accuracy of
    the most frequent word, and left_baseline_score_, that of the word most frequent in training
    after the same symbols before the blank: what counting can tell from the left alone. Both are
    NaN after `partial_fit`, which holds nothing out.
    """

    hidden_size: int = 64
    _: KW_ONLY
    bidirectional: bool = True
    dropout: float = 0.2
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 5e-3
    patience: int | None = 10
    blank: str = "__"
    choices: Sequence[str] | None = None

    _unit = "nats a blank"
    _labels_noun = "words"
    _only_one = "y holds only one class, {!r}: there is nothing to choose among."
    _reading_class = BlankReading

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn to fill blanks.

        Args:
            X: n texts or lists of symbols with a blank in each, or numbers as any estimator takes
                them; without `y` n whole texts or lists of symbols, in which a blank is made in
                turn at each of `choices` (at each word, where that is None).
            y: n words, the fillers; or None.
            sample_weight: n weights of at least 0, or None for 1 each.

        Returns self. Raises `DataError` for data, `ArgumentError` for parameters that cannot be
        used.
        """
        return super().fit(X, y, sample_weight)

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        classes: Sequence[Any] | None = None,
    ) -> Self:
        """Go once over more data, given as to `fit`; the rest is as `LabelEstimator` has it."""
        return super().partial_fit(X, y, sample_weight, classes=classes)

    def fill(self, sequence: str | Sequence[str]) -> Any:
        """Return a text, or a list of symbols, with the likeliest word in its blank.

        Raises `DataError` unless it has one blank.
        """
        pattern = blank_pattern(self.blank)
        if isinstance(sequence, str):
            there = pattern.search(sequence) is not None
        else:
            there = any(pattern.fullmatch(symbol) for symbol in sequence)
        if not there:
            raise DataError(f"there is no blank {self.blank!r} in {shown_cell(sequence)}.")
        word = self.predict([sequence])[0].item()
        if isinstance(sequence, str):
            return pattern.sub(lambda _: str(word), sequence)
        return [word if pattern.fullmatch(symbol) else symbol for symbol in sequence]

    def _examples(self, X: Any, y: Any, sample_weight: Any) -> tuple[Inputs, Examples]:
        if y is not None:
            return super()._examples(X, y, sample_weight)
        self._check_parameters()
        inputs = read_inputs(X)
        marked, words, origins = make_blanks(inputs, self.choices, self.blank)
        weights = check_weights(sample_weight, len(inputs))
        each = weights and [weights[k] for k in origins]
        return self._pair(Inputs(inputs.kind, marked), words, each)

    def _read_inputs(self, X: Any) -> Inputs:
        inputs = read_inputs(X)
        if inputs.kind == "numbers":
            return inputs
        return Inputs(inputs.kind, mark_blanks(inputs, self.blank))

    def _read_targets(self, y: Any, inputs: Inputs) -> Sequence[Any]:
        words = super()._read_targets(y, inputs)
        for k, word in enumerate(words):
            if self.choices is not None and word not in self.choices:
                raise DataError(f"y, row {k}: {word!r} is none of choices={list(self.choices)}.")
        return words

    def _learn_targets(self, train: Examples) -> None:
        super()._learn_targets(train)
        self.left_baseline_score_ = math.nan  # until it is judged

    def _build(self) -> nn.Module:
        return BlankNetwork(self._encoder(), len(self.classes_))

    def _judge(self, train: Examples, judged: Examples) -> None:
        after: defaultdict[Any, Counter[Any]] = defaultdict(Counter)
        for row, word, weight in zip(train.inputs, train.targets, train.weights, strict=True):
            after[self._left(row)][word] += weight
        most = self.classes_[self.class_shares_.argmax()].item()
        likeliest = {left: max(words, key=words.__getitem__) for left, words in after.items()}
        guesses = [likeliest.get(self._left(row), most) for row in judged.inputs]
        words = np.array(judged.targets)
        self.baseline_score_ = float(np.average(words == most, weights=judged.weights))
        right = words == np.array(guesses)
        self.left_baseline_score_ = float(np.average(right, weights=judged.weights))

    def _left(self, row: Any) -> Any:
        return row.tobytes() if isinstance(row, np.ndarray) else tuple(parted(row)[0])

    def _fitted_record(self) -> dict[str, Any]:
        return {**super()._fitted_record(), "left_baseline_score": self.left_baseline_score_}

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        super()._take_fitted(record)
        self.left_baseline_score_ = float(record["left_baseline_score"])
        if self.reading_.kind != "numbers" and MARK not in self.reading_.symbols:
            raise ValueError("the symbol of the blank is missing")

    def _check_parameters(self) -> None:
        super()._check_parameters()
        blank_pattern(self.blank)
        if isinstance(self.choices, str) or (self.choices is not None and len(self.choices) < 2):
            raise ArgumentError(
                f"choices must be at least two words, or None for any, got {self.choices!r}."
            )
