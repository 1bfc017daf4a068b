"""Figures and self-contained HTML pages: on a model of any task, a forecast, how gradients flow.

matplotlib and jinja2 are imported when the first figure is drawn, not before. In a notebook figures
show after `%matplotlib inline`.
"""

from recurra.report.figures import gradient_norms, loss_curves, score_bars
from recurra.report.flows.activations import activation_figure
from recurra.report.flows.chart import flow_chart
from recurra.report.flows.decay import contribution_figure, decay_figure
from recurra.report.flows.heat import flow_figure
from recurra.report.flows.page import render_flow_report, write_flow_report
from recurra.report.forecasts.captions import backtest_caption, calibration_caption, fan_caption
from recurra.report.forecasts.figures import backtest_chart, calibration_chart, fan_chart
from recurra.report.generator import render_report, write_report
from recurra.report.records import GeneratorReport, SampleRow, ScoreRow
from recurra.report.tasks.attention import attention_caption, attention_figure
from recurra.report.tasks.confusion import confusion_caption, confusion_figure
from recurra.report.tasks.page import render_task_report, write_task_report
from recurra.report.tasks.records import TaskReport
from recurra.report.tasks.scatter import scatter_caption, scatter_figure
from recurra.report.tasks.standing import score_caption, score_figure

__all__ = [
    "GeneratorReport",
    "SampleRow",
    "ScoreRow",
    "TaskReport",
    "activation_figure",
    "attention_caption",
    "attention_figure",
    "backtest_caption",
    "backtest_chart",
    "calibration_caption",
    "calibration_chart",
    "confusion_caption",
    "confusion_figure",
    "contribution_figure",
    "decay_figure",
    "fan_caption",
    "fan_chart",
    "flow_chart",
    "flow_figure",
    "gradient_norms",
    "loss_curves",
    "render_flow_report",
    "render_report",
    "render_task_report",
    "scatter_caption",
    "scatter_figure",
    "score_bars",
    "score_caption",
    "score_figure",
    "write_flow_report",
    "write_report",
    "write_task_report",
]
