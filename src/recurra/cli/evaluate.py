"""`recurra evaluate`: a model judged on a table, beside naive models."""

from pathlib import Path

from recurra.cli.models import Memory, digest_of, load_model
from recurra.cli.reading import Loaded
from recurra.cli.training.inputs import load_examples, named
from recurra.cli.training.run import say, split_rows, told
from recurra.data.tables.text_lines import shown_path
from recurra.errors import ArgumentError
from recurra.tasks.judging.judge import Part, judge


def run(
    folder: Path, data: Path, train: Path | None, report: Path | None, given: list[str]
) -> None:
    """Judge the model in `folder` on `data`, print all its scores, and write a report if asked.

    `train` is the table the model was trained on; on that very file only the part held out counts.
    """
    model, memory = load_model(folder)
    if memory.task == "forecast":
        from recurra.cli.training.series import evaluate_series

        return evaluate_series(model, memory, data, report)
    columns = {**memory.columns, **named(given)}
    same = train is None and data.is_file() and digest_of(data) == memory.digest
    loaded = _load(memory, data, columns, memory.split.get("column") if same else None)
    rows = list(range(len(loaded.part)))
    learned: Part | None = None
    if same:
        held = split_rows(
            loaded,
            float(memory.split.get("fraction", 0.1)),
            int(memory.split.get("seed", 0)),
        )
        learned, rows = loaded.part.select(held[0]), held[1]
        say(f"{shown_path(data)} is the table it was trained on: judged on the part held out")
    elif train is not None:
        learned = _learned(memory, train, columns, loaded)
    if loaded.part.y is None and memory.task != "generate":
        raise ArgumentError(f"{shown_path(data)}: without the answers there is nothing to judge.")
    with told(loaded, rows):
        judged = judge(model, learned, loaded.part.select(rows))
    for score in judged.scores:
        print(score.line(), flush=True)
    if learned is None:
        say("give the training table as --train for the baselines that must learn from it")
    if report is not None:
        from recurra.cli.training.report import report_on
        from recurra.report.tasks.page import write_task_report

        path = write_task_report(report_on(memory.task, model, judged, data.name, loaded), report)
        say(f"report: {path}")
    return None


def _load(memory: Memory, data: Path, columns: dict[str, str], split: str | None) -> Loaded:
    loaded = load_examples(
        memory.task,
        data,
        columns,
        split_column=split,
        settings={**memory.settings, **columns},
        judging=True,
    )
    if not memory.columns:
        for line in loaded.said:
            say(line)
    return loaded


def _learned(memory: Memory, path: Path, columns: dict[str, str], judged: Loaded) -> Part:
    """Return what the model was trained on, and say how much of it is judged, too."""
    loaded = _load(memory, path, columns, memory.split.get("column"))
    rows = list(range(len(loaded.part)))
    if digest_of(path) == memory.digest:
        rows = split_rows(
            loaded,
            float(memory.split.get("fraction", 0.1)),
            int(memory.split.get("seed", 0)),
        )[0]
    learned = loaded.part.select(rows)
    known = {repr(x) for x in learned.X}
    both = sum(repr(x) in known for x in judged.part.X)
    if both:
        say(f"warning: {both:,} of {len(judged.part):,} inputs are among those trained on")
    return learned
