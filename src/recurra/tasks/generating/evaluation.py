"""How good a generator is on sequences it never saw, label by label, beside a baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

from recurra.tasks.generating.baseline import BigramBaseline
from recurra.tasks.generating.generator import SequenceGenerator


@dataclass(frozen=True)
class LabelScore:
    """The held-out sequences of one label.

    sequences, symbols: how many, the symbols with each sequence's end;
    loss, baseline: nats a symbol, the generator's and that of pairs counted on all labels.
    """

    label: str
    sequences: int
    symbols: int
    loss: float
    baseline: float


def score_labels(
    generator: SequenceGenerator,
    X: Sequence[str],
    condition: Sequence[str],
    trained_on: Sequence[str],
) -> list[LabelScore]:
    """Score held-out texts label by label, in the order of the labels.

    Args:
        generator: a fitted one.
        X: n texts it was not trained on.
        condition: their n labels.
        trained_on: the texts it was trained on, for the baseline to count.
    """
    vocabulary = generator.lexicon_.vocabulary
    counted = BigramBaseline(len(vocabulary)).fit([vocabulary.encode(text) for text in trained_on])
    losses = -generator.score_samples(X, condition)
    rows: dict[str, list[int]] = {}
    for k, label in enumerate(condition):
        rows.setdefault(label, []).append(k)
    scores = []
    for label in sorted(rows):
        chosen = rows[label]
        symbols = sum(len(X[k]) + 1 for k in chosen)
        plain = counted.mean_loss([vocabulary.encode(X[k]) for k in chosen])
        loss = float(losses[chosen].sum()) / symbols
        scores.append(LabelScore(label, len(chosen), symbols, loss, plain))
    return scores


def mean_losses(scores: Sequence[LabelScore]) -> tuple[float, float]:
    """Return the losses over all labels, the generator's and the baseline's, in nats a symbol."""
    symbols = sum(score.symbols for score in scores)
    return (
        sum(score.loss * score.symbols for score in scores) / symbols,
        sum(score.baseline * score.symbols for score in scores) / symbols,
    )
