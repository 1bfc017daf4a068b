"""`recurra train forecast`, and a forecaster judged on other series."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recurra.cli.models import Memory, check_folder, digest_of
from recurra.cli.reading import Loaded
from recurra.cli.training.options import Fitting
from recurra.cli.training.run import model_folder, new_model, say, write_up
from recurra.cli.training.series_inputs import load_series
from recurra.data.tables.text_lines import shown_path
from recurra.errors import ArgumentError, DataError, RecurraWarning
from recurra.tasks.estimator import SequenceEstimator
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.judging.judged import Judged, Part
from recurra.tasks.judging.series import judge_walk, walk_over


def run(
    data: Path,
    fitting: Fitting,
    columns: Mapping[str, Any],
    own: Mapping[str, Any],
    gaps: str,
) -> None:
    """Walk forward through the end of each series with a model of what lies before, then learn all.

    The scores are those of the walk; the model that is kept learned from the whole table.
    """
    if fitting.split_column is not None:
        raise ArgumentError("--split-column has no meaning for forecast: the split is by time.")
    if not 0 < fitting.test_fraction < 1:
        raise ArgumentError(
            f"--test-fraction must be above 0 and below 1, got {fitting.test_fraction}."
        )
    if (fitting.learning_rate or "").strip().casefold() == "auto":
        raise ArgumentError("--learning-rate auto: a Forecaster has no range test.")
    model = new_model("forecast", fitting, own)
    assert isinstance(model, Forecaster)
    folder = model_folder(data, fitting)
    there = check_folder(folder)
    with _told(data):
        series, chosen, said = load_series(data, columns, gaps)
        for line in said:
            say(line)
        say(f"walking forward through the last {fitting.test_fraction:.0%} of each series")
        back = model.backtest(series, start=1 - fitting.test_fraction)
        say("learning from the whole table, for the model that is kept")
        model.fit(series)
        forecast = model.forecast()
    if there:
        say(f"the model that was in {shown_path(folder)} is replaced")
    folder = model.save(folder)
    Memory("forecast", chosen, data.name, digest_of(data), {}, {"gaps": gaps}).save(folder)
    judged = judge_walk(back, forecast)
    loaded = _as_loaded(data, chosen, [len(values) for values in series.values])
    write_up("forecast", model, judged, data, folder, fitting, loaded)


def evaluate_series(
    model: SequenceEstimator, memory: Memory, data: Path, report: Path | None
) -> None:
    """Judge a forecaster on other series by a forecast from each of their steps."""
    assert isinstance(model, Forecaster)
    if data.is_file() and digest_of(data) == memory.digest:
        raise ArgumentError(
            f"{shown_path(data)}: the model learned from all of this table; its scores on the held-"
            "out end, which a copy that had not seen it gave, are in report.html in its folder."
        )
    with _told(data):
        series, chosen, _ = load_series(data, memory.columns, memory.settings.get("gaps", "refuse"))
        model.state_.must_fit(series)
        back = walk_over(model, series)
    judged: Judged = judge_walk(back)
    for score in judged.scores:
        print(score.line(), flush=True)
    if report is not None:
        from recurra.cli.training.report import report_on
        from recurra.report.tasks.page import write_task_report

        loaded = _as_loaded(data, chosen, [len(values) for values in series.values])
        path = write_task_report(report_on("forecast", model, judged, data.name, loaded), report)
        say(f"report: {path}")


def _as_loaded(data: Path, columns: dict[str, Any], lengths: list[int]) -> Loaded:
    return Loaded(str(data), Part([None] * sum(lengths)), [], columns)


@contextmanager
def _told(data: Path) -> Iterator[None]:
    """Run a block with its warnings said, and its errors beginning with the file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", RecurraWarning)
        try:
            yield
        except DataError as error:
            text = str(error)
            source = shown_path(data)
            raise DataError(text if text.startswith(source) else f"{source}: {text}") from None
        finally:
            for warning in caught:
                say(f"warning: {warning.message}")
