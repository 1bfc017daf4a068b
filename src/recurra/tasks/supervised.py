"""Estimators that learn targets from inputs: the steps of `fit`, for each task to fill in."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from recurra.data.batches import LengthBatches
from recurra.data.examples import Examples
from recurra.data.inputs import Inputs
from recurra.data.sequences import check_weights
from recurra.errors import DataError
from recurra.tasks.estimator import seeded
from recurra.tasks.reading_estimator import STEPS, ReadingEstimator
from recurra.training import Trainer
from recurra.training.range_test import RateRange, range_test


@dataclass(frozen=True)
class Batch:
    """B examples as tensors.

    inputs: what the network's reader takes; lengths: (B,), the inputs' steps; targets: what the
    loss takes; weights: (B,).
    """

    inputs: Any
    lengths: Tensor
    targets: Any
    weights: Tensor


@dataclass(eq=False, repr=False)
class SupervisedEstimator(ReadingEstimator):
    """Learns targets from inputs; its parameters are those of `ReadingEstimator`."""

    _unit = "nats an example"  # what the loss is measured in
    _nouns = ("targets", "rows")  # what y and X hold

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn to predict `y` from `X`.

        Args:
            X: n texts, n lists of symbols, an array (n, T, F), a table (n, T) of series with one
                feature, or a list of n arrays (T,) or (T, F).
            y: n targets.
            sample_weight: n weights of at least 0, or None for 1 each.

        Returns self. Raises `DataError` for data, `ArgumentError` for parameters that cannot be
        used.
        """
        inputs, examples = self._examples(X, y, sample_weight)
        self.__dict__.pop("_going", None)  # what `partial_fit` had begun
        seed = self._seed()
        train, valid = self._parts(examples, seed)
        train, valid = self._learn(inputs, train), self._cut(valid)
        with seeded(seed, self._target_device()):
            self._make_network()
            draw = torch.Generator().manual_seed(seed)
            self._train(
                self._batches(train, draw),
                self._batches(valid) if len(valid) else None,
                self._loss,
                self._unit,
            )
        self._finish(train, valid)
        self._judge(train, valid if len(valid) else train)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go once over more data, for data that does not fit into memory.

        The first call learns vocabularies and scales; later ones go on with those, with the
        optimiser where it was and `learning_rate` as it is. Nothing is held out, so that a model
        begun here has no baseline: it is NaN. Arguments and errors are those of `fit`.
        """
        inputs, examples = self._examples(X, y, sample_weight)
        seed = self._seed()
        examples = examples.distinct(seed)
        going: Trainer | None = self.__dict__.get("_going")
        done = 0 if going is None else len(going.history.epochs)
        with seeded(seed + done, self._target_device()):
            if hasattr(self, "network_"):
                self.reading_.check(inputs, type(self).__name__)
                part = self._cut(examples, told=True)
            else:
                self._see_targets(examples)
                part = self._learn(inputs, examples)
                self._make_network()
            if going is None:  # new, or loaded
                going = self._going = self._trainer(self._loss, None, self._unit)
            draw = torch.Generator().manual_seed(seed + done)
            self.history_ = going.fit(self._batches(part, draw), epochs=1)
        self.network_.eval()
        return self

    def find_learning_rate(self, X: Any, y: Any, **settings: Any) -> RateRange:
        """Try learning rates from low to high on the data, and suggest one: a range test.

        What was fitted is left as it was. `settings` are those of `recurra.training.range_test`.
        """
        trial = type(self)(**self.get_params(deep=False))
        inputs, examples = trial._examples(X, y, None)
        seed = trial._seed()
        train, _ = trial._parts(examples, seed)
        train = trial._learn(inputs, train)
        with seeded(seed, trial._target_device()):
            trial._make_network()
            draw = torch.Generator().manual_seed(seed)
            trainer = trial._trainer(trial._loss, None, trial._unit)
            return range_test(trainer, trial._batches(train, draw), **settings)

    def _examples(self, X: Any, y: Any, sample_weight: Any) -> tuple[Inputs, Examples]:
        """Read what `fit` is given."""
        self._check_parameters()
        if y is None:
            raise DataError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        return self._pair(self._read_inputs(X), y, sample_weight)

    def _pair(self, inputs: Inputs, y: Any, sample_weight: Any) -> tuple[Inputs, Examples]:
        """Put inputs, targets and weights together."""
        targets = self._read_targets(y, inputs)
        if len(targets) != len(inputs):
            those, rows = self._nouns
            raise DataError(f"y has {len(targets)} {those} for the {len(inputs)} {rows} of X.")
        weights = check_weights(sample_weight, len(inputs))
        w = np.ones(len(inputs)) if weights is None else np.array(weights)
        return inputs, Examples(inputs.rows, targets, w)

    def _parts(self, examples: Examples, seed: int) -> tuple[Examples, Examples]:
        """Return the different examples in two parts: to learn from, and to judge epochs by."""
        examples = examples.distinct(seed)
        self._see_targets(examples)
        return self._hold_out(examples, seed)

    def _hold_out(self, examples: Examples, seed: int) -> tuple[Examples, Examples]:
        """Split different examples in two."""
        return examples.split(self.validation_fraction, seed)

    def _learn(self, inputs: Inputs, train: Examples) -> Examples:
        """Learn vocabularies and scales from the training part, and return it cut into symbols."""
        self._take_reading(self._new_reading(inputs, train))
        self._learn_targets(train)
        self.baseline_score_ = math.nan  # until it is judged
        return self._cut(train, told=True)

    def _batches(
        self, examples: Examples, draw: torch.Generator | None = None
    ) -> LengthBatches[Batch]:
        """Return batches of examples; with `draw` as they are trained on."""
        device = self._network_device()
        weights = torch.tensor(self._loss_weights(examples), dtype=torch.float32, device=device)

        def make(chosen: Tensor) -> Batch:
            rows = chosen.tolist()
            batch, lengths = self._collate([examples.inputs[k] for k in rows], device)
            targets = self._target_tensor([examples.targets[k] for k in rows], device)
            return Batch(batch, lengths, targets, weights[chosen])

        return LengthBatches(
            [len(row) for row in examples.inputs],
            make,
            batch_size=self._training_batch(len(examples)) if draw else 256,
            generator=draw,
            most=None if draw else STEPS,
        )

    def _make_network(self) -> None:
        """Build the network and set its first weights."""
        self.network_ = self._build().to(self._target_device())
        self._start(self.network_)

    def _loss_weights(self, examples: Examples) -> Any:
        """Return how much each example weighs in the loss."""
        return examples.weights

    def _fitted_record(self) -> dict[str, Any]:
        return {**super()._fitted_record(), "baseline_score": self.baseline_score_}

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        super()._take_fitted(record)
        self.baseline_score_ = float(record["baseline_score"])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags

    def _see_targets(self, examples: Examples) -> None:
        """Learn what must be known of all targets, those held out included."""

    def _start(self, network: nn.Module) -> None:
        """Set weights of the new network that are better not random."""

    def _finish(self, train: Examples, valid: Examples) -> None:
        """Fit what is fitted once the network is trained."""

    @abstractmethod
    def _read_targets(self, y: Any, inputs: Inputs) -> Sequence[Any]:
        """Return n targets, checked."""

    @abstractmethod
    def _learn_targets(self, train: Examples) -> None:
        """Learn what must be known of the targets trained on."""

    @abstractmethod
    def _target_tensor(self, targets: Sequence[Any], device: torch.device) -> Any:
        """Return targets as the loss takes them."""

    @abstractmethod
    def _loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, float]:
        """Return the batch's summed loss and its weight."""

    @abstractmethod
    def _judge(self, train: Examples, judged: Examples) -> None:
        """Keep how good a naive model of the training part is on the examples judged."""
