"""What a model card says of each task, and its Markdown."""

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_INPUTS = {"text": '["a text", "another"]', "symbols": '[["a", "list"]]', "numbers": "series"}


@dataclass(frozen=True)
class Task:
    """What is said of a model of one task.

    what: it does; examples: what it learned from, in the plural; naive: what its baseline_score_
    is the score of; limits: what it is not for; answer: what Python calls, {} for inputs and for
    the condition; uses: what the command line is to do, {} for the folder and the condition;
    judged: on what `recurra train` takes scores; merged: whether equal examples count once;
    data: what the user's file is.
    """

    what: str
    examples: str
    naive: str
    limits: tuple[str, ...] = ()
    answer: str = "model.predict({X}{condition})"
    uses: tuple[str, ...] = ("predict {name} table.csv -o answers.csv{condition}",)
    judged: str = "On examples it never saw"
    merged: bool = True
    data: str = "table"

    def call(self, kind: str, condition: str) -> str:
        """Return what Python calls for inputs of a kind, under a condition or ""."""
        text = json.dumps(condition, ensure_ascii=False)  # which is Python, too
        given = f", condition={text}" if condition else ""
        return self.answer.format(X=_INPUTS[kind], condition=given)

    def commands(self, name: str, condition: str) -> list[str]:
        """Return what the command line does with the folder, under a condition or ""."""
        given = f" --condition {shlex.quote(condition)}" if condition else ""
        return [f"recurra {use.format(name=name, condition=given)}" for use in self.uses]


_ONE_OF_ITS = (
    "Inputs that belong to none of its classes: it always answers with one of them.",
    "Reading its probabilities as how often it is right: that was not checked.",
)
_WORDS = "Its words as facts: it writes what is likely, leaves out, and makes up."
_REPEATS = "What it writes as facts, or as new for certain: it can repeat what it learned from."
_PRIVATE = (
    "Passing it on to whom its training data may not be known: the folder holds words, labels and "
    "numbers of them."
)

TASKS = {
    "SequenceClassifier": Task(
        "A recurrent network that learned to tell classes apart.",
        "sequences",
        "the most frequent class",
        (*_ONE_OF_ITS, _PRIVATE),
    ),
    "SequenceRegressor": Task(
        "A recurrent network that learned a number for each sequence.",
        "sequences",
        "the mean",
        ("Numbers far from those it learned: it was not tried there.", _PRIVATE),
    ),
    "SequenceTagger": Task(
        "A recurrent network that learned a tag for each step of a sequence.",
        "sequences",
        "each word's most frequent tag",
        (*_ONE_OF_ITS, _PRIVATE),
        'model.predict([["a", "sentence"]])',
    ),
    "Translator": Task(
        "A recurrent network that learned to write one sequence for another.",
        "pairs",
        "",
        (_WORDS, _PRIVATE),
    ),
    "Captioner": Task(
        "A network that learned to say what a picture shows.",
        "pictures",
        "",
        (_WORDS, _PRIVATE),
        "model.predict(pictures{condition})  # (n, H, W) or (n, H, W, C)",
    ),
    "BlankFiller": Task(
        "A recurrent network that learned which word belongs in a blank.",
        "blanks",
        "the most frequent word",
        (*_ONE_OF_ITS, _PRIVATE),
        'model.predict(["a sentence with a __ in it"])',
        ('predict {name} --text "a sentence with a __ in it"',),
    ),
    "SequenceGenerator": Task(
        "A recurrent network that learned to write sequences like those it was shown.",
        "sequences",
        "",
        (_REPEATS, _PRIVATE),
        "model.generate(n=5{condition})",
        ("generate {name} -n 5{condition}",),
    ),
    "Forecaster": Task(
        "A recurrent network that learned what follows in series of numbers.",
        "windows",
        "",
        (
            "A future unlike the past: its bands say how far it was off so far.",
            _PRIVATE,
        ),
        "model.forecast()",
        ("forecast {name}", "forecast {name} newer.csv -o ahead.csv"),
        "On the end of the series, by a copy that had not seen it",
    ),
}


# A SequenceGenerator of one endless text.
ENDLESS = Task(
    "A recurrent network that learned to go on with a text, symbol by symbol.",
    "symbols of one text",
    "",
    (_REPEATS, _PRIVATE),
    "model.generate(length=500)",
    ("generate {name} --length 500",),
    "On the end of the text, which it never saw",
    merged=False,
    data="text",
)


def task_of(model: Any) -> Task:
    """Return what is said of a model's task; a generator of one endless text has its own."""
    endless = type(getattr(model, "sequences_", None)).__name__ == "EndlessText"
    return ENDLESS if endless else TASKS[type(model).__name__]


def code(text: object) -> str:
    """Return a text as it is, on one line, in Markdown and in a table of it."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split()) or " "
    line = line.replace("|", "\\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    edge = " " if "`" in (line[0], line[-1]) else ""
    return f"{fence}{edge}{line}{edge}{fence}"


def counted(names: Iterable[object], most: int = 12) -> str:
    """Return names as text, the first `most` of them."""
    every = list(names)
    shown = ", ".join(code(name) for name in every[:most])
    return f"{shown}, … ({len(every):,} in all)" if len(every) > most else shown


def plural(n: int, one: str, more: str = "") -> str:
    """Return a count of things."""
    return f"{n:,} {one if n == 1 else more or one + 's'}"


def bullets(lines: Sequence[str]) -> str:
    """Return lines as a list."""
    return "\n".join(f"- {line}" for line in lines)


def fenced(text: str, language: str) -> str:
    """Return a text as a block of code."""
    return f"```{language}\n{text}\n```"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a table; numbers: which of its columns hold numbers."""
    rule = ["--:" if k in numbers else "---" for k in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
