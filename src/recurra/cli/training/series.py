"""`recurra train forecast`, and a forecaster judged on other series."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from recurra.cli.models import check_folder, digest_of, save_judged
from recurra.cli.reading import Loaded
from recurra.cli.telling import say, telling
from recurra.cli.training.options import Fitting
from recurra.cli.training.resuming import part_of
from recurra.cli.training.run import check_share, is_auto, model_folder, new_model, write_up
from recurra.cli.training.series_inputs import load_series
from recurra.data.tables.text_lines import shown_path
from recurra.errors import ArgumentError, DataError
from recurra.tasks.estimator import SequenceEstimator
from recurra.tasks.forecasting.forecaster import Forecaster
from recurra.tasks.judging.judged import Judged, Part
from recurra.tasks.judging.series import judge_walk, walk_over
from recurra.training import is_first


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
    check_share(fitting.test_fraction)
    if is_auto(fitting.learning_rate):
        raise ArgumentError("--learning-rate auto: a Forecaster has no range test.")
    model = new_model("forecast", fitting, own)
    assert isinstance(model, Forecaster)
    folder = model_folder(data, fitting)
    there = is_first() and check_folder(folder)
    kept = model.checkpoint
    with _told(data):
        series, chosen, said = load_series(data, columns, gaps)
        for line in said:
            say(line)
        say(f"walking forward through the last {fitting.test_fraction:.0%} of each series")
        model.checkpoint = part_of(kept, "walk")
        back = model.backtest(series, start=1 - fitting.test_fraction)
        say("learning from the whole table, for the model that is kept")
        model.checkpoint = part_of(kept, "whole")
        model.fit(series)
        forecast = model.forecast()
    if not is_first():
        return
    if there:
        say(f"the model that was in {shown_path(folder)} is replaced")
    about = {"settings": {"gaps": gaps}, "columns": chosen}
    folder = model.save(folder, about={**about, "data": data.name, "digest": digest_of(data)})
    judged = judge_walk(back, forecast)
    save_judged(model, folder, judged)
    loaded = _as_loaded(data, chosen, [len(values) for values in series.values])
    write_up("forecast", model, judged, data, folder, fitting, loaded)


def evaluate_series(model: SequenceEstimator, data: Path, report: Path | None) -> None:
    """Judge a forecaster on other series by a forecast from each of their steps."""
    assert isinstance(model, Forecaster)
    if data.is_file() and digest_of(data) == model.about_.digest:
        raise ArgumentError(
            f"{shown_path(data)}: the model learned from all of this table; its scores on the held-"
            "out end, which a copy that had not seen it gave, are in report.html in its folder."
        )
    with _told(data):
        gaps = str(model.about_.settings.get("gaps", "refuse"))
        series, chosen, _ = load_series(data, model.about_.columns, gaps)
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


def _told(data: Path) -> AbstractContextManager[None]:
    """Return a block with its warnings said, and its errors of data beginning with the file."""
    source = shown_path(data)
    return telling(DataError, lambda text: text if text.startswith(source) else f"{source}: {text}")
