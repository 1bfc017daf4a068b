"""Figures and a self-contained HTML page on a training run, or on how gradients flow.

matplotlib and jinja2 are imported when the first figure is drawn, not before.
"""

from recurra.report.figures import gradient_norms, loss_curves, score_bars
from recurra.report.flow import render_flow_report, write_flow_report
from recurra.report.flow_activations import activation_figure
from recurra.report.flow_chart import flow_chart
from recurra.report.flow_decay import contribution_figure, decay_figure
from recurra.report.flow_heat import flow_figure
from recurra.report.generator import render_report, write_report
from recurra.report.records import GeneratorReport, SampleRow, ScoreRow

__all__ = [
    "GeneratorReport",
    "SampleRow",
    "ScoreRow",
    "activation_figure",
    "contribution_figure",
    "decay_figure",
    "flow_chart",
    "flow_figure",
    "gradient_norms",
    "loss_curves",
    "render_flow_report",
    "render_report",
    "score_bars",
    "write_flow_report",
    "write_report",
]
