"""What the report on a trained model says of it."""

from typing import Any

from recurra.cli.reading import Loaded
from recurra.report.tasks.records import TaskReport
from recurra.tasks.estimator import SequenceEstimator
from recurra.tasks.generating.endless import EndlessText
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.judging.judged import Judged
from recurra.tasks.judging.scores import Score, number

_LEADS = {
    "classify": "A recurrent network learned to tell classes apart.",
    "regress": "A recurrent network learned a number for each sequence.",
    "tag": "A recurrent network learned a tag for each step of a sequence.",
    "translate": "A recurrent network learned to write one sequence for another.",
    "caption": "A network learned to say what a picture shows.",
    "fill": "A recurrent network learned which word belongs in a blank.",
    "generate": "A recurrent network learned to write sequences like those of the table.",
    "forecast": "A recurrent network learned what follows in series of numbers.",
}
_ENDLESS = (
    "A recurrent network learned to go on with a text. It was judged on an end it had not read."
)


def report_on(
    task: str, model: SequenceEstimator, judged: Judged, data: str, loaded: Loaded
) -> TaskReport:
    """Return the report on a model trained on the table `data` and judged."""
    history = model.history_
    best = history.best
    score = judged.scores[0]
    layers = f"{model.num_layers} layer{'s' * (model.num_layers > 1)}"
    ways = ", both directions" if model.bidirectional else ""
    cell = model.cell if isinstance(model.cell, str) else model.cell.__name__
    facts: list[tuple[str, str]] = [
        (f"Held-out {score.name}", f"{number(score.value)} {score.unit}".strip()),
        *_best_baseline(judged),
        ("Data", data),
        *_columns(loaded.columns),
        _amount(model, loaded, score),
        ("Cell", f"{cell}, {model.hidden_size} units, {layers}{ways}"),
        ("Parameters", f"{model.parameter_count_:,}"),
        (
            "Training",
            f"{len(history.epochs)} epochs in {history.seconds:.0f} s; "
            f"epoch {best.number if best else 0} was best",
        ),
    ]
    lead = f"{_LEADS[task]} It was judged on examples it had not seen."
    unit = getattr(model, "_unit", "nats a step")
    if isinstance(model, SequenceGenerator):
        unit = model.sequences_.unit
        lead = _ENDLESS if isinstance(model.sequences_, EndlessText) else lead
    elif getattr(model, "head", "") == "quantile":
        unit = "standard deviations"
    return TaskReport(
        title=f"{type(model).__name__} on {data}",
        lead=lead,
        facts=facts,
        judged=judged,
        history=history,
        unit=unit,
        target=str(loaded.columns.get("target", "number")),
    )


def _amount(model: SequenceEstimator, loaded: Loaded, score: Score) -> tuple[str, str]:
    """Return how much was learned from and how much judged."""
    held = f"{score.examples:,} {score.noun} held out"
    if not isinstance(getattr(model, "sequences_", None), EndlessText):
        return "Examples", f"{len(loaded.part):,}, {held}"
    learned, chose = model.about_.examples, model.about_.validation
    return "Text", f"{learned:,} {score.noun} learned from, {chose:,} to choose the epoch, {held}"


def _best_baseline(judged: Judged) -> list[tuple[str, str]]:
    best = judged.scores[0].best_baseline
    return [] if best is None else [("Best baseline", f"{number(best[1])} ({best[0]})")]


def _columns(columns: dict[str, Any]) -> list[tuple[str, str]]:
    shown = []
    for role, column in columns.items():
        text = column
        if isinstance(column, list):
            text = column[0] if len(column) == 1 else f"{column[0]} … {column[-1]} ({len(column)})"
        shown.append((role.capitalize(), str(text)))
    return shown
