"""Figures and a self-contained HTML page on a training run.

matplotlib and jinja2 are imported when the first figure is drawn, not before.
"""

from recurra.report.figures import gradient_norms, loss_curves, score_bars
from recurra.report.generator import render_report, write_report
from recurra.report.records import GeneratorReport, SampleRow, ScoreRow

__all__ = [
    "GeneratorReport",
    "SampleRow",
    "ScoreRow",
    "gradient_norms",
    "loss_curves",
    "render_report",
    "score_bars",
    "write_report",
]
