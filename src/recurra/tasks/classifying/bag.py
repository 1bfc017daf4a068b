"""Fitting the bag of words that may stand beside a network, and how much each counts."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.data.bags import BAG_BUCKETS, Bags
from recurra.networks.bag import BagOfWords


def fit_bag(
    bag: BagOfWords,
    rows: Sequence[Sequence[str]],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> None:
    """Fit `bag` by logistic regression on TF-IDF (scikit-learn's).

    Args:
        bag: its numbers are set.
        rows: n texts as words; labels: (n,), their classes' numbers; weights: (n,).
    """
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

    bags = Bags.of(rows)
    n = len(rows)
    having = torch.zeros(BAG_BUCKETS).index_add(0, bags.terms, torch.ones(len(bags.terms)))
    bag.idf.copy_(((1 + n) / (1 + having)).log() + 1)
    values = bag.cpu().values(bags).numpy()
    matrix = csr_array((values, (bags.rows.numpy(), bags.terms.numpy())), shape=(n, BAG_BUCKETS))
    model = LogisticRegression(C=4.0, max_iter=300).fit(matrix, labels, sample_weight=weights)
    coefficients, intercept = model.coef_, model.intercept_
    if len(coefficients) == 1:  # of two classes the second one's
        coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
        intercept = np.concatenate([-intercept / 2, intercept / 2])
    bag.weight[:, model.classes_] = torch.from_numpy(coefficients.T).float()
    bag.bias.fill_(-30.0)  # a class without an example to learn from
    bag.bias[model.classes_] = torch.from_numpy(intercept).float()


def best_mix(
    deep: NDArray[np.float64],
    bag: NDArray[np.float64],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> tuple[float, float]:
    """Return the factors of two scores (n, C) whose sum has the lowest log loss.

    Tried are all pairs of 0, 0.1, ... 1.5; the loss is on examples that neither was fitted to.
    """
    steps = np.arange(16) / 10
    rows = np.arange(len(labels))

    def loss(a: float, b: float) -> float:
        scores = a * deep + b * bag
        top = scores.max(1, keepdims=True)
        p = scores - top - np.log(np.exp(scores - top).sum(1, keepdims=True))
        return -float(np.average(p[rows, labels], weights=weights))

    return min(((float(a), float(b)) for a in steps for b in steps), key=lambda pair: loss(*pair))
