"""`SequenceClassifier`: many to one, a class for a sequence."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data.bags import BAG_BUCKETS, Bags
from recurra.data.examples import Examples
from recurra.networks.bag import BagOfWords, BesideBag, TextBatch
from recurra.networks.pooled import PooledNetwork
from recurra.tasks.classifying.bag import best_mix, fit_bag
from recurra.tasks.labelled import OneLabelEstimator
from recurra.tasks.targets import class_weights


@dataclass(eq=False, repr=False)
class SequenceClassifier(OneLabelEstimator):
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
    the validation part; on the training part without one, NaN after `partial_fit`),
    n_features_in_ for numbers. With `partial_fit` the bag of words is not fitted.
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

    def _learn_targets(self, train: Examples) -> None:
        super()._learn_targets(train)
        self._factors = class_weights(
            self.class_weight,
            self.classes_.tolist(),
            self._numbers(train.targets),
            train.weights,
        )

    def _head(self, network: nn.Module) -> nn.Linear:
        return super()._head(network.deep if isinstance(network, BesideBag) else network)

    def _first_shares(self) -> NDArray[np.float64]:
        weighted = self.class_shares_ * self._factors
        shares: NDArray[np.float64] = weighted / weighted.sum()
        return shares

    def _loss_weights(self, examples: Examples) -> NDArray[np.float64]:
        return examples.weights * self._factors[self._numbers(examples.targets)]

    def _judge(self, train: Examples, judged: Examples) -> None:
        right = self._numbers(judged.targets) == self.class_shares_.argmax()
        self.baseline_score_ = float(np.average(right, weights=judged.weights))
