"""The report on a trained model of any task."""

import os
from collections.abc import Sequence
from pathlib import Path

from recurra.report.captions import gradient_caption, loss_caption
from recurra.report.figures import gradient_norms, loss_curves
from recurra.report.page import Drawing, embed, render, write_page
from recurra.report.tasks.records import Section, TableView, TaskReport, score_text
from recurra.report.tasks.sections import sections_of
from recurra.report.tasks.standing import score_caption, score_figure
from recurra.tasks.judging.scores import Score, number

__all__ = ["TaskReport", "render_task_report", "write_task_report"]


def write_task_report(report: TaskReport, path: str | os.PathLike[str]) -> Path:
    """Write the report as one HTML page to `path` and return the absolute path.

    Missing folders are made; an older file is replaced in one move. Raises `ArgumentError` when
    `path` cannot be written, `MissingDependencyError` without matplotlib or jinja2.
    """
    return write_page(render_task_report(report), path)


def render_task_report(report: TaskReport) -> str:
    """Return the report as one HTML page; equal reports give equal text.

    Raises `MissingDependencyError` without matplotlib or jinja2.
    """
    scores = report.judged.scores
    training: list[Drawing] = []
    if report.history is not None:
        history = report.history
        training = [
            embed(
                loss_curves(history, report.unit),
                "loss",
                "Loss by epoch",
                loss_caption(history, report.unit),
            ),
            embed(
                gradient_norms(history),
                "gradient",
                "Gradient norm by step",
                gradient_caption(history),
            ),
        ]
    sections = [Section("scores", "Scores", tables=[score_table(scores)])]
    if scores:
        first = embed(
            score_figure(scores[0]),
            "score",
            f"{scores[0].name[0].upper()}{scores[0].name[1:]}",
            score_caption(scores[0]),
        )
        sections = [Section("scores", "Scores", "", [first], [score_table(scores)])]
    if training:
        sections.append(Section("training", "Training", "", training))
    sections += sections_of(report)
    return render("task.html.j2", report=report, sections=sections, verdicts=verdicts(scores))


def verdicts(scores: list[Score]) -> list[tuple[str, bool]]:
    """Return what to think of each score that has a baseline, and whether a baseline wins."""
    said = []
    for score in scores:
        if score.best_baseline is not None:
            name = f"{score.name[0].upper()}{score.name[1:]}"
            said.append((f"{name}: {score.verdict()}{_of_parts(score)}", score.gain <= 0))
    return said


def _of_parts(score: Score) -> str:
    """Return which part of the model alone does as well, if one does."""
    good = {
        name: value
        for name, value in score.parts.items()
        if (value >= score.value if score.higher_is_better else value <= score.value)
    }
    if not good:
        return ""
    name = max(good, key=good.__getitem__)
    return f" Of its parts, {name} does as well ({number(good[name])})."


def score_table(scores: Sequence[Score]) -> TableView:
    """Return the table of all scores: a column each, a row for the model and each other one."""
    names = ["the model"]
    for score in scores:
        names += [name for name in (*score.parts, *score.baselines) if name not in names]
    rows, worse = [], set()
    for k, name in enumerate(names):
        cells = []
        for score in scores:
            value = score.value if k == 0 else score.parts.get(name, score.baselines.get(name))
            cells.append("" if value is None else score_text(value))
            if value is not None and name in score.baselines and _is_ahead(value, score):
                worse.add(k)
        part = any(name in score.parts for score in scores)
        rows.append([f"part: {name}" if part else name, *cells])
    caption = "↑ higher is better, ↓ lower is; a baseline in colour is ahead of the model."
    header = ["Of", *(f"{score.name} {'↑' if score.higher_is_better else '↓'}" for score in scores)]
    return TableView(caption, header, rows, numbers=True, worse=frozenset(worse))


def _is_ahead(value: float, score: Score) -> bool:
    return value > score.value if score.higher_is_better else value < score.value
