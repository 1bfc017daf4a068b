"""`SequenceRegressor`: many to one, numbers for a sequence."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data.examples import Examples
from recurra.data.inputs import Inputs
from recurra.networks.pooled import PooledNetwork
from recurra.tasks.supervised import Batch, SupervisedEstimator
from recurra.tasks.targets import read_numbers


@dataclass(eq=False, repr=False)
class SequenceRegressor(SupervisedEstimator):
    """Learns a number, or several, for a sequence: the price of what a text describes.

    The loss is the mean squared error in units of the training targets' standard deviation.

    Args, beside those of `SupervisedEstimator`:
        pooling: how outputs over time become one vector: "last", "mean", "max", "attention", or
            "mix" (last, mean and max).

    Fitted: network_, history_, reading_, target_mean_ and target_deviation_ ((O,), of the
    training part), baseline_score_ (R² of the training mean on the validation part: about 0; NaN
    after `partial_fit`), n_features_in_ for numbers.
    """

    hidden_size: int = 64
    _: KW_ONLY
    bidirectional: bool = True
    dropout: float = 0.1
    epochs: int = 50
    learning_rate: float = 5e-3
    patience: int | None = 10
    pooling: str = "mix"

    _unit = "squared standard deviations"

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the prediction for each sequence: (n,), or (n, O) where y was."""
        scaled = self._scores(X).cpu().numpy()
        predicted: NDArray[np.float64] = scaled * self.target_deviation_ + self.target_mean_
        return predicted[:, 0] if self.flat_ else predicted

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return R², the share of the variance of `y` that is explained; at most 1."""
        from sklearn.metrics import r2_score

        return float(r2_score(read_numbers(y), self.predict(X), sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import RegressorTags

        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor"
        tags.regressor_tags = RegressorTags()
        tags.target_tags.multi_output = True
        return tags

    def _build(self) -> nn.Module:
        return PooledNetwork(self._encoder(), self.pooling, len(self.target_mean_))

    def _read_targets(self, y: Any, inputs: Inputs) -> Sequence[Any]:
        numbers = read_numbers(y)
        self.flat_ = numbers.ndim == 1
        return list(numbers.reshape(len(numbers), -1))

    def _learn_targets(self, train: Examples) -> None:
        y = np.array(train.targets)
        self.target_mean_ = np.average(y, axis=0, weights=train.weights)
        variance = np.average((y - self.target_mean_) ** 2, axis=0, weights=train.weights)
        self.target_deviation_ = np.where(variance > 0, np.sqrt(variance), 1.0)

    def _target_tensor(self, targets: Sequence[Any], device: torch.device) -> Tensor:
        scaled = (np.array(targets) - self.target_mean_) / self.target_deviation_
        return torch.tensor(scaled, dtype=torch.float32, device=device)

    def _loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, float]:
        out = network(batch.inputs, batch.lengths)
        losses = (out - batch.targets).square().mean(-1)
        return (losses * batch.weights).sum(), float(batch.weights.sum())

    def _judge(self, train: Examples, judged: Examples) -> None:
        y, w = np.array(judged.targets), judged.weights
        mean = np.average(y, axis=0, weights=w)
        spread = np.average((y - mean) ** 2, axis=0, weights=w)
        error = np.average((y - self.target_mean_) ** 2, axis=0, weights=w)
        share = np.divide(error, spread, out=np.ones_like(error), where=spread > 0)
        self.baseline_score_ = float((1 - share).mean())

    def _fitted_record(self) -> dict[str, Any]:
        return {
            **super()._fitted_record(),
            "target_mean": self.target_mean_.tolist(),
            "target_deviation": self.target_deviation_.tolist(),
            "flat": self.flat_,
        }

    def _take_fitted(self, record: Mapping[str, Any]) -> None:
        super()._take_fitted(record)
        self.target_mean_ = np.array(record["target_mean"], dtype=np.float64)
        self.target_deviation_ = np.array(record["target_deviation"], dtype=np.float64)
        if self.target_mean_.ndim != 1 or self.target_mean_.shape != self.target_deviation_.shape:
            raise ValueError("target_mean and target_deviation do not agree")
        self.flat_ = bool(record["flat"])
