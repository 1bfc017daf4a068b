"""A generator of one endless text, judged on texts it has not read."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from recurra.data.long_text.counted import CountedText
from recurra.tasks.generating.endless import EndlessText
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.judging.judged import Judged, MadeDetails
from recurra.tasks.judging.scores import Score, error_score

_BEGINNINGS, _BEGUN = 4, 40  # how many the samples go on from, and their symbols


def judge_text(model: SequenceGenerator, train: Any, test: Any) -> Judged:
    """Judge by the loss on texts beside that of counted pairs of symbols, chunk by chunk.

    Args:
        model: fitted to one endless text.
        train: what it learned from, for the pairs; None leaves them out.
        test: other texts; both as `model.score` takes them.
    """
    text = model.sequences_
    assert isinstance(text, EndlessText)
    judged = text.read(test)
    pairs = None if train is None else text.pairs(text.read(train))
    ours, theirs, symbols = [], [], []
    for one in judged:
        for chunk, loss in text.losses(model.network_, one):
            ours.append(loss)
            symbols.append(chunk.weight)
            theirs.append(math.nan if pairs is None else pairs.loss(chunk))
    # Their mean is that of a symbol; between which it lies is told by how chunks differ.
    each = len(symbols) / sum(symbols)
    naive = {} if pairs is None else {f"counted pairs of {text.symbol}s": np.array(theirs) * each}
    score = error_score("loss", np.array(ours) * each, naive, f"{text.symbol}s", text.unit)
    score = replace(score, examples=int(sum(symbols)))
    return Judged([score, _in_bits(score, text.symbol)], _samples(model, text, judged))


def _in_bits(score: Score, symbol: str) -> Score:
    """Return a loss in nats as one in bits."""
    bits = {name: value / math.log(2) for name, value in score.baselines.items()}
    return Score(
        "loss in bits",
        score.value / math.log(2),
        score.examples,
        score.noun,
        bits,
        higher_is_better=False,
        unit=f"bits a {symbol}",
    )


def _samples(
    model: SequenceGenerator, text: EndlessText, judged: Sequence[CountedText]
) -> MadeDetails:
    """Return how the model goes on from nothing, and from some places of the texts judged."""
    longest = max(judged, key=lambda one: one.symbols)
    samples = [("", "", [_shown(model.generate(random_state=0)[0])])]
    places = np.linspace(0, max(0, longest.symbols - _BEGUN), _BEGINNINGS, dtype=int)
    for k, place in enumerate(dict.fromkeys(places.tolist()), 1):
        taken = longest.reader(place).take(min(_BEGUN, longest.symbols))
        known = (code for code in taken.tolist() if chr(code) in text.lexicon.vocabulary)
        prefix: Any = text.lexicon.joined([chr(code) for code in islice(known, _BEGUN)])
        if prefix:
            (made,) = model.generate(prefix, random_state=k)
            samples.append(("", _shown(prefix), [_shown(made[len(prefix) :])]))
    return MadeDetails(samples, text.symbol)


def _shown(made: str | bytes) -> str:
    return made.decode("utf-8", "backslashreplace") if isinstance(made, bytes) else made
