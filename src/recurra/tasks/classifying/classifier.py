"""`SequenceClassifier`: many to one, a class for a sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data.bags import BAG_BUCKETS, Bags
from recurra.data.examples import Examples
from recurra.data.inputs import Inputs
from recurra.errors import DataError
from recurra.networks.bag import BagOfWords, BesideBag, TextBatch
from recurra.networks.pooled import PooledNetwork
from recurra.tasks.classifying.bag import best_mix, fit_bag
from recurra.tasks.reading import Reading
from recurra.tasks.supervised import Batch, SupervisedEstimator
from recurra.tasks.targets import Labels, class_weights, read_labels


@dataclass(eq=False, repr=False)
class SequenceClassifier(SupervisedEstimator):
    """Learns the class of a sequence: the sentiment of a text, the digit of a stroke.

    Args, beside those of `SupervisedEstimator`:
        pooling: how outputs over time become one vector: "last", "mean", "max", "attention", or
            "mix" (last, mean and max).
        class_weight: None, "balanced" (all classes weigh the same), or a dict from classes to
            factors.
        bag_of_words: for texts read as words, whether a linear model on words and word pairs
            stands beside the network; their scores are added with the factors that were best on
            the validation part (`mix_`), so it needs one.
        dropout: None is 0.5 for words and 0.2 for anything else.

    Fitted: network_, history_, reading_, classes_ (in order), class_shares_ (of each class, the
    share of the training examples), baseline_score_ (the accuracy of the most frequent class on
    the validation part; on the training part without one), n_features_in_ for numbers.
    """

    hidden_size: int = 64
    _: KW_ONLY
    bidirectional: bool = True
    dropout: float | None = None
    learning_rate: float = 2e-3
    patience: int | None = 2
    lower: bool = True
    forget: float = 0.2
    pooling: str = "mix"
    class_weight: Any = None
    bag_of_words: bool = True

    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, classes: Sequence[Any] | None = None
    ) -> Self:
        """Go once over more data; `classes` are all there will be, those of the first `y` if None.

        The rest is as `SupervisedEstimator.partial_fit` has it. There is no bag of words.
        """
        if not hasattr(self, "network_") and classes is not None:
            self._given = Labels.of(read_labels(classes, "classes"))
        return super().partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest class of each sequence: (n,)."""
        p = self.predict_proba(X)
        predicted: NDArray[Any] = self.classes_[p.argmax(1)]
        return predicted

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class, in the order of `classes_`: (n, classes)."""
        self._check_fitted()
        parts: dict[int, NDArray[np.float64]] = {}
        for rows, logits, _ in self._outputs(X):
            parts |= zip(rows, logits.double().softmax(-1).cpu().numpy(), strict=True)
        return np.array([parts[k] for k in range(len(parts))])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the share of sequences whose class is predicted."""
        right = self.predict(X) == read_labels(y)
        return float(np.average(right, weights=sample_weight))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags()
        tags.target_tags.required = True
        return tags

    @property
    def mix_(self) -> tuple[float, float]:
        """The factors of the network's scores and of the bag of words'."""
        self._check_fitted()
        if not isinstance(self.network_, BesideBag):
            return 1.0, 0.0
        a, b = self.network_.mix.tolist()
        return a, b

    def _build(self) -> nn.Module:
        deep = PooledNetwork(self._encoder(), self.pooling, len(self.classes_))
        if not self._has_bag():
            return deep
        return BesideBag(deep, BagOfWords(BAG_BUCKETS, len(self.classes_)))

    def _has_bag(self) -> bool:
        return self.bag_of_words and self.reading_.spelling and self.validation_fraction > 0

    def _dropout_rate(self) -> float:
        return (0.5 if self.reading_.spelling else 0.2) if self.dropout is None else self.dropout

    def _collate(self, rows: Sequence[Any], device: torch.device) -> tuple[Any, Tensor]:
        batch, lengths = super()._collate(rows, device)
        return (TextBatch(batch, Bags.of(rows, device)) if self._has_bag() else batch), lengths

    def _finish(self, train: Examples, valid: Examples) -> None:
        """Fit the bag of words, and how much it counts."""
        network = self.network_
        if not isinstance(network, BesideBag) or not len(valid):
            return
        device = network.mix.device
        numbers, judged = self._numbers(train.targets), self._numbers(valid.targets)
        fit_bag(network.bag, train.inputs, numbers, self._loss_weights(train))
        network.to(device)
        batch, lengths = self._collate(valid.inputs, device)
        with torch.no_grad():
            deep, bag = network.deep(batch.words, lengths), network.bag(batch.bags)
        a, b = best_mix(deep.cpu().numpy(), bag.cpu().numpy(), judged, self._loss_weights(valid))
        network.mix.copy_(torch.tensor([a, b]))

    def _read_targets(self, y: Any, inputs: Inputs) -> Sequence[Any]:
        labels: list[Any] = read_labels(y).tolist()
        return labels

    def _hold_out(self, examples: Examples, seed: int) -> tuple[Examples, Examples]:
        given = self.__dict__.pop("_given", None)
        self.labels_ = Labels.of(np.array(examples.targets)) if given is None else given
        self.classes_ = self.labels_.array()
        if len(self.classes_) < 2:
            raise DataError(
                f"y holds only one class, {self.classes_.tolist()[0]!r}: there is nothing to tell "
                "apart."
            )
        return examples.split(self.validation_fraction, seed, strata=examples.targets)

    def _numbers(self, targets: Sequence[Any]) -> NDArray[np.int64]:
        """Return the number of each label's class."""
        known = {label: k for k, label in enumerate(self.classes_.tolist())}
        for label in targets:
            if label not in known:
                raise DataError(f"y: {label!r} is none of the classes {list(known)}.")
        return np.array([known[label] for label in targets], dtype=np.int64)

    def _learn_targets(self, train: Examples) -> None:
        numbers = self._numbers(train.targets)
        totals = np.bincount(numbers, weights=train.weights, minlength=len(self.classes_))
        self.class_shares_ = totals / totals.sum()
        self._factors = class_weights(
            self.class_weight, self.classes_.tolist(), numbers, train.weights
        )

    def _start(self, network: nn.Module) -> None:
        """Begin at the classes' shares, so that no step is spent on learning those."""
        deep = network.deep if isinstance(network, BesideBag) else network
        assert isinstance(deep, PooledNetwork)
        shares = self.class_shares_ * self._factors
        with torch.no_grad():
            deep.head.bias.copy_(torch.from_numpy(np.log(shares / shares.sum() + 1e-8)))

    def _loss_weights(self, examples: Examples) -> NDArray[np.float64]:
        return examples.weights * self._factors[self._numbers(examples.targets)]

    def _target_tensor(self, targets: Sequence[Any], device: torch.device) -> Tensor:
        return torch.from_numpy(self._numbers(targets)).to(device)

    def _loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, float]:
        logits = network(batch.inputs, batch.lengths)
        losses = F.cross_entropy(logits, batch.targets, reduction="none")
        return (losses * batch.weights).sum(), float(batch.weights.sum())

    def _judge(self, train: Examples, valid: Examples) -> None:
        judged = valid if len(valid) else train
        right = self._numbers(judged.targets) == self.class_shares_.argmax()
        self.baseline_score_ = float(np.average(right, weights=judged.weights))

    def _fitted_record(self) -> dict[str, Any]:
        return {
            "reading": self.reading_.model_dump(),
            "labels": self.labels_.model_dump(),
            "class_shares": self.class_shares_.tolist(),
            "baseline_score": self.baseline_score_,
        }

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        self.reading_ = Reading.model_validate(record["reading"])
        self._take_features(self.reading_)
        self.labels_ = Labels.model_validate(record["labels"])
        self.classes_ = self.labels_.array()
        self.class_shares_ = np.array(record["class_shares"], dtype=np.float64)
        self.baseline_score_ = float(record["baseline_score"])
