"""How good tags are: tag by tag, by the spans they mark, and beside the most frequent ones."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from recurra.errors import DataError

Tags = Sequence[Sequence[Any]]
Span = tuple[str, int, int]


@dataclass(frozen=True)
class TagScore:
    """One tag, or one kind of span.

    precision: the share right of those predicted, 0 where none is; recall: the share found of
    those there, 0 where none is; f1: their harmonic mean; count: how many are there.
    """

    tag: str
    precision: float
    recall: float
    f1: float
    count: int

    @classmethod
    def of(cls, tag: Any, right: int, predicted: int, there: int) -> "TagScore":
        """Return the scores from three counts."""
        return cls(
            str(tag),
            right / predicted if predicted else 0.0,
            right / there if there else 0.0,
            2 * right / (predicted + there) if predicted + there else 0.0,
            there,
        )


def score_tags(y_true: Tags, y_pred: Tags) -> list[TagScore]:
    """Return the score of each tag that is there or predicted, in order.

    Args:
        y_true, y_pred: for each of n sequences its tags, of equal lengths.

    Raises `DataError`, which names the row, where they are not.
    """
    right: Counter[Any] = Counter()
    predicted: Counter[Any] = Counter()
    there: Counter[Any] = Counter()
    for true, guess in _aligned(y_true, y_pred):
        there.update(true)
        predicted.update(guess)
        right.update(t for t, g in zip(true, guess, strict=True) if t == g)
    return [
        TagScore.of(tag, right[tag], predicted[tag], there[tag])
        for tag in sorted(there | predicted, key=str)
    ]


def score_spans(y_true: Tags, y_pred: Tags) -> list[TagScore]:
    """Return the score of each kind of span in BIO tags, and at last that of "all" together.

    A span counts as found when its kind, first and last step are all right, as at CoNLL-2000
    (Tjong Kim Sang and Buchholz, 2000). Raises `DataError` as `score_tags` does, and for a tag
    that is not O, B-kind or I-kind.
    """
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for k, (true, guess) in enumerate(_aligned(y_true, y_pred)):
        spans = set(spans_of(true, k)), set(spans_of(guess, k))
        for place, found in enumerate((spans[0] & spans[1], spans[1], spans[0])):
            for kind, _, _ in found:
                counts[kind][place] += 1
    whole = [sum(count[place] for count in counts.values()) for place in range(3)]
    scores = [TagScore.of(kind, *counts[kind]) for kind in sorted(counts)]
    return [*scores, TagScore.of("all", *whole)]


def is_bio(tags: Sequence[Any]) -> bool:
    """Return whether tags mark spans: each O, B-kind or I-kind, one of the latter among them."""
    return any(tag != "O" for tag in tags) and all(_parts(tag) is not None for tag in tags)


def spans_of(tags: Sequence[Any], row: int = 0) -> list[Span]:
    """Return the spans that BIO tags mark, each its kind, first step, and the step after its last.

    An I that does not go on with a span of its kind begins one, as in CoNLL's own scorer.
    """
    spans: list[Span] = []
    kind, start = "", 0
    for k, tag in enumerate([*tags, "O"]):
        parts = _parts(tag)
        if parts is None:
            raise DataError(f"row {row}, step {k}: {tag!r} is no BIO tag; it is O, B-... or I-...")
        if kind and parts != ("I", kind):
            spans.append((kind, start, k))
            kind = ""
        if parts[1] and not kind:
            kind, start = parts[1], k
    return spans


class FrequentTags:
    """What tags stand beside: each word's most frequent tag, and of an unknown word that of all.

    Of tags as frequent the first in order is taken.
    """

    def __init__(self) -> None:
        self._of_word: dict[Hashable, Any] = {}
        self._of_all: Any = None

    def fit(
        self,
        words: Sequence[Sequence[Hashable]],
        tags: Tags,
        weights: Sequence[float] | None = None,
    ) -> "FrequentTags":
        """Count the tags of words, each sentence with its weight."""
        counts: defaultdict[Hashable, Counter[Any]] = defaultdict(Counter)
        total: Counter[Any] = Counter()
        for k, (row, given) in enumerate(zip(words, tags, strict=True)):
            weight: Any = 1 if weights is None else weights[k]
            for word, tag in zip(row, given, strict=True):
                counts[word][tag] += weight
                total[tag] += weight
        if not total:
            raise DataError("there is not one tag: all sequences are empty.")
        self._of_word = {word: _most(count) for word, count in counts.items()}
        self._of_all = _most(total)
        return self

    def predict(self, words: Sequence[Sequence[Hashable]]) -> list[list[Any]]:
        """Return the tags of words."""
        return [[self._of_word.get(word, self._of_all) for word in row] for row in words]


def accuracy(y_true: Tags, y_pred: Tags, weights: Sequence[float] | None = None) -> float:
    """Return the share of steps whose tag is right, each weighing what its sequence does."""
    right = total = 0.0
    for k, (true, guess) in enumerate(_aligned(y_true, y_pred)):
        weight = 1.0 if weights is None else float(weights[k])
        right += weight * sum(t == g for t, g in zip(true, guess, strict=True))
        total += weight * len(true)
    if not total:
        raise DataError("there is not one tag to score: all sequences are empty or weigh 0.")
    return right / total


def _aligned(y_true: Tags, y_pred: Tags) -> list[tuple[Sequence[Any], Sequence[Any]]]:
    if len(y_true) != len(y_pred):
        raise DataError(f"there are {len(y_pred)} predicted rows for {len(y_true)} true ones.")
    for k, (true, guess) in enumerate(zip(y_true, y_pred, strict=True)):
        if len(true) != len(guess):
            raise DataError(f"row {k}: {len(guess)} tags are predicted for {len(true)} true ones.")
    return list(zip(y_true, y_pred, strict=True))


def _parts(tag: Any) -> tuple[str, str] | None:
    if tag == "O":
        return "O", ""
    place, dash, kind = tag.partition("-") if isinstance(tag, str) else ("", "", "")
    return (place, kind) if place in ("B", "I") and dash and kind else None


def _most(counts: Counter[Any]) -> Any:
    return min(counts, key=lambda tag: (-counts[tag], str(tag)))
