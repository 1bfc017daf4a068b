"""Judging regressors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.inputs import read_inputs
from recurra.tasks.classifying.regressor import SequenceRegressor
from recurra.tasks.judging.judged import Judged, NumberDetails, Part, short
from recurra.tasks.judging.naive import linear_name, linear_predictions
from recurra.tasks.judging.scores import Score, error_score
from recurra.tasks.targets import read_numbers

_WORST = 15


def judge_regressor(model: SequenceRegressor, train: Part | None, test: Part) -> Judged:
    """Judge a regressor of one number beside the training mean and a linear model."""
    y = read_numbers(test.y)
    inputs = read_inputs(test.X)
    predicted = model.predict(test.X)
    mean = model.target_mean_[0] if model.flat_ else model.target_mean_
    plain: dict[str, NDArray[Any]] = {"the training mean": np.broadcast_to(mean, y.shape)}
    if train is not None:
        plain[linear_name(inputs, "ridge regression")] = linear_predictions(
            train.X, read_numbers(train.y).tolist(), test.X, classes=False
        )
    noun = "texts" if inputs.kind == "text" else "sequences"
    scores = [
        error_score(
            "mean absolute error",
            _per_row(np.abs(predicted - y)),
            {name: _per_row(np.abs(guess - y)) for name, guess in plain.items()},
            noun,
        ),
        Score(
            "R²",
            r_squared(y, predicted),
            len(y),
            noun,
            {name: r_squared(y, guess) for name, guess in plain.items()},
        ),
    ]
    order = np.argsort(-_per_row(np.abs(predicted - y)), kind="stable")[:_WORST]
    flat_y, flat_predicted = y.reshape(len(y), -1)[:, 0], predicted.reshape(len(y), -1)[:, 0]
    worst = [
        (short(inputs.rows[k]), float(flat_y[k]), float(flat_predicted[k])) for k in order.tolist()
    ]
    return Judged(scores, NumberDetails(flat_y, flat_predicted, worst))


def r_squared(y: NDArray[Any], predicted: NDArray[Any]) -> float:
    """Return the share of the variance that is explained, the mean over outputs; nan if none is."""
    spread = ((y - y.mean(0)) ** 2).sum(0)
    left = ((y - predicted) ** 2).sum(0)
    share = np.divide(left, spread, out=np.full_like(spread, np.nan), where=spread > 0)
    return float(np.mean(1 - share))


def _per_row(errors: NDArray[Any]) -> NDArray[np.float64]:
    means: NDArray[np.float64] = errors.reshape(len(errors), -1).mean(1)
    return means
