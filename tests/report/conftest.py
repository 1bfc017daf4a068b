import math
import random
import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from recurra.report import GeneratorReport, SampleRow, ScoreRow
from recurra.training.history import Epoch, History


@pytest.fixture
def history():
    """Ten epochs, the eighth best, and 2,500 norms, some on either side of the band."""
    draw = random.Random(1)
    epochs = []
    for k in range(1, 11):
        train, valid = 1.9 + math.exp(-k / 3), 2.1 + math.exp(-k / 2) + 0.02 * max(0, k - 8)
        best = valid < min((e.valid_loss for e in epochs), default=math.inf)
        epochs.append(Epoch(k, train, valid, 12.5, 1e-3, best))
    norms = [math.exp(draw.gauss(0, 1)) for _ in range(2500)]
    return History(epochs, norms, (0.25, 4.0))


@pytest.fixture
def scores():
    """65 rows; the baseline is better in every tenth of them."""
    draw = random.Random(2)
    rows = []
    for k in range(65):
        loss = draw.uniform(1.5, 2.5)
        baseline = loss - 0.1 if k % 10 == 0 else loss + 0.2
        rows.append(ScoreRow(f"Country {k}", 10 + k, 60 + 7 * k, loss, baseline))
    return rows


@pytest.fixture
def report(history, scores):
    samples = [
        SampleRow("Italy", "S", ["Silvana", "Samuele"]),
        SampleRow("Ukraine", "О", ["Олена", "Остап"]),
        SampleRow("Egypt", "م", ["محمد", "مريم"]),
        SampleRow("Japan", "陽", ["陽子", "陽太"]),
        SampleRow("India", "", ["கவிதா", ""]),
    ]
    return GeneratorReport(
        title="Names of 65 countries",
        lead="What the model learned.",
        facts=[("Cell", "lstm, 384 units"), ("Held-out loss", "2.06 nats a character")],
        history=history,
        samples=samples,
        scores=scores,
        baseline_name="character bigrams",
    )


_VOID = {"meta"}


class Page(HTMLParser):
    """A page as a list of (tag, attributes, text directly inside), checked for proper nesting."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.open, self.ends = [], [], 0
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.elements.append([tag, dict(attrs), ""])
        if tag not in _VOID:
            self.open.append(self.elements[-1])

    def handle_startendtag(self, tag, attrs):
        self.elements.append([tag, dict(attrs), ""])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open:
            self.open[-1][2] += data

    def all(self, tag, **wanted):
        return [
            (attrs, text.strip())
            for name, attrs, text in self.elements
            if name == tag and wanted.items() <= attrs.items()
        ]

    def texts(self, tag):
        return [text for _, text in self.all(tag)]


def _parse(html):
    """Hold what every page must be, and return it parsed."""
    page = Page(html)
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs, _ in page.elements:
        assert tag not in ("script", "link", "iframe", "img", "image", "object", "foreignobject")
        assert not any(name.startswith("on") for name in attrs)
        assert attrs.get("href", "#").startswith("#")
        for name in ("aria-labelledby", "aria-describedby"):
            assert attrs.get(name) in [None, *ids]
        if "href" in attrs:
            assert attrs["href"][1:] in ids
        for reference in re.findall(r"url\(([^)]*)\)", " ".join(v or "" for v in attrs.values())):
            assert reference[0] == "#"
            assert reference[1:] in ids
    assert "//" not in "".join(page.texts("style"))
    assert "nan" not in html.split("</style>")[1].lower().replace("nats", "").replace("name", "")
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert all(attrs.get("scope") in ("row", "col") for attrs, _ in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    return page


@pytest.fixture
def parse():
    """The check of what every page must be; it returns the page parsed."""
    return _parse
