import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_flows import found, made_flow

from recurra.errors import ArgumentError
from recurra.gradients import activation_derivatives
from recurra.report import render_flow_report, write_flow_report
from recurra.report.flows.captions import (
    activation_caption,
    contribution_caption,
    decay_caption,
    flow_caption,
)
from recurra.report.flows.chart import flow_chart
from recurra.report.flows.colours import VARIABLES_DARK, VARIABLES_LIGHT
from recurra.report.flows.text import interval_text

NAN, INF = np.nan, np.inf


def several():
    return {"elman:tanh": made_flow(0.7), "lstm": made_flow(0.97), "up": made_flow(1.4)}


def table(page, caption):
    """The rows of a table as lists of texts, its head included."""
    rows, here = [], False
    for tag, _, text in page.elements:
        if tag == "caption":
            here = text.strip().startswith(caption)
        elif here and tag == "tr":
            rows.append([])
        elif here and tag in ("th", "td", "bdi") and text.strip():
            rows[-1].append(text.strip().replace("\u00a0", " "))
    return rows


# The page.


@pytest.mark.parametrize(
    "flows", [made_flow(), several(), {"deep": made_flow(0.9, layers=3, directions=2)}]
)
def test_the_page_is_well_formed_and_loads_nothing(flows, parse):
    html = render_flow_report(flows, measured_on="random numbers")
    page = parse(html)
    assert html.startswith("<!DOCTYPE html>")
    assert "http:" not in html
    assert "https:" not in html
    (policy,) = [a["content"] for a, _ in page.all("meta") if a.get("http-equiv")]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    figures = page.all("svg", role="img")
    assert (
        len(figures)
        == len(page.texts("figcaption"))
        == 2 + 2 * (len(flows) if isinstance(flows, dict) else 1)
    )
    assert all(page.texts("figcaption"))
    assert all(attrs["aria-label"] for attrs, _ in figures)


def test_the_verdict_comes_first(parse):
    page = parse(render_flow_report(made_flow(0.7), measured_on="random numbers"))
    words = [text.strip() for tag, _, text in page.elements if tag in ("h1", "p", "dd", "h2")]
    assert words[:3] == ["Gradient flow of Elman", "It vanishes at 0.7 a step.", "random numbers"]
    page = parse(render_flow_report(several(), title="Three cells"))
    assert page.texts("h1") == page.texts("title") == ["Three cells"]
    assert page.texts("dt") == list(several())
    assert page.texts("dd") == [f"It vanishes at {k} a step." for k in (0.7, 0.97, 1.4)]


def test_all_colours_are_there_in_both_themes():
    html = render_flow_report(made_flow(0.5, layers=2, directions=2))
    used = set(re.findall(r"var\((--(?:fig|flow)-[a-z0-9-]+)\)", html))
    assert len([name for name in used if name.startswith("--flow-heat")]) >= 5
    light, dark = set(), set()
    for part in html.split("</style>")[0].split("@media screen and (prefers-color-scheme: dark)"):
        names = set(re.findall(r"(--(?:fig|flow)-[a-z0-9-]+):", part.split("}\n}")[0]))
        dark |= names if light else set()
        light |= names
    assert used <= light
    assert not re.search("#[0-9a-f]{6}", "".join(re.findall("<svg.*?</svg>", html, re.DOTALL)))
    assert VARIABLES_LIGHT.keys() == VARIABLES_DARK.keys()
    assert len(set(VARIABLES_LIGHT.values())) == len(VARIABLES_LIGHT)


def test_the_tables_have_the_numbers_of_one_flow(parse):
    page = parse(render_flow_report(made_flow(0.5, T=30)))
    by_distance = table(page, "The share of the gradient")
    assert by_distance[0] == ["Steps", "Elman", "Product", "Bound"]
    assert by_distance[1] == ["1", "50 %", "0.5", "0.75"]
    assert by_distance[-1] == ["20", "9.5 × 10⁻⁷", "9.5 × 10⁻⁷", "1.4 × 10⁻⁶"]
    places = table(page, "The factor a step")
    # 29 steps lie between the first and the last; 0.5^7 is the first power below 1 %.
    whole = ["29", "1.9 × 10⁻⁹", "2.8 × 10⁻⁹"]
    assert places[1] == ["Elman", "0.50", "0.47–0.53", "from 7 steps", "0.5", *whole]
    formats = table(page, "From what distance")
    assert formats[0] == ["Cell", "float32", "float16", "bfloat16"]
    assert formats[1] == [
        "Elman",
        "zero from 149 steps, by the factor",
        "zero from 24 steps",
        "never",
    ]


def test_the_tables_have_a_column_or_a_row_for_each_of_several(parse):
    flows = several() | {"deep": made_flow(0.9, T=15, layers=2)}
    page = parse(render_flow_report(flows))
    by_distance = table(page, "The share of the gradient")
    assert by_distance[0] == ["Steps", *flows]
    assert by_distance[1] == ["1", "70 %", "97 %", "140 %", "90 %"]
    assert by_distance[5][-1] == "–", "there are no 20 steps"
    names = [row[0] for row in table(page, "The factor a step")[1:]]
    assert names == [*several(), "deep, layer 1", "deep, layer 2"]
    assert [row[0] for row in table(page, "From what distance")[1:]] == list(flows)


def test_a_product_stands_beside_the_bound_over_the_same_steps(parse):
    flow = made_flow(0.5, T=30, directions=2)
    flow.product[:] = NAN
    flow.product[0, 0, 21] = flow.product[0, 1, 5] = 0.125
    flow.bound[0, 0, 21], flow.bound[0, 1, 5] = 0.25, 0.75
    rows = table(parse(render_flow_report(flow)), "The factor a step")
    assert rows[0][-3:] == ["Steps", "Product", "Bound"]
    assert [row[-3:] for row in rows[1:]] == [["8", "0.12", "0.25"], ["5", "0.12", "0.75"]]


def test_notes_are_said_once_and_whose_they_are(parse):
    odd = replace(made_flow(), notes=("losses: all of them", "in float32"))
    page = parse(render_flow_report({"a": made_flow(), "b": odd, "c": odd}))
    assert page.texts("li") == ["losses: all of them", "b, c: in float32"]


def test_an_overflow_is_called_infinite(parse):
    underflow = {"float32": found(846, "overflow", measured=False)}
    page = parse(render_flow_report(made_flow(1.1, underflow=underflow)))
    cells = table(page, "From what distance")
    assert cells == [["Cell", "float32"], ["Elman", "infinite from 846 steps, by the factor"]]


@pytest.mark.parametrize(
    "flow",
    [
        made_flow(T=1),
        made_flow(T=2, times=[1]),
        made_flow(T=9, rate=np.full((1, 1), NAN), rate_low=np.full((1, 1), NAN)),
        made_flow(T=9, norms=np.zeros((1, 1, 9, 9)), arrives=np.full((1, 1, 9), NAN)),
        made_flow(T=9, norms=np.full((1, 1, 9, 9), INF), arrives=np.full((1, 1, 9), INF)),
        made_flow(T=9, local=np.full((1, 1, 9), NAN), product=np.full((1, 1, 9), NAN)),
        made_flow(T=9, local=np.zeros((1, 1, 9)), bound=np.full((1, 1, 9), INF)),
        made_flow(T=9, contributions={}, notes=()),
        made_flow(1e-40, T=9),
        made_flow(1e30, T=9),
        made_flow(0.9, T=500, times=range(15, 500, 16)),
    ],
)
def test_any_flow_gives_a_page_and_a_chart(flow, parse):
    page = parse(render_flow_report(flow))
    assert len(page.texts("figcaption")) == 4
    assert all(page.texts("figcaption"))
    assert flow_chart({"a": flow})
    assert flow_chart({"a": flow, "b": made_flow(T=9)}, ascii_only=True).isascii()


def test_users_text_is_shown_as_text(parse):
    evil = '<script>alert("$x^{")</script> & \\frac{ é日本 \u202e'
    page = parse(render_flow_report({evil: made_flow(), "b": made_flow()}, measured_on=evil))
    shown = evil.replace("\u202e", "\ufffd").strip()
    assert page.texts("dt")[0] == shown
    assert shown in page.texts("dd")


def test_equal_flows_give_equal_bytes_and_the_page_stays_small():
    flow = made_flow(0.8, T=128, layers=2, directions=2)
    html = render_flow_report(flow)
    assert html == render_flow_report(flow)
    assert len(html) < 200_000


def test_the_page_is_written_and_its_path_returned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_flow_report(os.path.join("new", "flow.html"), made_flow(T=5))
    assert path == (tmp_path / "new" / "flow.html").resolve()
    assert path.read_text("utf-8") == render_flow_report(made_flow(T=5))
    with pytest.raises(ArgumentError, match=re.escape(str(tmp_path))):
        write_flow_report(tmp_path, made_flow(T=5))
    with pytest.raises(ArgumentError, match="flows is empty"):
        render_flow_report({})


def test_a_chart_needs_nothing_that_draws():
    code = """
import sys
sys.path.insert(0, "tests/report")
from made_flows import made_flow
import recurra.report as report
report.flow_chart({"a": made_flow()})
assert not {"matplotlib", "jinja2"} & set(sys.modules), "imported too early"
"""
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=root)


# The figures in words.


def plain(text):
    return text.replace("\u00a0", " ").replace("\u2068", "").replace("\u2069", "")


def test_the_heat_map_in_words():
    text = plain(flow_caption(made_flow(0.5, T=40, size=2.0)))
    lost = sum(2 * 0.5**d < 2**-24 for t in range(40) for d in range(t + 1)) / 820
    assert text == (
        "Norm of the gradient of the loss at 40 steps t with respect to the state at 40 steps s: "
        "from 3.6 × 10⁻¹² to 2. From 7 steps back less than 1 % arrives. Of the norms above zero "
        f"{100 * lost:.3g} % are below 6.0 × 10⁻⁸, the smallest number float16 has above zero."
    )


def test_the_heat_map_in_words_tells_layers_odd_values_and_what_is_not_drawn():
    deep = made_flow(0.5, T=20, layers=5, directions=2)
    deep.norms[0, 0, 5, 3] = INF
    text = flow_caption(deep)
    assert (
        "Layer 1, forwards: from 7 steps back less than 1 % arrives; layer 1, backwards: " in text
    )
    assert "layer 5, backwards: from 7 steps ahead less than 1 % arrives." in text
    assert "1 norm is not finite." in text
    assert "Of 5 layers 4 are drawn." in text
    long = flow_caption(made_flow(0.999, T=500, times=[499]))
    assert "Each column is the geometric mean of up to 5 steps." in long
    many = flow_caption(made_flow(0.99, T=100, directions=2))
    assert "of up to 2 steps. Of 100 losses 60 are drawn." in many
    assert "is finite and above zero" in flow_caption(made_flow(norms=np.zeros((1, 1, 40, 40))))


def test_the_decay_in_words():
    assert plain(decay_caption(several())) == (
        "The gradient's norm by distance, in shares of the norm at the loss' own step. "
        "elman:tanh: from 13 steps back less than 1 % arrives, factor 0.70 a step (95 % interval "
        "0.67–0.73); lstm: 30.5 % arrives from 39 steps, the furthest, factor 0.97 a step (95 % "
        "interval 0.94–1.00); up: 5.0 × 10⁵-fold arrives from 39 steps, the furthest, factor 1.40 "
        "a step (95 % interval 1.37–1.43)."
    )
    both = {"deep": made_flow(layers=2), "b": made_flow()}
    assert "Of each the last layer is shown, forwards." in decay_caption(both)


def test_an_interval_has_the_digits_that_tell_its_ends_apart():
    assert interval_text(0.70, 0.74) == "0.70–0.74"
    assert interval_text(0.21959, 0.22001) == "0.2196–0.2200"
    assert interval_text(0.5, 0.5) == "0.50"
    assert interval_text(NAN, 0.5) == "unknown"


def test_a_flow_has_vanished_only_where_it_stays_below_one_percent():
    arrives = np.array([[[1.0, 0.001, 0.5, 0.001, NAN, 0.002]]])
    text = decay_caption({"a": made_flow(T=6, arrives=arrives)})
    assert "a: from 3 steps back less than 1 % arrives" in text


def test_the_activations_in_words_agree_with_their_derivatives():
    text = plain(activation_caption())
    assert text.startswith("The largest derivative: sigmoid ¼, tanh 1, relu 1. ")
    smallest = np.nextafter(np.float32(0), np.float32(1))
    (slope,) = activation_derivatives(["sigmoid"], [0.0])["sigmoid"]
    steps = int(re.search(r"of (\d+) steps", text)[1])
    assert slope**steps < smallest <= slope ** (steps - 1)


def test_the_contributions_in_words():
    text = plain(contribution_caption(made_flow(0.5)))
    # The parts are 1, ½, ¼, ...: of their sum 2 all but 2^-7 is reached at distance 6.
    assert text == (
        "Norm of the part of each parameter's gradient that comes from its use so many steps "
        "before the loss. 99.0 % of the sum of these norms is reached within so many steps: "
        "weight_hh 6, weight_ih 6, bias_ih 6. The largest, of weight_hh, is 2."
    )
    many = contribution_caption(made_flow(0.5, layers=3))
    assert "2 parameters with smaller parts are not drawn." in many


# The chart of the terminal.


def test_a_chart_of_one_flow_has_a_bar_a_distance():
    lines = plain(flow_chart({"a": made_flow(0.5, T=30)})).splitlines()
    assert lines == [
        "Share of the gradient that arrives, by distance in steps",
        "      1  " + "█" * 16 + " " * 16 + " 50 %",
        "      2  " + "█" * 8 + " " * 24 + " 25 %",
        "      5  █" + " " * 31 + " 3.12 %",
        "     10  " + " " * 32 + " 0.0977 %",
        "     20  " + " " * 32 + " 9.5 × 10⁻⁷",
    ]


def test_a_growing_flow_fills_its_longest_bar():
    lines = plain(flow_chart({"a": made_flow(2.0, T=11)})).splitlines()
    assert lines[0].endswith("; a full bar is 1,000-fold")
    assert lines[-1].split()[1] == "█" * 32
    assert lines[-2].split()[1] == "█", "2^5 of 2^10 is a 32nd"


def test_a_chart_of_several_has_a_row_each():
    lines = plain(flow_chart(several())).splitlines()
    assert lines[1].split() == ["1", "2", "5", "10", "20"]
    assert lines[2].split()[:3] == ["elman:tanh", "▆", "70"]
    assert "▄   49 %" in lines[2]
    assert lines[4].count("█") == 5
    ends = [line.index("%", line.index("%") + 1) for line in lines[2:4]]
    assert ends[0] == ends[1], "the columns stand under one another"


def test_a_chart_in_ascii_says_the_same():
    flows = {"a": made_flow(0.5, T=30)}
    text = flow_chart(flows, ascii_only=True)
    assert text.isascii()
    assert "      2  ########" in text
    assert "9.5 x 10^-7" in text
    assert "?" not in text
    rows = flow_chart(several() | {"é": made_flow(0.1)}, ascii_only=True)
    assert "\n?" in rows
    assert "# " in rows


def test_one_step_is_said_to_be_one():
    assert "one step only" in flow_chart({"a": made_flow(T=1)})
