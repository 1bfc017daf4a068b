"""Estimators that learn targets from inputs: the steps of `fit`, for each task to fill in."""

import warnings
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from recurra.data.batches import LengthBatches
from recurra.data.examples import Examples
from recurra.data.inputs import Inputs, read_inputs
from recurra.data.sequences import check_weights
from recurra.errors import DataError, RecurraWarning
from recurra.networks.encoder import Encoder
from recurra.tasks.estimator import SequenceEstimator, seeded
from recurra.tasks.parameters import check_numbers
from recurra.tasks.reading import Reading
from recurra.training.range_test import RateRange, range_test

_STEPS = 100_000  # of a batch in prediction, padding included; bounds its memory


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
class SupervisedEstimator(SequenceEstimator):
    """Learns targets from inputs that are texts, lists of symbols, or numbers.

    Args, beside those of `SequenceEstimator`:
        embedding_size: the features a symbol or a word is read as.
        tokens: how texts are cut: "char", "word", "bpe", or "auto" (words, but characters where
            texts have hardly any spaces).
        lower: whether texts are lower-cased.
        max_length: the steps of an input that are read; what comes after them is left out.
        forget: the probability that a symbol is read as an unknown one (a word by its spelling
            alone), in training.
    """

    _: KW_ONLY
    embedding_size: int = 64
    tokens: str = "auto"
    lower: bool = False
    max_length: int = 1000
    forget: float = 0.05

    _unit = "nats an example"  # what the loss is measured in

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
        train, valid = self._hold_out(examples.distinct(seed), seed)
        train, valid = self._learn(inputs, train), self._cut(valid)
        with seeded(seed):
            self.network_ = self._build().to(self._target_device())
            self._start(self.network_)
            draw = torch.Generator().manual_seed(seed)
            self._train(
                self._batches(train, draw),
                self._batches(valid) if len(valid) else None,
                self._loss,
                self._unit,
            )
        self._finish(train, valid)
        self._judge(train, valid)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go once over more data, for data that does not fit into memory.

        The first call learns vocabularies and scales; later ones go on with those, with the
        optimiser where it was and `learning_rate` as it is. Nothing is held out. Arguments and
        errors are those of `fit`.
        """
        inputs, examples = self._examples(X, y, sample_weight)
        seed = self._seed()
        examples = examples.distinct(seed)
        with seeded(seed):
            if not hasattr(self, "network_"):
                self._hold_out(examples, seed)
                self._judge(self._learn(inputs, examples), examples.select([]))
                self.network_ = self._build().to(self._target_device())
                self._start(self.network_)
            self.reading_.check(inputs, type(self).__name__)
            if not hasattr(self, "_going"):  # new, or loaded
                self._going = self._trainer(self._loss, None, self._unit)
            draw = torch.Generator().manual_seed(seed + len(self._going.history.epochs))
            batches = self._batches(self._cut(examples, told=True), draw)
            self.history_ = self._going.fit(batches, epochs=1)
        self.network_.eval()
        return self

    def find_learning_rate(self, X: Any, y: Any, **settings: Any) -> RateRange:
        """Try learning rates from low to high on the data, and suggest one: a range test.

        What was fitted is left as it was. `settings` are those of `recurra.training.range_test`.
        """
        trial = type(self)(**self.get_params(deep=False))
        inputs, examples = trial._examples(X, y, None)
        seed = trial._seed()
        train, _ = trial._hold_out(examples.distinct(seed), seed)
        train = trial._learn(inputs, train)
        with seeded(seed):
            trial.network_ = trial._build().to(trial._target_device())
            trial._start(trial.network_)
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
        inputs = read_inputs(X)
        targets = self._read_targets(y, inputs)
        if len(targets) != len(inputs):
            raise DataError(f"y has {len(targets)} targets for the {len(inputs)} rows of X.")
        weights = check_weights(sample_weight, len(inputs))
        w = np.ones(len(inputs)) if weights is None else np.array(weights)
        return inputs, Examples(inputs.rows, targets, w)

    def _hold_out(self, examples: Examples, seed: int) -> tuple[Examples, Examples]:
        """Split distinct examples into a part to learn from and one to judge epochs by."""
        return examples.split(self.validation_fraction, seed)

    def _learn(self, inputs: Inputs, train: Examples) -> Examples:
        """Learn vocabularies and scales from the training part, and return it cut into symbols."""
        self.reading_ = Reading.learn(
            inputs, train.inputs, train.weights, tokens=self.tokens, lower=self.lower
        )
        self._take_features(self.reading_)
        self._learn_targets(train)
        return self._cut(train, told=True)

    def _take_features(self, reading: Reading) -> None:
        if reading.kind == "numbers":
            self.n_features_in_ = reading.columns or reading.features

    def _cut(self, examples: Examples, *, told: bool = False) -> Examples:
        rows, longer = self.reading_.cut(examples.inputs, self.max_length)
        if longer and told:
            warnings.warn(
                f"{longer} of {len(rows)} inputs have more than max_length={self.max_length} "
                "steps; what comes after is not read.",
                RecurraWarning,
                stacklevel=4,
            )
        return Examples(rows, examples.targets, examples.weights)

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
            most=None if draw else _STEPS,
        )

    def _outputs(self, X: Any) -> Iterator[tuple[Sequence[int], Any, Tensor]]:
        """Run the network over `X`: the rows of each batch, its outputs, its lengths."""
        self._check_fitted()
        rows = self.reading_.read(X, type(self).__name__, self.max_length)
        device = self._network_device()
        batches = LengthBatches(
            [len(row) for row in rows], lambda chosen: chosen, batch_size=256, most=_STEPS
        )
        with torch.no_grad():
            for chosen in batches:
                places = chosen.tolist()
                batch, lengths = self._collate([rows[k] for k in places], device)
                yield places, self.network_(batch, lengths), lengths

    def _encoder(self) -> Encoder:
        """Return what reads the inputs."""
        reader = self.reading_.reader(self.embedding_size, self.forget)
        recurrent = self._recurrent(int(reader.output_size))  # type: ignore[arg-type]
        return Encoder(reader, recurrent, self._dropout_rate())

    def _collate(self, rows: Sequence[Any], device: torch.device) -> tuple[Any, Tensor]:
        """Return the inputs of a batch as the network takes them, and their lengths (B,)."""
        return self.reading_.batch(rows, device)

    def _loss_weights(self, examples: Examples) -> Any:
        """Return how much each example weighs in the loss."""
        return examples.weights

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_numbers(self, at_least_1="embedding_size max_length", fractions="forget")

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
    def _judge(self, train: Examples, valid: Examples) -> None:
        """Keep how good a naive model is on the part held out."""
