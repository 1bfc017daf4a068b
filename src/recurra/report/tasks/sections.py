"""What a report shows of each task beside scores and training."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.report.page import embed
from recurra.report.tasks.attention import attention_caption, attention_figure
from recurra.report.tasks.confusion import confusion_caption, confusion_figure
from recurra.report.tasks.records import Picture, Section, TableView, TaskReport, score_text
from recurra.report.tasks.scatter import scatter_caption, scatter_figure
from recurra.report.tasks.series import of_series
from recurra.report.text import count_text, share_text
from recurra.tasks.judging.judged import (
    ClassDetails,
    MadeDetails,
    NumberDetails,
    TagDetails,
    WrittenDetails,
)
from recurra.tasks.judging.scores import number
from recurra.tasks.judging.series import SeriesDetails
from recurra.tasks.tagging.scores import TagScore


def sections_of(report: TaskReport) -> list[Section]:
    """Return the sections that the report's details call for; none for unknown details."""
    makers: list[tuple[type, Callable[[Any, TaskReport], list[Section]]]] = [
        (ClassDetails, _of_classes),
        (NumberDetails, _of_numbers),
        (TagDetails, _of_tags),
        (WrittenDetails, _of_written),
        (MadeDetails, _of_made),
        (SeriesDetails, of_series),
    ]
    details = report.judged.details
    return next((make(details, report) for kind, make in makers if isinstance(details, kind)), [])


def _of_classes(details: ClassDetails, report: TaskReport) -> list[Section]:
    drawing = embed(
        confusion_figure(details),
        "confusion",
        "Which class was taken for which",
        confusion_caption(details),
    )
    table = _by_tag(details.per_class, "Class", "Each class, those with most examples first.")
    sections = [Section("classes", "Classes", "", [drawing], [table])]
    if details.mistakes:
        rows = [
            [mistake.shown, mistake.true, mistake.predicted, share_text(mistake.probability)]
            for mistake in details.mistakes
        ]
        shown = f"The {len(rows)} surest of " if details.whole > len(rows) else "All "
        caption = f"{shown}{count_text(details.whole, 'mistake')}, the surest first."
        header = ["Input", "True", "Predicted", "Probability"]
        text = "Where the model was sure and wrong: a wrong label in the data shows here, too."
        tables = [TableView(caption, header, rows)]
        sections.append(Section("mistakes", "The surest mistakes", text, tables=tables))
    return sections


def _by_tag(scores: list[TagScore], name: str, caption: str) -> TableView:
    rows = [
        [s.tag, number(s.precision), number(s.recall), number(s.f1), f"{s.count:,}"]
        for s in sorted(scores, key=lambda s: -s.count)
    ]
    caption += " Precision: right of those predicted. Recall: found of those there."
    return TableView(caption, [name, "Precision", "Recall", "F1", "Examples"], rows, numbers=True)


def _of_numbers(details: NumberDetails, report: TaskReport) -> list[Section]:
    drawing = embed(
        scatter_figure(details, report.target),
        "scatter",
        "Predicted against true",
        scatter_caption(details),
    )
    rows = [
        [shown, score_text(true), score_text(predicted), score_text(predicted - true)]
        for shown, true, predicted in details.worst
    ]
    table = TableView("The examples missed by most.", ["Input", "True", "Predicted", "Error"], rows)
    return [Section("numbers", "Predictions", "", [drawing], [table])]


def _of_tags(details: TagDetails, report: TaskReport) -> list[Section]:
    tables = [_by_tag(details.per_tag, "Tag", "Each tag, the most frequent first.")]
    if details.spans:
        tables.append(_by_tag(details.spans, "Span", "Spans, found when kind and both ends are."))
    sections = [Section("tags", "Tags", "", tables=tables)]
    if details.wrong:
        rows = []
        for words, tags in details.wrong:
            wrong = [
                f"{word}: {said}, not {true}"
                for word, (true, said) in zip(words, tags, strict=True)
                if true != said
            ]
            rows.append([" ".join(words), "; ".join(wrong)])
        view = TableView("Some sequences with wrong tags.", ["Sequence", "Wrong"], rows)
        sections.append(Section("wrong", "Mistakes", tables=[view]))
    return sections


def _of_written(details: WrittenDetails, report: TaskReport) -> list[Section]:
    sections = []
    if details.pictures:
        pairs = zip(details.pictures, details.rows, strict=True)
        shown = [Picture(png(pixels), row.written, row.wanted, row.right) for pixels, row in pairs]
        sections.append(Section("pictures", "Pictures and what was said of them", pictures=shown))
    else:
        labelled = any(row.condition for row in details.rows)
        header = ["Input", *(["Condition"] if labelled else []), "Wanted", "Written", ""]
        rows = [
            [
                row.shown,
                *([row.condition] if labelled else []),
                row.wanted,
                row.written,
                "" if row.right else "wrong",
            ]
            for row in details.rows
        ]
        worse = frozenset(k for k, row in enumerate(details.rows) if not row.right)
        table = TableView("Some held-out examples, wrong ones first.", header, rows, worse=worse)
        sections.append(Section("written", "Examples", tables=[table]))
    if details.alignments:
        drawings = []
        for k, one in enumerate(details.alignments):
            separator = "" if all(len(symbol) <= 1 for symbol in one.source) else " "
            caption = attention_caption(one, separator)
            title = f"Where example {k + 1} looked"
            drawings.append(embed(attention_figure(one), f"look{k + 1}", title, caption))
        text = "A row is a symbol written; the stronger a cell's colour, the more it looked there."
        sections.append(Section("attention", "Attention", text, drawings))
    return sections


def _of_made(details: MadeDetails, report: TaskReport) -> list[Section]:
    labelled = any(condition for condition, *_ in details.samples)
    header = [*(["Condition"] if labelled else []), "Begins with", "Generated"]
    rows = [
        [*([condition] if labelled else []), prefix or "(anything)", " · ".join(made)]
        for condition, prefix, made in details.samples
    ]
    table = TableView("New sequences, drawn at random.", header, rows)
    return [Section("made", "Generated sequences", tables=[table])]


def png(pixels: NDArray[Any]) -> str:
    """Return a picture (H, W), (H, W, C) or (C, H, W) as a data: address; numbers are scaled."""
    import base64
    import io

    from PIL import Image

    array = np.asarray(pixels)
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        array = np.moveaxis(array, 0, 2)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.dtype != np.uint8:
        low, high = float(array.min()), float(array.max())
        array = (255 * (array - low) / ((high - low) or 1.0)).round().astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
