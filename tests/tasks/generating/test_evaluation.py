import math

import pytest
from invented import invented_names

from recurra import SequenceGenerator
from recurra.data.vocabulary import SPECIAL, Vocabulary
from recurra.tasks import mean_losses, score_labels
from recurra.tasks.generating.baseline import BigramBaseline, bigram_loss


def test_labels_are_scored_apart_and_add_up(fitted: SequenceGenerator) -> None:
    names, countries = invented_names(seed=3, n=12)
    trained_on, _ = invented_names()
    scores = score_labels(fitted, names, countries, trained_on)
    assert [score.label for score in scores] == ["Consland", "Vowland"]
    assert [score.sequences for score in scores] == [12, 12]
    loss, baseline = mean_losses(scores)
    assert loss == pytest.approx(-fitted.score(names, countries))
    assert baseline == pytest.approx(
        bigram_loss(fitted.lexicon_.vocabulary, list(map(list, trained_on)), list(map(list, names)))
    )
    own = [name for name, country in zip(names, countries, strict=True) if country == "Vowland"]
    assert -fitted.score(own, ["Vowland"] * 12) == pytest.approx(scores[1].loss)


def test_the_baseline_s_probabilities_sum_to_1() -> None:
    vocabulary = Vocabulary.of(["ab", "ba", "aab"])
    counted = BigramBaseline(len(vocabulary)).fit([vocabulary.encode(s) for s in ("ab", "aab")])
    a = SPECIAL
    # p(b | a) of each symbol b: the loss of "a" then b, less the loss that both share.
    ends = math.exp(-counted.loss([a]) + _first(counted, a))
    follows = [
        math.exp(-_first(counted, a, b) + _first(counted, a)) for b in range(1, len(vocabulary))
    ]
    assert ends + sum(follows) == pytest.approx(1.0)


def _first(counted: BigramBaseline, *symbols: int) -> float:
    """Return -log p of a beginning: the loss of the sequence, less that of its end."""
    total = counted._single.total() + counted._symbols
    alone = (counted._single[0] + 1) / total
    last = symbols[-1]
    end = (counted._pairs[last, 0] + counted._k * alone) / (counted._before[last] + counted._k)
    return counted.loss(list(symbols)) + math.log(end)


def test_a_pair_seen_often_is_likelier_than_one_never_seen() -> None:
    vocabulary = Vocabulary.of(["ab", "cd"])
    counted = BigramBaseline(len(vocabulary)).fit([vocabulary.encode("ab")] * 10)
    assert counted.loss(vocabulary.encode("ab")) < counted.loss(vocabulary.encode("ba"))
