"""What the report on a forecaster shows: what comes next, the walk forward, the calibration."""

from recurra.report.forecasts.captions import backtest_caption, calibration_caption, fan_caption
from recurra.report.forecasts.figures import backtest_chart, calibration_chart, fan_chart
from recurra.report.page import embed
from recurra.report.tasks.records import Section, TaskReport
from recurra.tasks.judging.series import SeriesDetails

MOST_SERIES = 4


def of_series(details: SeriesDetails, report: TaskReport) -> list[Section]:
    """Return the sections on a forecaster; of more than four series the first four are drawn."""
    sections = []
    if details.forecast is not None:
        forecast = details.forecast
        fans = [
            embed(
                fan_chart(forecast, k), f"fan{k + 1}", f"What follows: {name}",
                fan_caption(forecast, k),
            )
            for k, name in enumerate(forecast.ids[:MOST_SERIES])
        ]  # fmt: skip
        sections.append(Section("forecast", "Forecast", _left_out(len(forecast.ids)), fans))
    back = details.back
    walks = [
        embed(
            backtest_chart(back, k),
            f"walk{k + 1}",
            f"Forecast and what came: {one.id}",
            backtest_caption(back) if k == 0 else "The same for another series.",
        )
        for k, one in enumerate(back.series[:MOST_SERIES])
    ]
    text = "Each step was forecast from those before it by a model that had not seen it."
    sections.append(Section("walk", "Walking forward", text, walks))
    drawing = embed(
        calibration_chart(back),
        "calibration",
        "Whether quantiles hold",
        calibration_caption(back),
    )
    sections.append(Section("quantiles", "Calibration", "", [drawing]))
    return sections


def _left_out(series: int) -> str:
    more = series - MOST_SERIES
    return f"The first {MOST_SERIES} of {series:,} series are drawn." if more > 0 else ""
