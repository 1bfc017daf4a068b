from typing import Any

import pytest

from recurra.errors import DataError
from recurra.tasks.writing.translation_scores import score_translations

sacrebleu = pytest.importorskip("sacrebleu")


def test_what_is_equal_scores_highest_and_what_shares_nothing_lowest() -> None:
    texts = ["the red cat sat on the mat", "a dog barked at the moon"]
    best = score_translations(texts, texts)
    assert (best.exact, best.chrf) == (1.0, 100.0)
    assert best.bleu == pytest.approx(100)
    worst = score_translations(["zzz", "qqq"], texts)
    assert (worst.exact, worst.bleu) == (0.0, 0.0)
    assert worst.chrf < 1


def test_scores_are_sacrebleu_s_over_all_texts_together() -> None:
    written = ["the red cat sat on a mat", "a dog barked"]
    wanted = ["the red cat sat on the mat", "a dog barked at the moon"]
    scores = score_translations(written, wanted)
    assert scores.exact == 0.0
    assert scores.chrf == sacrebleu.CHRF().corpus_score(written, [wanted]).score
    assert scores.bleu == sacrebleu.BLEU().corpus_score(written, [wanted]).score
    assert 30 < scores.chrf < 90


@pytest.mark.parametrize(
    ("written", "wanted", "message"),
    [
        (["a"], ["a", "b"], "1 texts written for 2 wanted"),
        ([], [], "0 texts written"),
        ("a", ["a"], "written must be a list of texts"),
        ([1], ["a"], "written must be a list of texts"),
    ],
)
def test_what_cannot_be_scored_is_refused(written: Any, wanted: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        score_translations(written, wanted)
