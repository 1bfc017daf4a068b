import math
from dataclasses import replace

import pytest

from recurra.report import ScoreRow, render_report
from recurra.training.history import Epoch, History

INF, NAN = math.inf, math.nan


def epochs(*losses):
    return [Epoch(k, t, v, 1.0, 0.1, k == 1) for k, (t, v) in enumerate(losses, 1)]


@pytest.mark.parametrize(
    "history",
    [
        History(),
        History(epochs((2.0, None)), [1.0]),
        History(epochs((2.0, 2.5)), [], (0.1, 1.0)),
        History(epochs((2.0, None), (1.0, None), (0.5, None)), [1.0, 2.0], (0.0, INF)),
        History(epochs((NAN, INF), (INF, NAN)), [NAN, INF, 0.0], (0.1, 1.0)),
        History(epochs((NAN, 2.0), (1.0, NAN), (1.0, 1.0)), [0.0, 1.0], (0.0, 0.0), "patience"),
        History(epochs((0.0, 0.0), (0.0, 0.0)), [1e-300, 1e300], (1.0, 1.0), "interrupted"),
        History(epochs((1e308, 1e99), (-1e308, 5e-324)), [3.0] * 5000, (1e-5, 1e9), "other"),
        History([Epoch(7, 2.0, 2.0, 1.0, 0.1, False)], [1e90, 1e-90], None),
    ],
)
def test_any_history_gives_a_page(report, history, parse):
    few = replace(report, history=history, scores=report.scores[:2])
    page = parse(render_report(few))
    assert len(page.texts("figcaption")) == 3
    assert all(page.texts("figcaption"))


@pytest.mark.parametrize(
    "scores",
    [
        [],
        [ScoreRow("one", 1, 1, 2.0, 3.0)],
        [ScoreRow("none", 0, 0, NAN, NAN)],
        [ScoreRow("a", 1, 1, NAN, 1.0), ScoreRow("b", 1, 1, INF, -INF)],
        [ScoreRow("a", 1, 0, 1.0, 2.0), ScoreRow("a", 1, 1, 0.0, 0.0)],
        [ScoreRow("a", 1, 1, -1.0, -2.0), ScoreRow("b", 1, 1, 1e300, 1e-300)],
        [ScoreRow(f"c{k}", 1, 1, 1.0 + k, 2.0) for k in range(150)],
    ],
)
def test_any_scores_give_a_page(report, scores, parse):
    page = parse(render_report(replace(report, scores=scores, history=History())))
    assert len(page.texts("tbody")) == 1 + bool(scores)
    if not scores:
        assert "No country was scored." in page.texts("p")


def test_a_report_of_nothing_is_a_page(report, parse):
    bare = replace(report, lead="", facts=[], history=History(), samples=[], scores=[])
    page = parse(render_report(bare))
    assert page.all("svg") == page.all("table") == []
    assert "No epoch was finished, so there is no loss to show." in page.texts("figcaption")
