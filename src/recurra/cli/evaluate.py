"""`recurra evaluate`: a model judged on a table, beside naive models."""

from pathlib import Path
from typing import Any

from recurra.cli.models import digest_of, load_model
from recurra.cli.reading import Loaded
from recurra.cli.telling import say, told
from recurra.cli.training.inputs import load_examples, named
from recurra.cli.training.run import split_rows
from recurra.data.long_text.source import LongText
from recurra.data.tables.text_lines import shown_path
from recurra.errors import ArgumentError
from recurra.tasks.estimator import SequenceEstimator
from recurra.tasks.generating.endless import EndlessText
from recurra.tasks.judging.judge import Judged, Part, judge
from recurra.tasks.saving.config import About


def run(
    folder: Path, data: Path, train: Path | None, report: Path | None, given: list[str]
) -> None:
    """Judge the model in `folder` on `data`, print all its scores, and write a report if asked.

    `train` is the table the model was trained on; on that very file only the part held out counts.
    """
    model, task = load_model(folder)
    about = model.about_
    if task == "forecast":
        from recurra.cli.training.series import evaluate_series

        return evaluate_series(model, data, report)
    if isinstance(getattr(model, "sequences_", None), EndlessText):
        return _evaluate_text(model, data, train, report)
    columns = {**about.columns, **named(given)}
    same = train is None and data.is_file() and digest_of(data) == about.digest
    loaded = _load(task, about, data, columns, about.split.get("column") if same else None)
    rows = list(range(len(loaded.part)))
    learned: Part | None = None
    if same:
        train_rows, rows = _split(loaded, about)
        learned = loaded.part.select(train_rows)
        say(f"{shown_path(data)} is the table it was trained on: judged on the part held out")
    elif train is not None:
        learned = _learned(task, about, train, columns, loaded)
    if loaded.part.y is None and task != "generate":
        raise ArgumentError(f"{shown_path(data)}: without the answers there is nothing to judge.")
    with told(loaded, rows):
        judged = judge(model, learned, loaded.part.select(rows))
    _tell(task, model, judged, data, loaded, report)
    if learned is None:
        say("give the training table as --train for the baselines that must learn from it")
    return None


def _evaluate_text(
    model: SequenceEstimator, data: Path, train: Path | None, report: Path | None
) -> None:
    """Judge a generator of one endless text on another, or on the end of its own."""
    about, share = model.about_, float(model.about_.split.get("fraction", 0))
    test, learned = LongText(data), None if train is None else LongText(train)
    if train is not None and share and digest_of(train) == about.digest:
        learned, _ = LongText(train).split(share)
    elif train is None and share and digest_of(data) == about.digest:
        learned, test = test.split(share)
        say(f"{test.name} is the text it was trained on: judged on the end held out")
    judged = judge(model, None if learned is None else Part(learned), Part(test))
    _tell("generate", model, judged, data, Loaded(test.name, Part([]), [], {}), report)
    if learned is None:
        say("give the text it was trained on as --train for the pairs counted in it")


def _tell(
    task: str,
    model: SequenceEstimator,
    judged: Judged,
    data: Path,
    loaded: Loaded,
    report: Path | None,
) -> None:
    """Print all scores, and write a report if asked."""
    for score in judged.scores:
        print(score.line(), flush=True)
    if report is not None:
        from recurra.cli.training.report import report_on
        from recurra.report.tasks.page import write_task_report

        path = write_task_report(report_on(task, model, judged, data.name, loaded), report)
        say(f"report: {path}")


def _load(
    task: str, about: About, data: Path, columns: dict[str, Any], split: Any = None
) -> Loaded:
    loaded = load_examples(
        task,
        data,
        columns,
        split_column=split,
        settings={**about.settings, **columns},
        judging=True,
    )
    if not about.columns:
        for line in loaded.said:
            say(line)
    return loaded


def _split(loaded: Loaded, about: About) -> tuple[list[int], list[int]]:
    """Return the rows of its table that a model was trained on, and those held out."""
    fraction, seed = about.split.get("fraction", 0.1), about.split.get("seed", 0)
    return split_rows(loaded, float(fraction), int(seed))


def _learned(task: str, about: About, path: Path, columns: dict[str, Any], judged: Loaded) -> Part:
    """Return what the model was trained on, and say how much of it is judged, too."""
    loaded = _load(task, about, path, columns, about.split.get("column"))
    rows = list(range(len(loaded.part)))
    if digest_of(path) == about.digest:
        rows = _split(loaded, about)[0]
    learned = loaded.part.select(rows)
    known = {repr(x) for x in learned.X}
    both = sum(repr(x) in known for x in judged.part.X)
    if both:
        say(f"warning: {both:,} of {len(judged.part):,} inputs are among those trained on")
    return learned
