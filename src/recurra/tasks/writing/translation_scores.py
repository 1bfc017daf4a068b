"""How near translations come to what was wanted, where they are not equal to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from recurra.errors import DataError, MissingDependencyError


@dataclass(frozen=True)
class TranslationScores:
    """Scores over n translations.

    exact: the share that equals what was wanted, from 0 to 1; chrf: the F-score of runs of one to
    six characters (Popović, WMT 2015), and bleu: the precision of runs of one to four words
    (Papineni et al., ACL 2002), both over all translations together, from 0 to 100.
    """

    exact: float
    chrf: float
    bleu: float


def score_translations(written: Sequence[str], wanted: Sequence[str]) -> TranslationScores:
    """Score n texts that were written beside the n that were wanted, by sacrebleu.

    BLEU is of words, so it says little of texts of one or two words, or without spaces.

    Raises `DataError` unless both are n texts, n at least 1; `MissingDependencyError` without
    sacrebleu.
    """
    for name, texts in (("written", written), ("wanted", wanted)):
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{name} must be a list of texts.")
    if len(written) != len(wanted) or not len(written):
        raise DataError(f"there are {len(written)} texts written for {len(wanted)} wanted.")
    try:
        import sacrebleu
    except ImportError as error:
        raise MissingDependencyError(
            "score_translations needs the package sacrebleu: pip install sacrebleu."
        ) from error
    texts, references = list(written), [list(wanted)]
    return TranslationScores(
        exact=sum(a == b for a, b in zip(written, wanted, strict=True)) / len(written),
        chrf=float(sacrebleu.corpus_chrf(texts, references).score),
        bleu=float(sacrebleu.corpus_bleu(texts, references, force=True).score),
    )
