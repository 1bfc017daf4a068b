"""Judging what writes, tags and makes sequences."""

from typing import Any

import numpy as np

from recurra.data.examples import Examples
from recurra.tasks.generating.baseline import BigramBaseline
from recurra.tasks.generating.endless import EndlessText
from recurra.tasks.generating.evaluation import score_labels
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.judging.judged import (
    Judged,
    MadeDetails,
    Part,
    TagDetails,
    WrittenDetails,
    WrittenRow,
    short,
)
from recurra.tasks.judging.long_text import judge_text
from recurra.tasks.judging.scores import Score, bootstrap, error_score, share_score
from recurra.tasks.tagging.scores import FrequentTags, is_bio, score_spans, score_tags
from recurra.tasks.tagging.tagger import SequenceTagger
from recurra.tasks.writing.captioner import Captioner
from recurra.tasks.writing.naive import naive_scores
from recurra.tasks.writing.targets import Target
from recurra.tasks.writing.translation_scores import score_translations
from recurra.tasks.writing.translator import Translator

_ROWS = 20
_LOOKS = 4


def judge_tagger(model: SequenceTagger, train: Part | None, test: Part) -> Judged:
    """Judge a tagger beside each word's most frequent tag; spans by F1, where tags mark some."""
    said = model.predict(test.X)
    wanted = [list(row) for row in test.y]
    right = _flat_right(wanted, said)
    plain: dict[str, Any] = {}
    spans_of_plain: dict[str, float] = {}
    spans = all(tag == "O" or is_bio([tag]) for row in wanted for tag in row)
    spans = spans and any(is_bio(row) for row in wanted)
    if train is not None:
        frequent = FrequentTags().fit([list(row) for row in train.X], train.y)
        naive = frequent.predict([list(row) for row in test.X])
        plain["each word's most frequent tag"] = _flat_right(wanted, naive)
        if spans:
            spans_of_plain["each word's most frequent tag"] = score_spans(wanted, naive)[-1].f1
    scores = [share_score("accuracy", right, plain, "tags")]
    by_span = score_spans(wanted, said) if spans else []
    if by_span:
        scores.append(
            Score("F1 of spans", by_span[-1].f1, by_span[-1].count, "spans", spans_of_plain)
        )
    wrong = [
        ([str(word) for word in words], [(str(t), str(s)) for t, s in zip(row, guess, strict=True)])
        for words, row, guess in zip(test.X, wanted, said, strict=True)
        if list(row) != list(guess)
    ][:_ROWS]
    return Judged(scores, TagDetails(score_tags(wanted, said), by_span, wrong))


def judge_translator(model: Translator, train: Part | None, test: Part) -> Judged:
    """Judge a translator by exact matches, chrF and BLEU, beside its naive ways of writing."""
    scores, rows, order = _written(model, test, train, model.predict(test.X, test.condition))
    # The right ones first: where a wrong one looked tells less.
    chosen = sorted(order, key=lambda k: not rows[order.index(k)].right)[:_LOOKS]
    part = test.select(chosen)
    looks = model.attention(part.X, part.condition)
    return Judged(scores, WrittenDetails(rows[:_ROWS], looks))


def judge_captioner(model: Captioner, train: Part | None, test: Part) -> Judged:
    """Judge a captioner by exact matches, chrF and BLEU, beside its naive ways of writing."""
    scores, rows, order = _written(model, test, train, model.predict(test.X, test.condition))
    pictures = [np.asarray(test.X[k]) for k in order[:_ROWS]]
    shown = rows[:_ROWS] if pictures and pictures[0].ndim > 1 else []
    return Judged(scores, WrittenDetails(shown, pictures=pictures if shown else []))


def judge_generator(model: SequenceGenerator, train: Part | None, test: Part) -> Judged:
    """Judge a generator by its loss beside that of counted pairs of symbols."""
    if isinstance(model.sequences_, EndlessText):
        return judge_text(model, None if train is None else train.X, test.X)
    vocabulary = model.lexicon_.vocabulary
    symbol = "character" if model.lexicon_.text else "symbol"
    losses = -model.score_samples(test.X, test.condition)
    steps = np.array([len(row) + 1 for row in test.X])
    plain = {}
    if train is not None:
        counted = BigramBaseline(len(vocabulary)).fit([vocabulary.encode(row) for row in train.X])
        theirs = np.array([counted.loss(vocabulary.encode(row)) for row in test.X])
        plain[f"counted pairs of {symbol}s"] = theirs * len(steps) / steps.sum()
    # A mean over symbols, as sums over sequences: each weighs what its length does.
    score = error_score("loss", losses * len(steps) / steps.sum(), plain, "sequences")
    score = Score(**{**vars(score), "unit": f"nats a {symbol}"})
    samples = []
    conditions: list[str | None] = [*model.conditions_] or [None]
    for label in conditions[:12]:
        starts = model.starts_[label]
        first = max(starts, key=starts.__getitem__)
        beginning: Any = "" if label is None else first
        made = model.generate(beginning, label, 6, random_state=0)
        texts = ["".join(row) if model.lexicon_.text else " ".join(row) for row in made]
        samples.append((label or "", beginning, texts))
    scores = [score]
    if train is not None and test.condition is not None and model.lexicon_.text:
        rows = score_labels(model, test.X, test.condition, train.X)
        worse = sum(row.loss > row.baseline for row in rows)
        name = "share of labels with a loss below the baseline's"
        share = Score(name, 1 - worse / len(rows), len(rows), "labels")
        scores.append(share)
    return Judged(scores, MadeDetails(samples, symbol))


def _flat_right(wanted: Any, said: Any) -> Any:
    return np.array(
        [
            str(a) == str(b)
            for true, guess in zip(wanted, said, strict=True)
            for a, b in zip(true, guess, strict=True)
        ]
    )


def _written(
    model: Translator | Captioner, test: Part, train: Part | None, written: Any
) -> tuple[list[Score], list[WrittenRow], list[int]]:
    """Return the scores; the rows, wrong ones first but half of them; their places in the part."""
    conditions = [""] * len(test) if test.condition is None else list(test.condition)
    rows = [
        WrittenRow("" if np.ndim(x) > 1 else short(x), short(y), short(w), c)
        for x, y, w, c in zip(test.X, test.y, written, conditions, strict=True)
    ]
    right = np.array([row.right for row in rows])
    plain = {} if train is None else _naive(model, train, test)
    noun = "pictures" if isinstance(model, Captioner) else "texts"
    exact = float(right.mean())
    scores = [Score("exact match", exact, len(rows), noun, plain, interval=bootstrap(right))]
    if all(isinstance(text, str) for text in (*written, *test.y)):
        near = score_translations(list(written), list(test.y))
        scores += [
            Score("chrF", near.chrf, len(rows), noun),
            Score("BLEU", near.bleu, len(rows), noun),
        ]
    wrong, good = np.flatnonzero(~right).tolist(), np.flatnonzero(right).tolist()
    half = min(len(wrong), _ROWS // 2)
    order = [*wrong[:half], *good[: _ROWS - half]]
    return scores, [rows[k] for k in order], order


def _naive(model: Translator | Captioner, train: Part, test: Part) -> dict[str, float]:
    """Return what naive ways of writing score on the first 1,000 examples."""
    copies = model.reading_.kind != "numbers" and model.writing_.form != "labels"
    parts = [_examples(model, part) for part in (train, test)]
    return naive_scores(parts[0], parts[1], model._index(), copies=copies)


def _examples(model: Translator | Captioner, part: Part) -> Examples:
    rows = model.reading_.read(part.X, type(model).__name__, model.max_length)
    conditions = [None] * len(part) if part.condition is None else list(part.condition)
    pairs = zip(part.y, conditions, strict=True)
    targets = [Target(model.writing_.cut(content), label) for content, label in pairs]
    return Examples(rows, targets, np.ones(len(rows)))
