import re
from dataclasses import replace

import pytest

from recurra.report import SampleRow, ScoreRow, canvas, render_report, write_report

EVIL = '<script>alert("$x^{")</script> & \\frac{ é日本 محمد'


def test_the_page_is_well_formed_and_loads_nothing(report, parse):
    html = render_report(report)
    page = parse(html)
    assert "http:" not in html
    assert "https:" not in html
    assert page.all("html", lang="en")
    (policy,) = [a["content"] for a, _ in page.all("meta") if a.get("http-equiv")]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert page.all("meta", name="viewport")
    assert len(page.all("svg", role="img")) == 3
    assert all(attrs["aria-label"] for attrs, _ in page.all("svg"))
    assert page.texts("title") == page.texts("h1") == ["Names of 65 countries"]
    assert page.texts("dd") == ["lstm, 384 units", "2.06 nats a character"]


def test_both_themes_have_every_colour_the_figures_use(report):
    html = render_report(report)
    used = set(re.findall(r"var\((--fig-[a-z]+)\)", html))
    assert len(used) >= 10
    light, dark = (
        set(re.findall(r"(--fig-[a-z]+):", part))
        for part in html.split("</style>")[0].split("prefers-color-scheme: dark")
    )
    assert used <= light == dark
    figures = "".join(re.findall("<svg.*?</svg>", html, re.DOTALL))
    assert not re.search("#[0-9a-f]{6}", figures)


def test_colours_of_text_stand_out_from_the_ground():
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    for palette in (canvas.LIGHT, canvas.DARK):
        assert len(set(palette.values())) == len(palette)
        ground = luminance(palette["paper"])
        for role in ("ink", "muted", "first", "second"):
            low, high = sorted([ground, luminance(palette[role])])
            assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2 AA


def test_samples_stand_in_a_table_with_their_own_direction(report, parse):
    page = parse(render_report(report))
    names = [text for attrs, text in page.all("li") if attrs["dir"] == "auto"]
    assert names == [name for row in report.samples for name in row.sequences]
    bdi = page.texts("bdi")
    assert all(
        row.condition in bdi and (not row.prefix or row.prefix in bdi) for row in report.samples
    )
    assert "empty" in page.texts("span")


def test_scores_are_listed_by_loss_with_difference_and_total(report, parse):
    page = parse(render_report(report))
    cells = page.texts("td")[2 * len(report.samples) :]
    rows = [cells[k : k + 5] for k in range(0, len(cells), 5)]
    ranked = sorted(report.scores, key=lambda row: row.loss)
    for row, (loss, baseline, difference, sequences, symbols) in zip(ranked, rows, strict=False):
        assert (loss, baseline) == (f"{row.loss:.3f}", f"{row.baseline:.3f}")
        assert difference == f"{row.loss - row.baseline:+.3f}".replace("-", "−")
        assert (sequences, symbols) == (f"{row.sequences:,}", f"{row.symbols:,}")
    symbols = sum(row.symbols for row in ranked)
    mean = sum(row.loss * row.symbols for row in ranked) / symbols
    assert len(rows) == 66
    assert rows[-1][0] == f"{mean:.3f}"
    assert rows[-1][4] == f"{symbols:,}"
    assert len([1 for attrs, _ in page.all("tr") if attrs.get("class") == "worse"]) == 7


def test_users_text_is_shown_as_text_everywhere(report, parse):
    evil = replace(
        report,
        title=EVIL,
        lead=EVIL,
        facts=[(EVIL, EVIL)],
        samples=[SampleRow(EVIL, EVIL, [EVIL])],
        scores=[ScoreRow(EVIL, 1, 2, 2.0, 1.0), ScoreRow("b", 1, 2, 1.0, 2.0)],
        baseline_name="_<i>$b</i>",
        condition_name="<b>",
        symbol_name='"quote"',
    )
    page = parse(render_report(evil))
    assert page.texts("h1") == page.texts("title") == page.texts("li") == [EVIL]
    assert page.texts("bdi").count(EVIL) == 3
    labels = page.texts("text")
    assert any(label.startswith('<script>alert("$x^{")') for label in labels)
    assert "_<i>$b</i>" in labels


def test_a_full_page_stays_small(report):
    report.history.gradient_norms *= 40
    assert len(render_report(report)) < 150_000


@pytest.mark.parametrize(
    "text", ["\x00\x1b[31m", "\ud800 half", "\u202eturned", "\ufffe", "a\nb\tc", "x" * 10_000, ""]
)
def test_text_that_no_page_can_hold_is_made_visible(report, tmp_path, text, parse):
    odd = replace(
        report,
        title=text,
        samples=[SampleRow(text, text, [text])],
        scores=[ScoreRow(text, 1, 2, 2.0, 1.0)],
        baseline_name=text,
    )
    html = write_report(odd, tmp_path / "page.html").read_text("utf-8")
    parse(html)
    assert not re.search("[\x00\x1b\ud800\u202e\ufffe]", html)
