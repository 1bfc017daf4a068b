"""The page on a trained model of any task."""

import re
from dataclasses import replace

import numpy as np
import pytest

from recurra.report.tasks.attention import attention_caption, attention_figure
from recurra.report.tasks.confusion import confusion_caption, confusion_figure
from recurra.report.tasks.page import render_task_report, write_task_report
from recurra.report.tasks.records import TaskReport
from recurra.report.tasks.scatter import scatter_caption, scatter_figure
from recurra.report.tasks.sections import png
from recurra.report.tasks.standing import score_caption, score_figure
from recurra.tasks.judging.judged import (
    ClassDetails,
    Judged,
    MadeDetails,
    Mistake,
    NumberDetails,
    TagDetails,
    WrittenDetails,
    WrittenRow,
)
from recurra.tasks.judging.scores import Score, share_score
from recurra.tasks.tagging.scores import TagScore
from recurra.tasks.writing.translator import Alignment

EVIL = '<script>alert("$x^{")</script> & \\frac{ é日本 محمد'


def accuracy(**changes):
    right = np.arange(200) % 10 > 0
    baselines = {"the most frequent class": np.arange(200) % 10 > 3, "linear": right}
    score = share_score("accuracy", right, baselines, "texts", {"a part alone": right})
    return replace(score, **changes)


@pytest.fixture
def classes():
    confusion = np.array([[90, 8, 2], [4, 40, 1], [0, 0, 55]])
    names = ["bad", "good", "neutral"]
    per_class = [TagScore.of(n, confusion[k, k], confusion[:, k].sum(), confusion[k].sum())
                 for k, n in enumerate(names)]  # fmt: skip
    mistakes = [Mistake(EVIL, "bad", "good", 0.991), Mistake("", "good", "bad", 0.6)]
    return ClassDetails(names, confusion, per_class, mistakes, 15)


@pytest.fixture
def looks():
    weights = np.eye(4, 3) * 0.9 + 0.03
    weights[3] = [0.1, 0.1, 0.8]
    return Alignment(["a", " ", "c"], ["x", "y", "z", ""], weights)


def report_of(details, history, *scores):
    judged = Judged(list(scores) or [accuracy()], details)
    return TaskReport(
        "A classifier", "It learned.", [("Data", "t.csv")], judged, history, "nats an example"
    )


def all_details(classes, looks):
    row = WrittenRow(EVIL, "wanted", "written", "de")
    return {
        "classes": classes,
        "numbers": NumberDetails(np.arange(9.0), np.arange(9.0) + 1, [("a house", 1.0, 2.5)]),
        "tags": TagDetails(
            [TagScore("NOUN", 0.9, 0.8, 0.85, 40)],
            [TagScore("all", 0.5, 0.5, 0.5, 10)],
            [(["a", EVIL], [("DET", "DET"), ("NOUN", "VERB")])],
        ),
        "written": WrittenDetails([row, replace(row, written="wanted")], [looks]),
        "made": MadeDetails([("Italy", "S", ["Sara", EVIL])], "character"),
        "nothing": None,
    }


@pytest.mark.parametrize("kind", ["classes", "numbers", "tags", "written", "made", "nothing"])
def test_every_page_is_well_formed_and_loads_nothing(kind, classes, looks, history, parse):
    html = render_task_report(report_of(all_details(classes, looks)[kind], history))
    page = parse(html)
    assert "http:" not in html
    assert "https:" not in html
    assert "<script>" not in html
    headings = page.texts("h2")
    assert headings[:2] == ["Scores", "Training"]
    assert (len(headings) == 2) == (kind == "nothing")
    used = set(re.findall(r"var\((--fig-[a-z]+)\)", html))
    light, dark = (
        set(re.findall(r"(--fig-[a-z]+):", part))
        for part in html.split("</style>")[0].split("prefers-color-scheme: dark")
    )
    assert used <= light == dark
    figures = "".join(re.findall("<svg.*?</svg>", html, re.DOTALL))
    assert not re.search("#[0-9a-f]{6}", figures)


def test_equal_reports_give_equal_pages(classes, history):
    report = report_of(classes, history)
    assert render_task_report(report) == render_task_report(report)


def test_classes_are_told_in_a_table_and_mistakes_with_their_probability(classes, history, parse):
    page = parse(render_task_report(report_of(classes, history)))
    assert "0.957" in page.texts("td")  # precision of bad, 90 of 94
    assert "99.1\u00a0%" in page.texts("td")
    assert EVIL in page.texts("th")
    assert "The 2 surest of 15 mistakes, the surest first." in page.texts("caption")


def test_a_baseline_that_wins_is_said_first_and_in_colour(classes, history, parse):
    score = Score("accuracy", 0.7, 90, "texts", {"majority": 0.4, "linear": 0.8})
    page = parse(render_task_report(report_of(classes, history, score)))
    ((_, text),) = page.all("li", **{"class": "worse"})
    assert text == "Accuracy: Linear wins, 0.800 against 0.700: use that."
    assert _worse_rows(page) == ["linear"]
    winning = replace(score, value=0.9)
    page = parse(render_task_report(report_of(classes, history, winning)))
    assert page.all("li", **{"class": "worse"}) == []
    assert page.all("tr", **{"class": "worse"}) == []


def _worse_rows(page):
    """Return the names of the rows in colour."""
    elements = page.elements
    return [
        elements[k + 1][2] for k, (tag, attrs, _) in enumerate(elements)
        if tag == "tr" and attrs.get("class") == "worse"
    ]  # fmt: skip


def test_of_errors_a_lower_baseline_is_ahead(classes, history, parse):
    score = Score("error", 0.7, 90, baselines={"mean": 0.9, "ridge": 0.6}, higher_is_better=False)
    page = parse(render_task_report(report_of(classes, history, score)))
    assert "error ↓" in page.texts("th")
    assert _worse_rows(page) == ["ridge"]


def test_a_part_as_good_as_the_whole_is_named(classes, history):
    assert "Of its parts, a part alone does as well (0.900)." in render_task_report(
        report_of(classes, history)
    )


def test_pictures_stand_in_the_page_itself(history):
    row = WrittenRow("", "a red dot", "a blue dot")
    pixels = np.zeros((8, 8, 3), dtype=np.uint8)
    details = WrittenDetails([row, replace(row, written="a red dot")], pictures=[pixels, pixels])
    html = render_task_report(report_of(details, history))
    assert html.count('<img src="data:image/png;base64,') == 2
    assert html.count("wanted: a red dot") == 1


def test_pictures_of_any_form_become_png():
    import base64
    import io

    from PIL import Image

    for array, size in (
        (np.zeros((6, 8)), (8, 6)),
        (np.linspace(-1, 1, 48).reshape(6, 8), (8, 6)),
        (np.zeros((3, 6, 8), dtype=np.float32), (8, 6)),
        (np.zeros((6, 8, 1), dtype=np.uint8), (8, 6)),
    ):
        data = base64.b64decode(png(array).removeprefix("data:image/png;base64,"))
        assert Image.open(io.BytesIO(data)).size == size


def test_a_page_is_written_whole_or_not_at_all(classes, history, tmp_path, monkeypatch):
    report = report_of(classes, history)
    path = write_task_report(report, tmp_path / "a" / "r.html")
    assert path.read_text().startswith("<!DOCTYPE html>")
    assert [p.name for p in path.parent.iterdir()] == ["r.html"]


def test_the_score_figure_has_a_bar_for_each_and_the_interval():
    score = accuracy()
    axes = score_figure(score).axes[0]
    widths = sorted(patch.get_width() for patch in axes.patches)
    assert widths == pytest.approx(sorted([0.9, 0.9, 0.6, 0.9]))
    (whisker,) = [line for line in axes.lines if line.get_gid() == "ci"]
    assert tuple(whisker.get_xdata()) == score.interval
    caption = score_caption(score)
    assert "On 200 held-out texts the model comes to 0.900 (95 % interval" in caption
    assert score.verdict() in caption


def test_the_score_figure_bears_what_is_no_number():
    figure = score_figure(Score("loss", float("nan"), 3, baselines={"b": float("inf")}))
    assert not figure.axes[0].axison
    zero = score_figure(Score("share", 0.0, 3, baselines={"b": 0.0}))
    assert zero.axes[0].axison


def test_the_confusion_figure_shades_by_the_share_of_the_row(classes):
    axes = confusion_figure(classes).axes[0]
    alphas = np.array([patch.get_alpha() for patch in axes.patches]).reshape(3, 3)
    shares = classes.confusion / classes.confusion.sum(1, keepdims=True)
    assert np.allclose(alphas / alphas.max(), shares / shares.max())
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["90", "8", "2", "4", "40", "1", "55"]
    caption = confusion_caption(classes)
    assert caption.startswith("185 of 200 examples (92.5\u00a0%) are on the diagonal.")
    assert "taken for" in caption


def test_many_classes_with_long_names_are_numbered_and_cut_to_twenty():
    n = 30
    confusion = np.diag(np.arange(1, n + 1))
    names = [f"a class with a long name {k}" for k in range(n)]
    details = ClassDetails(names, confusion, [], [], 0)
    axes = confusion_figure(details).axes[0]
    assert len(axes.patches) == 400
    assert [t.get_text() for t in axes.get_xticklabels()] == [str(k) for k in range(1, 21)]
    assert "20 most frequent" in confusion_caption(details)


def test_a_confusion_without_examples_is_said():
    details = ClassDetails(["a", "b"], np.zeros((2, 2), dtype=np.int64), [], [], 0)
    assert confusion_caption(details) == "There are no examples."
    assert len(confusion_figure(details).axes[0].texts) == 0


def test_the_scatter_has_every_example_and_the_line_of_equals():
    details = NumberDetails(np.arange(50.0), np.arange(50.0) * 2, [])
    line, points = scatter_figure(details, "price").axes[0].lines
    assert list(line.get_xdata()) == list(line.get_ydata()) == [0, 98]
    assert list(points.get_xdata()) == list(range(50))
    assert "Their correlation is 1.000" in scatter_caption(details)
    many = NumberDetails(np.arange(5000.0), np.arange(5000.0), [])
    assert len(scatter_figure(many, "y").axes[0].lines[1].get_xdata()) == 1000
    same = NumberDetails(np.ones(3), np.ones(3), [])
    assert "correlation" not in scatter_caption(same)
    assert not scatter_figure(NumberDetails(np.array([]), np.array([]), []), "y").axes[0].axison


def test_attention_is_drawn_where_it_is(looks):
    axes = attention_figure(looks).axes[0]
    drawn = {patch.get_xy(): patch.get_alpha() for patch in axes.patches}
    assert drawn[(0, 0)] == pytest.approx(0.93 * 0.9)
    assert drawn[(2, 3)] == pytest.approx(0.8 * 0.9)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["a", "␣", "c"]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["x", "y", "z", "end"]
    assert attention_caption(looks) == (
        "“a c” was read, “xyz” written. The surest looks: x at a, y at ␣, z at c."
    )


def test_attention_over_words_and_over_many_steps():
    words = ["das", "kleine", "Haus"]
    axes = attention_figure(Alignment(words, ["the", ""], np.full((2, 3), 1 / 3))).axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "2", "3"]
    long = Alignment(["a"] * 300, ["b"] * 99 + [""], np.full((100, 300), 0.1))
    assert len(attention_figure(long).axes[0].patches) == 45 * 45
    nothing = Alignment([], [""], np.zeros((1, 0)))
    assert not attention_figure(nothing).axes[0].axison
