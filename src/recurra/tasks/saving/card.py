"""The model card: README.md in a model's folder, for people.

It is written from the model and what is known `about` it; nothing is read from it again.
"""

import platform
import re
import warnings
from typing import Any

import torch

from recurra.errors import RecurraError, RecurraWarning
from recurra.layers import Recurrent
from recurra.tasks.saving.card_scores import score_lines
from recurra.tasks.saving.card_text import (
    bullets,
    code,
    counted,
    fenced,
    plural,
    table,
    task_of,
)
from recurra.version import __version__

_FEW = 1000  # examples
_NAME = re.compile(r"\w[\w. -]*")  # of a folder, that can stand in a command


def write_card(model: Any, name: str) -> str:
    """Return the card of a fitted estimator as Markdown; name: of its folder."""
    task = task_of(model)
    name = name if _NAME.fullmatch(name) else "MODEL"
    parts = [
        f"# {name}",
        f"{task.what} A {code(type(model).__name__)} of Recurra.",
        table(("", ""), _facts(model)),
        "## What it was trained on",
        bullets(_training(model)),
        "## How good it is",
        *score_lines(model),
        "## The cell's equations",
        *_equations(model),
        "## How to load it",
        *_loading(model, name),
        "## What it should not be used for",
        bullets(_limits(model)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(model: Any) -> list[tuple[str, str]]:
    named = isinstance(model.cell, str)
    cell = code(model.cell) if named else f"{code(model.cell.__name__)} (its author's own)"
    layers = plural(model.num_layers, "layer")
    ways = ", both directions" if model.bidirectional else ""
    rows = [
        ("Cell", f"{cell}, {model.hidden_size} units, {layers}{ways}"),
        ("Parameters", f"{model.parameter_count_:,}"),
        ("Reads", _reads(model)),
        ("Answers", _answers(model)),
        (
            "Made with",
            f"Recurra {__version__}, PyTorch {torch.__version__}, "
            f"Python {platform.python_version()}",
        ),
    ]
    return [row for row in rows if row[1]]


def _reads(model: Any) -> str:
    """Return what the model takes, in words; empty where it takes nothing."""
    state = getattr(model, "state_", None)
    if state is not None:
        beside = len(state.covariate_mean)
        more = f" and {plural(beside, 'covariate')}" if beside else ""
        return f"{plural(state.W, 'step')} of a series{more}"
    reading = getattr(model, "reading_", None)
    if reading is None:
        return ""
    shape = getattr(reading, "shape", None)
    if shape is not None:
        return f"pictures, {' × '.join(map(str, shape))}"
    if reading.kind == "numbers":
        return f"series of {plural(reading.features, 'number')} a step"
    if reading.kind == "symbols":
        return f"lists of symbols; {plural(len(reading.symbols), 'symbol')} known"
    pieces = {"char": "character", "word": "word", "bpe": "piece"}[reading.tokenizer.kind]
    known = plural(len(reading.symbols), pieces)
    return f"texts, cut into {pieces}s; {known} known"


def _answers(model: Any) -> str:
    """Return what the model gives, in words."""
    if hasattr(model, "classes_"):
        return f"{plural(len(model.classes_), 'class', 'classes')}: {counted(model.classes_)}"
    if hasattr(model, "writing_"):
        known = plural(len(model.writing_.symbols), "symbol")
        return f"sequences of {known}{_for_labels(model)}"
    if hasattr(model, "state_"):
        return f"the next {plural(model.state_.H, 'step')}, and how surely"
    if hasattr(model, "target_mean_"):
        return plural(len(model.target_mean_), "number")
    if hasattr(model, "sequences_"):
        lexicon = getattr(model.sequences_, "lexicon", None)
        known = "numbers" if lexicon is None else plural(len(lexicon.symbols), "symbol")
        return f"sequences of {known}{_for_labels(model)}"
    return ""


def _labels(model: Any) -> list[str]:
    """Return the conditions that can be asked for."""
    known = getattr(model, "writing_", None) or getattr(model, "sequences_", None)
    return [] if known is None else list(known.conditions)


def _for_labels(model: Any) -> str:
    labels = _labels(model)
    return f", for {plural(len(labels), 'label')}: {counted(labels)}" if labels else ""


def _training(model: Any) -> list[str]:
    about, history = model.about_, model.history_
    task = task_of(model)
    examples = f"different {task.examples}" if task.merged else task.examples
    lines = []
    if about.data:
        digest = f" (SHA-256 {code(about.digest)})" if about.digest else ""
        lines.append(f"the {task.data} {code(about.data)}{digest}")
    if about.columns:
        each = (f"{role} {counted(_listed(names))}" for role, names in about.columns.items())
        lines.append(f"its columns: {'; '.join(each)}")
    if about.examples is None:
        lines.append("how many examples it saw was not counted")
    elif about.validation:
        lines.append(
            f"{about.examples:,} {examples}; {about.validation:,} more chose the best epoch"
        )
    else:
        lines.append(f"{about.examples:,} {examples}")
    best = history.best
    lines.append(
        f"{plural(len(history.epochs), 'epoch')} in {history.seconds:.0f} s"
        + ("" if best is None else f"; epoch {best.number} was the best")
    )
    return lines


def _listed(names: str | list[str]) -> list[str]:
    return [names] if isinstance(names, str) else names


def _equations(model: Any) -> list[str]:
    """Return the equations of the network's cells, or their classes where those say nothing."""
    from recurra.layers.explain import explain
    from recurra.layers.explanation import section_lines

    layers = [part for part in model.network_.modules() if isinstance(part, Recurrent)]
    cells: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecurraWarning)  # of what runs them here
        for layer in layers:
            try:
                explained = explain(layer).cells[0]
            except RecurraError:
                continue
            sections = () if explained.work is None else explained.work.sections
            forward = tuple(s for s in sections if s.lines and not s.title.startswith("adjoint"))
            cells.setdefault(explained.cell, "\n".join(section_lines(forward)).rstrip())
    if not any(cells.values()):
        return [f"Recurra cannot write them down: see the class {counted(sorted(cells))}."]
    shown = [fenced(text, "text") for text in cells.values() if text]
    legend = "`W · x` is a product, `a * b` goes feature by feature; `h` enters a step, `h'` leaves"
    return [f"{legend} it. At the side are sizes.", *shown]


def _loading(model: Any, name: str) -> list[str]:
    task = task_of(model)
    reading = getattr(model, "reading_", None)
    # One that can stand in a line of code.
    condition = next((label for label in _labels(model) if label.isprintable()), "")
    call = task.call("text" if reading is None else reading.kind, condition)
    commands = task.commands(f"'{name}'" if " " in name else name, condition)
    if getattr(getattr(model, "state_", None), "kind", "") == "windows":
        call, commands = "model.predict(rows)", []  # a forecaster that was given no series
    own = "" if isinstance(model.cell, str) else f", cell={model.cell.__name__}"
    python = ["import recurra", "", f'model = recurra.load("{name}"{own})', call]
    lines = [fenced("\n".join(python), "python")]
    if own:
        lines.append(
            f"The cell is the class {code(model.cell.__name__)} of its author's own: it is not in "
            "this folder, and must be passed. The command line cannot load this model."
        )
    elif commands:
        lines.append(fenced("\n".join(commands), "console"))
    lines.append("Nothing in this folder is code: `model.safetensors` and two files of JSON.")
    return lines


def _limits(model: Any) -> list[str]:
    about, task = model.about_, task_of(model)
    lines = ["Inputs unlike those it learned from: it knows nothing else."]
    if about.examples is not None and about.examples < _FEW:
        lines.append(f"Anything that matters, yet: it saw only {about.examples:,} {task.examples}.")
    if any(not score.ahead for score in about.scores[:1]):
        lines.append("What a naive model does as well or better: see above.")
    lines += task.limits
    lines.append("Decisions about people: it was not examined for whom its mistakes fall on.")
    return lines
