"""`BlankFiller`: what belongs in a blank, from what stands before it and after it."""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

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
from recurra.tasks.supervised import Batch, SupervisedEstimator
from recurra.tasks.targets import Labels, read_labels


@dataclass(eq=False, repr=False)
class BlankFiller(SupervisedEstimator):
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
        """Go once over more data; `classes` are all words there will be, None for the first ones.

        The rest is as `SupervisedEstimator.partial_fit` has it.
        """
        if not hasattr(self, "network_") and classes is not None:
            self._given = Labels.of(read_labels(classes, "classes"))
        return super().partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest word of each blank: (n,)."""
        p = self.predict_proba(X)
        words: NDArray[Any] = self.classes_[p.argmax(1)]
        return words

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each word, in the order of `classes_`: (n, classes)."""
        self._check_fitted()
        parts: dict[int, NDArray[np.float64]] = {}
        for rows, logits, _ in self._outputs(self._marked(X)):
            parts |= zip(rows, logits.double().softmax(-1).cpu().numpy(), strict=True)
        return np.array([parts[k] for k in range(len(parts))])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the share of blanks whose word is predicted."""
        return float(np.average(self.predict(X) == read_labels(y), weights=sample_weight))

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
        self._check_parameters()
        if y is not None:
            return super()._examples(self._marked(X), y, sample_weight)
        inputs = read_inputs(X)
        marked, y, origins = make_blanks(inputs, self.choices, self.blank)
        weights = check_weights(sample_weight, len(inputs))
        return super()._examples(marked, y, weights and [weights[k] for k in origins])

    def _marked(self, X: Any) -> Any:
        inputs = read_inputs(X)
        return X if inputs.kind == "numbers" else mark_blanks(inputs, self.blank)

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags()
        tags.target_tags.required = True
        return tags

    def _read_targets(self, y: Any, inputs: Inputs) -> Sequence[Any]:
        words: list[Any] = read_labels(y).tolist()
        for k, word in enumerate(words):
            if self.choices is not None and word not in self.choices:
                raise DataError(f"y, row {k}: {word!r} is none of choices={list(self.choices)}.")
        return words

    def _learn(self, inputs: Inputs, train: Examples) -> Examples:
        self.reading_ = BlankReading.learn(
            inputs, train.inputs, train.weights, tokens=self.tokens, lower=self.lower
        )
        self._take_features(self.reading_)
        self._learn_targets(train)
        return self._cut(train, told=True)

    def _hold_out(self, examples: Examples, seed: int) -> tuple[Examples, Examples]:
        self._take_words(self.__dict__.pop("_given", None) or Labels.of(np.array(examples.targets)))
        if len(self.classes_) < 2:
            raise DataError(
                f"y holds only one class, {self.classes_.tolist()[0]!r}: there is nothing to "
                "choose among."
            )
        return examples.split(self.validation_fraction, seed, strata=examples.targets)

    def _take_words(self, labels: Labels) -> None:
        self.labels_ = labels
        self.classes_ = labels.array()
        self._number_of = {word: k for k, word in enumerate(self.classes_.tolist())}

    def _numbers(self, words: Sequence[Any]) -> list[int]:
        for word in words:
            if word not in self._number_of:
                raise DataError(f"y: {word!r} is none of the words {list(self._number_of)}.")
        return [self._number_of[word] for word in words]

    def _learn_targets(self, train: Examples) -> None:
        totals = np.bincount(
            self._numbers(train.targets), weights=train.weights, minlength=len(self.classes_)
        )
        self.class_shares_ = totals / totals.sum()
        self.baseline_score_ = self.left_baseline_score_ = math.nan

    def _build(self) -> nn.Module:
        return BlankNetwork(self._encoder(), len(self.classes_))

    def _start(self, network: nn.Module) -> None:
        """Begin at the words' shares, so that no step is spent on learning those."""
        assert isinstance(network, BlankNetwork)
        with torch.no_grad():
            network.head.bias.copy_(torch.from_numpy(np.log(self.class_shares_ + 1e-8)))

    def _target_tensor(self, targets: Sequence[Any], device: torch.device) -> Tensor:
        return torch.tensor(self._numbers(targets), device=device)

    def _loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, float]:
        losses = F.cross_entropy(
            network(batch.inputs, batch.lengths), batch.targets, reduction="none"
        )
        return (losses * batch.weights).sum(), float(batch.weights.sum())

    def _judge(self, train: Examples, valid: Examples) -> None:
        judged = valid if len(valid) else train
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
        return {
            "reading": self.reading_.model_dump(),
            "labels": self.labels_.model_dump(),
            "class_shares": self.class_shares_.tolist(),
            "baseline_score": self.baseline_score_,
            "left_baseline_score": self.left_baseline_score_,
        }

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        self.reading_ = BlankReading.model_validate(record["reading"])
        self._take_features(self.reading_)
        self._take_words(Labels.model_validate(record["labels"]))
        self.class_shares_ = np.array(record["class_shares"], dtype=np.float64)
        self.baseline_score_ = float(record["baseline_score"])
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
