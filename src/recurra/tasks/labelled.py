"""Estimators that learn labels: one for an input, or one for each of its steps."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data.examples import Examples
from recurra.data.inputs import Inputs
from recurra.errors import DataError
from recurra.tasks.supervised import Batch, SupervisedEstimator
from recurra.tasks.targets import Labels, read_labels


class LabelEstimator(SupervisedEstimator):
    """Learns to tell labels apart.

    Fitted: classes_ (the labels, in order), class_shares_ (of each, the share of those trained
    on), and what `SupervisedEstimator` has.
    """

    _labels_noun = "classes"
    _only_one = "y holds only one class, {!r}: there is nothing to tell apart."

    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, classes: Sequence[Any] | None = None
    ) -> Self:
        """Go once over more data; `classes` are all labels there will be, None for the first `y`'s.

        The rest is as `SupervisedEstimator.partial_fit` has it.
        """
        if not hasattr(self, "network_") and classes is not None:
            self._given = Labels.of(read_labels(classes, "classes"))
        try:
            return super().partial_fit(X, y, sample_weight)
        finally:
            self.__dict__.pop("_given", None)

    @abstractmethod
    def _each_label(self, examples: Examples) -> tuple[Sequence[Any], NDArray[np.float64]]:
        """Return all labels of examples, and what each weighs."""

    def _see_targets(self, examples: Examples) -> None:
        given = self.__dict__.get("_given")
        self._take_labels(given or Labels.of(np.array(self._each_label(examples)[0])))
        if len(self.classes_) < 2:
            raise DataError(self._only_one.format(self.classes_.tolist()[0]))

    def _take_labels(self, labels: Labels) -> None:
        self.labels_ = labels
        self.classes_ = labels.array()
        self._number_of = {label: k for k, label in enumerate(self.classes_.tolist())}

    def _numbers(self, labels: Sequence[Any]) -> NDArray[np.int64]:
        """Return the numbers of labels; raises `DataError` for one that was not learned."""
        for label in labels:
            if label not in self._number_of:
                raise DataError(
                    f"y: {label!r} is none of the {self._labels_noun} {list(self._number_of)}."
                )
        return np.array([self._number_of[label] for label in labels], dtype=np.int64)

    def _learn_targets(self, train: Examples) -> None:
        labels, weights = self._each_label(train)
        totals = np.bincount(self._numbers(labels), weights=weights, minlength=len(self.classes_))
        self.class_shares_: NDArray[np.float64] = totals / totals.sum()

    def _start(self, network: nn.Module) -> None:
        """Begin at the labels' shares, so that no step is spent on learning those."""
        with torch.no_grad():
            self._head(network).bias.copy_(torch.from_numpy(np.log(self._first_shares() + 1e-8)))

    def _head(self, network: nn.Module) -> nn.Linear:
        """Return the network's last layer, which gives each label its score."""
        assert isinstance(network.head, nn.Linear)
        return network.head

    def _first_shares(self) -> NDArray[np.float64]:
        """Return how likely each label is before anything was read."""
        return self.class_shares_

    def _fitted_record(self) -> dict[str, Any]:
        return {
            **super()._fitted_record(),
            "labels": self.labels_.model_dump(),
            "class_shares": self.class_shares_.tolist(),
        }

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        super()._take_fitted(record)
        self._take_labels(Labels.model_validate(record["labels"]))
        self.class_shares_ = np.array(record["class_shares"], dtype=np.float64)


class OneLabelEstimator(LabelEstimator):
    """Learns one label for each input."""

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the likeliest label of each input: (n,)."""
        p = self.predict_proba(X)
        predicted: NDArray[Any] = self.classes_[p.argmax(1)]
        return predicted

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each label, in the order of `classes_`: (n, classes)."""
        p: NDArray[np.float64] = self._scores(X).softmax(-1).cpu().numpy()
        return p

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the share of inputs whose label is predicted."""
        right = self.predict(X) == read_labels(y)
        return float(np.average(right, weights=sample_weight))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags

        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags()
        return tags

    def _read_targets(self, y: Any, inputs: Inputs) -> Sequence[Any]:
        labels: list[Any] = read_labels(y).tolist()
        return labels

    def _hold_out(self, examples: Examples, seed: int) -> tuple[Examples, Examples]:
        return examples.split(self.validation_fraction, seed, strata=examples.targets)

    def _each_label(self, examples: Examples) -> tuple[Sequence[Any], NDArray[np.float64]]:
        return examples.targets, examples.weights

    def _target_tensor(self, targets: Sequence[Any], device: torch.device) -> Tensor:
        return torch.from_numpy(self._numbers(targets)).to(device)

    def _loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, float]:
        logits = network(batch.inputs, batch.lengths)
        losses = F.cross_entropy(logits, batch.targets, reduction="none")
        return (losses * batch.weights).sum(), float(batch.weights.sum())
