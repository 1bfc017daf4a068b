"""What a model card says of how good the model is: always beside what is naive."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra.tasks.judging.scores import Score, number
from recurra.tasks.saving.card_text import table, task_of
from recurra.tasks.saving.config import About, Judgement

_SAME_AS_SCORE = "as `model.score` measures it"


def score_lines(model: Any) -> list[str]:
    """Return paragraphs on the part that chose the epoch, and on the part held out if there is."""
    return [*_held_out(model.about_, task_of(model).judged), *_validation(model)]


def _held_out(about: About, what: str) -> list[str]:
    if not about.scores:
        return []
    rows = [_row(score) for score in about.scores]
    head = (what, "This model", "Naive models")
    return [table(head, rows, (1,)), _escaped(about.scores[0].verdict)]


def _row(score: Judgement) -> tuple[str, str, str]:
    unit = f" {score.unit}" if score.unit else ""
    beside = ", ".join(f"{name} {number(value)}" for name, value in score.baselines.items())
    what = f"{score.name}, {score.examples:,} {score.noun}"
    return _escaped(what), f"{number(score.value)}{unit}", _escaped(beside) or "–"


def _validation(model: Any) -> list[str]:
    """Return what is known from the part that chose the epoch."""
    history, about = model.history_, model.about_
    best = history.best
    loss = None if best is None else best.valid_loss
    state = getattr(model, "state_", None)
    if state is not None and state.scores:
        return _errors(state.scores, "not learned from" if about.validation else "learned from")
    if loss is None:
        return [
            "No part was held out to choose the epoch, so there is no validation loss. Judge the "
            "model on examples it has not seen: `recurra evaluate`, or `model.score`."
        ]
    unit = f" {about.unit}" if about.unit else ""
    lines = [
        f"On the part that chose the epoch the loss was {number(loss)}{unit}"
        f"{_beside(loss, _naive_loss(model))}."
    ]
    naive = _naive_scores(model)
    if naive:
        said = ", ".join(f"{name} {number(value)}" for name, value in naive.items())
        lines.append(
            f"What is naive scores there, {_SAME_AS_SCORE}: {_escaped(said)}. A model that does "
            "not score more is not worth its trouble."
        )
    return lines


def _errors(scores: Mapping[str, float], where: str) -> list[str]:
    """Return mean absolute errors as a table, and what they mean."""
    known = {name: value for name, value in scores.items() if name != "model"}
    score = Score("mean absolute error", scores["model"], 1, "", known, higher_is_better=False)
    rows = [(name, number(value)) for name, value in scores.items()]
    return [
        f"Mean absolute error on the steps {where}, in the series' own units:",
        table(("", "Error"), rows, (1,)),
        score.verdict(),
    ]


def _naive_loss(model: Any) -> tuple[str, float] | None:
    """Return what the loss comes to without the inputs, where that is known."""
    if math.isfinite(getattr(model, "baseline_loss_", math.nan)):
        return "without the network", model.baseline_loss_
    shares = getattr(model, "class_shares_", None)
    if shares is not None and getattr(model, "class_weight", None) is None:
        p = np.asarray(shares, dtype=np.float64)
        entropy = float(-(p[p > 0] * np.log(p[p > 0])).sum())
        return "knowing only how frequent each class is", entropy
    return None


def _beside(loss: float, naive: tuple[str, float] | None) -> str:
    if naive is None:
        return ""
    name, value = naive
    text = f"; {name} it is {number(value)}"
    return text if loss < value else f"{text}, which is as good or better: the network adds nothing"


def _naive_scores(model: Any) -> dict[str, float]:
    found = dict(getattr(model, "baselines_", {}))
    naive = task_of(model).naive
    if naive:
        found = {naive: model.baseline_score_}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _escaped(text: str) -> str:
    """Return a text in which nothing is Markdown."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#&" else sign for sign in text)
