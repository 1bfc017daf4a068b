"""`recurra predict`: an answer for each row, in memory that does not grow with the table."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from recurra.cli.models import load_model
from recurra.cli.reading import read_series_rows
from recurra.cli.training.columns import is_empty
from recurra.cli.training.inputs import named
from recurra.cli.writing import row_writer
from recurra.data.tables.table import Table, columns_of, iter_rows, shown_cell
from recurra.data.tables.text_lines import opened, shown_path, text_lines
from recurra.errors import ArgumentError, DataError
from recurra.tasks.estimator import SequenceEstimator

_INSTEAD = {"generate": "recurra generate", "forecast": "recurra forecast"}
_INPUT = {"translate": "source", "caption": "picture"}  # the role of what is read; else text


@dataclass(frozen=True)
class Request:
    """What is to be answered: the table (- for lines of standard input) or texts, and where to."""

    data: str | None
    texts: list[str]
    output: Path | None
    columns: list[str]
    condition: str | None
    chunk: int


def run(folder: Path, request: Request) -> None:
    """Answer and write."""
    model, task = load_model(folder)
    if task in _INSTEAD:
        raise ArgumentError(
            f"{shown_path(folder)}: holds a {type(model).__name__}: use {_INSTEAD[task]}."
        )
    if (request.data is None) == (not request.texts):
        raise ArgumentError("give a table, or - for standard input, or --text: one of them.")
    if request.data is None:
        _print_lines(model, iter(request.texts), request, "--text")
    elif request.data == "-":
        lines = text_lines(sys.stdin.buffer, "standard input")
        _print_lines(model, (line.rstrip("\r\n") for line in lines), request, "line")
    elif task == "tag" and Path(request.data).suffix.lower() in (".conllu", ".conll"):
        _write_conllu(model, Path(request.data), request)
    else:
        _write_table(model, task, Path(request.data), request)


def answers(
    model: SequenceEstimator, X: Any, condition: Any = None
) -> tuple[list[Any], list[float] | None]:
    """Return the prediction for each of n inputs, and its probability where there is one."""
    learner: Any = model
    if type(model).__name__ in ("SequenceClassifier", "BlankFiller"):
        p = learner.predict_proba(X)
        return learner.classes_[p.argmax(1)].tolist(), p.max(1).tolist()
    predicted = learner.predict(X) if condition is None else learner.predict(X, condition)
    return (predicted.tolist() if isinstance(predicted, np.ndarray) else list(predicted)), None


def _print_lines(
    model: SequenceEstimator, texts: Iterator[str], request: Request, name: str
) -> None:
    """Print an answer for each text; one text an answer, also from a pipe that goes on."""
    cut = type(model).__name__ == "SequenceTagger"
    size = 1 if not request.texts and sys.stdin.isatty() else request.chunk
    done = 0
    while batch := list(islice(texts, size)):
        X: list[Any] = [text.split() for text in batch] if cut else batch
        try:
            predicted, p = answers(model, X, request.condition)
        except DataError as error:
            raise DataError(_of_line(str(error), name, done)) from None
        for k, answer in enumerate(predicted):
            line = _shown(answer)
            print(line if p is None else f"{line}\t{p[k]:.4f}", flush=size == 1)
        done += len(batch)


def _of_line(message: str, name: str, done: int) -> str:
    start, _, rest = message.partition(": ")
    number = start.rpartition(" ")[2]
    if start.startswith("X, row ") and number.isdigit():
        return f"{name} {int(number) + done + 1}: {rest}"
    return message


def _write_table(model: SequenceEstimator, task: str, path: Path, request: Request) -> None:
    columns = input_columns(model, task, path, request.columns)
    pieces = _pieces(path, request.chunk)
    with row_writer(request.output) as out:
        for piece in pieces:
            X, condition = _read(model, task, piece, columns, request)
            try:
                predicted, p = answers(model, X, condition)
            except DataError as error:
                raise DataError(_of_row(str(error), piece)) from None
            names = [*piece.columns, *_new(piece.columns, p is not None)]
            for k, answer in enumerate(predicted):
                row = [cells[k] for cells in piece.columns.values()]
                more = [answer] if p is None else [answer, round(p[k], 6)]
                out.write(names, [*row, *more])


def _pieces(path: Path, chunk: int) -> Iterator[Table]:
    """Yield a table piece by piece; of a .txt file each line that is not blank is a cell."""
    if path.suffix.lower() != ".txt":
        yield from iter_rows(path, chunk=chunk)
        return
    source = shown_path(path)
    with opened(path, "a text file") as file:
        lines = enumerate(text_lines(file, source), 1)
        filled = ((row, line.strip()) for row, line in lines if line.strip())
        while batch := list(islice(filled, chunk)):
            yield Table(source, {"text": [text for _, text in batch]}, [row for row, _ in batch])


def input_columns(
    model: SequenceEstimator, task: str, path: Path, given: Sequence[str]
) -> dict[str, Any]:
    """Return the columns of the inputs by their roles: those named, else those remembered.

    Raises `DataError` for one that is not in the table, `ArgumentError` where none is known.
    """
    known = {**model.about_.columns, **named(given)}
    role = "series" if "series" in known else _INPUT.get(task, "text")
    roles = [role]
    writing = getattr(model, "writing_", None)
    if writing is not None and writing.conditions:
        roles.append("condition")
    there = ["text"] if path.suffix.lower() == ".txt" else columns_of(path)
    chosen: dict[str, Any] = {}
    for one in roles:
        column = known.get(one)
        if column is None and one == "text" and len(there) == 1:
            column = there[0]
        if column is None and one == "condition":
            continue
        if column is None:
            raise ArgumentError(f"which column has the {one}? Say --column {one}=NAME.")
        for name in column if isinstance(column, list) else [column]:
            if name not in there:
                raise DataError(
                    f"{shown_path(path)} has no column {shown_cell(name)}; say which is the "
                    f"{one}: --column {one}=NAME"
                )
        chosen[one] = column
    return chosen


def _read(
    model: SequenceEstimator,
    task: str,
    piece: Table,
    columns: Mapping[str, Any],
    request: Request,
) -> tuple[Any, Any]:
    """Return the inputs in a piece of a table, and their conditions."""
    if "series" in columns:
        return read_series_rows(piece.columns, columns["series"], piece), None
    role = next(iter(columns))
    cells = piece.columns[columns[role]]
    for row, cell in zip(piece.rows, cells, strict=True):
        if is_empty(cell) and role != "text":
            raise DataError(
                f"{piece.source}, row {row}: the {role} (column {shown_cell(columns[role])}) is "
                "missing."
            )
    condition: Any = request.condition
    if condition is None and "condition" in columns:
        condition = [str(cell) for cell in piece.columns[columns["condition"]]]
    if task == "caption":
        from recurra.cli.training.pictures import read_pictures_of

        return read_pictures_of(
            cells, piece, int(str(model.about_.settings.get("size", 32)))
        ), condition
    if task == "tag":
        return [cell if isinstance(cell, list) else str(cell).split() for cell in cells], None
    if any(isinstance(cell, list) for cell in cells):
        return [[] if cell is None else cell for cell in cells], condition
    return ["" if cell is None else str(cell) for cell in cells], condition


def _write_conllu(model: SequenceEstimator, path: Path, request: Request) -> None:
    """Tag a CoNLL-U file sentence by sentence; all else in it stays as it was."""
    from recurra.data.tables.conllu import TaggedSentence, iter_conllu, write_conllu

    column = str(model.about_.columns.get("conllu", "UPOS"))

    def tagged() -> Iterator[TaggedSentence]:
        sentences = iter_conllu(path)
        while batch := list(islice(sentences, request.chunk)):
            tags, _ = answers(model, [sentence.words for sentence in batch])
            for sentence, row in zip(batch, tags, strict=True):
                yield sentence.tagged([str(tag) for tag in row], column)

    if request.output is not None:
        write_conllu(request.output, tagged())
        return
    for sentence in tagged():
        sys.stdout.write(str(sentence))


def _new(there: Mapping[str, Any], probable: bool) -> list[str]:
    """Return names of the new columns that no column of the table has."""
    names = []
    for name in ["prediction", *(["probability"] if probable else [])]:
        while name in there:
            name += "_"
        names.append(name)
    return names


def _of_row(message: str, piece: Table) -> str:
    start, _, rest = message.partition(": ")
    number = start.rpartition(" ")[2]
    if start.startswith("X, row ") and number.isdigit():
        return f"{piece.source}, row {piece.rows[int(number)]}: {rest}"
    return f"{piece.source}: {message}"


def _shown(answer: Any) -> str:
    return " ".join(map(str, answer)) if isinstance(answer, list) else str(answer)
