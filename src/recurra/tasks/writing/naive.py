"""What a translation or a caption stands beside: what is written without a network."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import Examples

_JUDGED = 1000  # examples at most: each is compared with every one of the training part
_FEATURES = 2**14  # n-grams are told apart by a hash into this many

# known inputs -> (a few inputs -> how similar each is to each known one, (few, known))
Index = Callable[[Sequence[Any]], Callable[[Sequence[Any]], NDArray[np.float64]]]


def most_frequent(train: Examples) -> dict[str | None, Any]:
    """Return the target of most weight for each condition."""
    counts: dict[str | None, Counter[Any]] = {}
    for target, weight in zip(train.targets, train.weights.tolist(), strict=True):
        counts.setdefault(target.condition, Counter())[_key(target.content)] += weight
    # Of equals the first in order, so that the order of the examples does not matter.
    return {
        condition: min(each, key=lambda key: (-each[key], repr(key)))
        for condition, each in counts.items()
    }


def naive_scores(
    train: Examples, judged: Examples, index: Index, *, copies: bool
) -> dict[str, float]:
    """Return the share of targets that each naive way writes exactly.

    Args:
        train: what is known.
        judged: what is to be written; of more than 1,000 the first 1,000.
        index: says which inputs are similar.
        copies: whether the input itself can be a target.
    """
    judged = judged.select(range(min(len(judged), _JUDGED)))
    frequent = most_frequent(train)
    wanted = [_key(target.content) for target in judged.targets]
    conditions = [target.condition for target in judged.targets]
    written = {
        "the most frequent target": [frequent.get(condition) for condition in conditions],
        "the nearest input's target": _nearest(train, judged, index),
    }
    if copies:
        written["the input itself"] = [_key(item) for item in judged.inputs]
    return {
        name: float(
            np.average(
                [a == b for a, b in zip(guesses, wanted, strict=True)], weights=judged.weights
            )
        )
        for name, guesses in written.items()
    }


def _nearest(train: Examples, judged: Examples, index: Index) -> list[Any]:
    """Return the target of the most similar input of the same condition for each example."""
    found: list[Any] = [None] * len(judged)
    of_train = [target.condition for target in train.targets]
    of_judged = [target.condition for target in judged.targets]
    for condition in set(of_judged) & set(of_train):
        known = [k for k, each in enumerate(of_train) if each == condition]
        asked = [k for k, each in enumerate(of_judged) if each == condition]
        similarity = index([train.inputs[k] for k in known])
        for at in range(0, len(asked), 100):
            rows = asked[at : at + 100]
            nearest = similarity([judged.inputs[k] for k in rows]).argmax(1)
            for row, place in zip(rows, nearest.tolist(), strict=True):
                found[row] = _key(train.targets[known[place]].content)
    return found


def by_runs(known: Sequence[Sequence[str]]) -> Callable[[Sequence[Any]], NDArray[np.float64]]:
    """Return the cosine of how often runs of one to three symbols come up in two rows."""
    from sklearn.feature_extraction.text import HashingVectorizer

    def runs(row: Sequence[str]) -> list[str]:
        return ["\0".join(row[k : k + n]) for n in (1, 2, 3) for k in range(len(row) - n + 1)]

    counter = HashingVectorizer(analyzer=runs, n_features=_FEATURES)
    memory = counter.transform(known).T

    def similarity(rows: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        cosines: NDArray[np.float64] = (counter.transform(rows) @ memory).toarray()
        return cosines

    return similarity


def by_distance(known: Sequence[NDArray[Any]]) -> Callable[[Sequence[Any]], NDArray[np.float64]]:
    """Return minus half the squared distance of two arrays, up to a constant for each row.

    Arrays are as long as the longest known one: longer ones are cut, others end in zeros.
    """
    size = max(np.size(row) for row in known)
    memory = _flat(known, size)
    squares = (memory**2).sum(1)

    def similarity(rows: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
        nearness: NDArray[np.float64] = _flat(rows, size) @ memory.T - squares / 2
        return nearness

    return similarity


def _flat(rows: Sequence[NDArray[Any]], size: int) -> NDArray[np.float64]:
    flat = np.zeros((len(rows), size))
    for place, row in zip(flat, rows, strict=True):
        values = np.asarray(row, dtype=np.float64).ravel()[:size]
        place[: len(values)] = values
    return flat


def _key(content: Any) -> Any:
    return tuple(content) if isinstance(content, list) else content
