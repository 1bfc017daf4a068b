"""`recurra generate`: new sequences, one a line, or more of an endless text."""

import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurra.cli.models import load_model
from recurra.data.tables.text_lines import shown_path
from recurra.errors import ArgumentError, RecurraWarning
from recurra.tasks.generating.endless import EndlessText
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.generating.number_sequences import NumberSequences


@dataclass(frozen=True)
class Request:
    """What is wanted."""

    prefix: str
    condition: str | None
    number: int | None
    length: int | None
    temperature: float
    top_k: int | None
    top_p: float | None
    unique: bool
    seed: int | None


def run(folder: Path, request: Request) -> None:
    """Print new sequences of the model in `folder`."""
    model, _ = load_model(folder)
    if not isinstance(model, SequenceGenerator):
        raise ArgumentError(
            f"{shown_path(folder)}: holds a {type(model).__name__}, which makes no sequences."
        )
    if request.condition is None and model.conditions_:
        known = ", ".join(model.conditions_[:12]) + ", ..." * (len(model.conditions_) > 12)
        raise ArgumentError(f"--condition is missing: one of {known}.")
    prefix = _read(request.prefix, model)
    endless = isinstance(model.sequences_, EndlessText)
    unique = request.unique and not endless and not isinstance(model.sequences_, NumberSequences)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RecurraWarning)
        made = model.generate(
            prefix,
            request.condition,
            (1 if endless else 10) if request.number is None else request.number,
            length=request.length,
            temperature=request.temperature,
            top_k=request.top_k,
            top_p=request.top_p,
            unique=unique,
            random_state=request.seed,
        )
    for warning in caught:
        print(f"recurra: {warning.message}", file=sys.stderr)
    for sequence in made:
        if isinstance(sequence, bytes):
            sys.stdout.buffer.write(sequence + b"\n")
        else:
            print(_line(sequence))


def _read(prefix: str, model: SequenceGenerator) -> Any:
    """Return a prefix as the model takes it: a text, words, or numbers with commas between."""
    if isinstance(model.sequences_, NumberSequences):
        try:
            return [float(part) for part in prefix.split(",") if part.strip()] or ""
        except ValueError:
            raise ArgumentError(f"--prefix {prefix!r}: the model makes numbers.") from None
    return prefix if model.lexicon_.text else prefix.split()


def _line(sequence: Any) -> str:
    if isinstance(sequence, str):
        return sequence
    if isinstance(sequence, list):
        return " ".join(sequence)
    return ",".join(f"{value:.6g}" for value in np.ravel(sequence).tolist())
