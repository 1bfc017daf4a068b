"""The report on a trained sequence generator."""

import os
from pathlib import Path

from recurra.report.captions import gradient_caption, loss_caption, score_caption
from recurra.report.figures import gradient_norms, loss_curves, score_bars
from recurra.report.page import embed, render, write_page
from recurra.report.records import GeneratorReport, SampleRow, ScoreRow, by_loss, overall

__all__ = ["GeneratorReport", "SampleRow", "ScoreRow", "render_report", "write_report"]


def write_report(report: GeneratorReport, path: str | os.PathLike[str]) -> Path:
    """Write the report as one HTML page to `path` and return the absolute path.

    Missing folders are made. The page is complete before anything is written, and takes the
    place of an older file in one move: a failure leaves that file as it was.

    Raises `ArgumentError` when `path` cannot be written, `MissingDependencyError` without
    matplotlib or jinja2.
    """
    return write_page(render_report(report), path)


def render_report(report: GeneratorReport) -> str:
    """Return the report as one HTML page; equal reports give equal text.

    Raises `MissingDependencyError` without matplotlib or jinja2.
    """
    history, unit = report.history, report.unit
    mean = overall(report.scores)
    baseline = None if mean is None else (report.baseline_name, mean.baseline)
    return render(
        "generator.html.j2",
        report=report,
        losses=embed(
            loss_curves(history, unit, baseline),
            "loss",
            "Loss by epoch",
            loss_caption(history, unit, baseline),
        ),
        gradients=embed(
            gradient_norms(history),
            "gradient",
            "Gradient norm by step",
            gradient_caption(history),
        ),
        bars=embed(
            score_bars(report.scores, unit, report.baseline_name),
            "bars",
            f"Held-out loss by {report.condition_name}",
            score_caption(report),
        ),
        scores=by_loss(report.scores),
        mean=mean,
    )
