"""The page in a browser: each task's panel does what it says, with a real server behind it."""

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from pages import Seen, Visit
from playwright.sync_api import Page, expect
from serving import READS

from recurra import SequenceGenerator

pytest_plugins = ["browser"]
Sites = Callable[..., str]
EVIL = "<img src=x onerror=alert(1)>"


def number(text: str | None) -> float:
    assert text is not None
    return float(text.replace(" %", "").replace("< ", "").replace("−", "-"))


def drawn(page: Page, canvas: str) -> dict[str, Any]:
    """Return how many cells a heat map has, and how many colours."""
    found: dict[str, Any] = page.eval_on_selector(
        canvas,
        """(canvas) => {
          const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const cells = [];
          for (let k = 0; k < data.length; k += 4) cells.push(data.slice(k, k + 4).join());
          return {rows: canvas.height, columns: canvas.width, colours: new Set(cells).size,
                  empty: cells.filter((cell) => cell.endsWith(",0")).length};
        }""",
    )
    return found


def test_names_come_with_a_probability_for_each_letter(sites: Sites, visit: Visit) -> None:
    page = visit(sites("generator"))
    assert page.title().startswith("generator")
    panel = page.locator("#generate")
    panel.get_by_label("Beginning").fill("An")
    panel.get_by_label("How many").fill("3")
    panel.get_by_label("Each only once").uncheck()
    with page.expect_response("**/generate") as answered:
        panel.get_by_role("button", name="Generate").click()
    made = answered.value.json()
    rows = panel.locator(".sequences > li")
    expect(rows).to_have_count(3)
    for row, sequence, steps in zip(rows.all(), made["sequences"], made["steps"], strict=True):
        letters = [tile.inner_text() for tile in row.locator(".tile").all()]
        assert "".join(letters[: len(sequence)]) == sequence
        assert sequence.startswith("An")
        shares = [
            float(tile.evaluate("(tile) => tile.style.getPropertyValue('--p')"))
            for tile in row.locator(".tile").all()
        ]
        assert shares == pytest.approx([step["p"] for step in steps])
    rows.nth(1).locator(".tile").nth(1).hover()
    expect(panel.locator(".side .after")).to_have_text("After “A”")
    said = [number(each) for each in panel.locator(".side .number").all_inner_texts() if each]
    assert said[:-1] == sorted(said[:-1], reverse=True)
    assert panel.locator(".side .marked .name").inner_text() == "n"


def test_a_country_is_found_by_typing_and_chosen_by_keyboard(sites: Sites, visit: Visit) -> None:
    labels = ["Åland", "Austria", "Italy", "Japan"]
    model = SequenceGenerator(**READS).fit(["Anna", "Bea", "Cleo", "Dora"] * 4, labels * 4)
    page = visit(sites("countries", model))
    panel = page.locator("#generate")
    box = panel.get_by_role("combobox")
    box.click()
    expect(panel.get_by_role("option")).to_have_count(4)
    box.fill("al")
    expect(panel.get_by_role("option")).to_have_text(["Åland", "Italy"])
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("Italy")
    expect(panel.get_by_role("listbox")).to_have_count(0)  # closed
    expect(panel.locator(".hint", has_text="They begin with")).to_have_text("They begin with C")
    box.fill("xyz")
    expect(page.get_by_text("None of the choices has this.")).to_be_visible()
    box.press("Escape")
    expect(box).to_have_value("Italy")
    with page.expect_response("**/generate") as answered:
        box.press("Enter")
    assert answered.value.request.post_data_json["condition"] == "Italy"


def test_an_unknown_beginning_is_told_in_the_servers_words(
    sites: Sites,
    visit: Visit,
    seen: Seen,
) -> None:
    page = visit(sites("generator"))
    panel = page.locator("#generate")
    panel.get_by_label("Beginning").fill("Żółw")
    with page.expect_response("**/generate") as answered:
        panel.get_by_role("button", name="Generate").click()
    assert answered.value.status == 422
    message = answered.value.json()["error"]["message"]
    notice = panel.get_by_role("status").filter(has_text=message[1:])
    expect(notice).to_be_visible()
    expect(panel.get_by_role("button", name="Generate")).not_to_have_attribute("aria-busy", "true")
    assert all("422" in trouble for trouble in seen.troubles)
    seen.troubles.clear()  # the browser notes each refused request


def test_the_forecast_has_bands_in_order_and_its_numbers(sites: Sites, visit: Visit) -> None:
    page = visit(sites("forecaster"))
    panel = page.locator("#forecast")
    bands = panel.locator("path.band")
    expect(bands.first).to_be_visible()
    heights = [band.bounding_box()["height"] for band in bands.all()]  # type: ignore[index]
    assert len(heights) >= 2
    assert heights == sorted(heights, reverse=True)  # each within the one before
    panel.get_by_text("The numbers", exact=True).click()
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(3)
    for row in rows.all():
        cells = [number(cell) for cell in row.locator("td").all_inner_texts()]
        assert cells[1:] == sorted(cells[1:])
    panel.locator("svg").focus()
    page.keyboard.press("End")
    expect(panel.locator(".readout")).to_contain_text("forecast")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(panel.locator(".readout")).to_contain_text(" was ")
    panel.get_by_label("Steps ahead").fill("2")
    panel.get_by_role("button", name="Forecast").click()
    expect(rows).to_have_count(2)


def test_numbers_of_ones_own_are_forecast_or_refused_in_place(sites: Sites, visit: Visit) -> None:
    page = visit(sites("forecaster"))
    panel = page.locator("#forecast")
    panel.get_by_text("Forecast numbers of your own").click()
    own = panel.get_by_label("Values, the oldest first")
    own.fill("1 2 x")
    panel.get_by_role("button", name="Forecast").click()
    expect(panel.get_by_text("“x” is no number")).to_be_visible()
    own.fill(" ".join(str(k % 5) for k in range(40)))
    panel.get_by_role("button", name="Forecast").click()
    expect(panel.locator(".key")).to_contain_text("your numbers")


def test_gradient_flow_is_drawn_for_each_loss_and_state(sites: Sites, visit: Visit) -> None:
    page = visit(sites("generator"))
    panel = page.locator("#flow")
    panel.get_by_label("Text").fill("Anna")
    with page.expect_response("**/flow") as answered:
        panel.get_by_role("button", name="Measure").click()
    found = answered.value.json()
    expect(panel.locator(".verdict")).to_have_text(found["verdict"])
    map_ = drawn(page, "#flow canvas")
    assert (map_["rows"], map_["columns"]) == (5, 5)
    assert map_["empty"] == 10  # a state after a loss has no gradient of it
    assert map_["colours"] > 10
    panel.locator("canvas").focus()
    page.keyboard.press("Home")
    said = panel.locator(".readout").inner_text()
    assert re.fullmatch(r"Loss at step 1, “.+”, state at step 1, “.+”, 0 back: \S+.*", said), said
    page.keyboard.press("ArrowRight")
    expect(panel.locator(".readout")).to_contain_text("comes after the loss")


@pytest.mark.parametrize(
    ("name", "given", "symbols"),
    [
        ("symbols", "A n n a", ["^", "A", "n", "n", "a"]),
        ("tagger", "the food was", ["the", "food", "was"]),
        ("classifier", "very good food", ["very", "good", "food"]),
    ],
)
def test_gradient_flow_cuts_a_text_as_the_model_does(
    sites: Sites, visit: Visit, name: str, given: str, symbols: list[str]
) -> None:
    page = visit(sites(name))
    panel = page.locator("#flow")
    panel.get_by_label("Text").fill(given)
    with page.expect_response("**/flow") as answered:
        panel.get_by_role("button", name="Measure").click()
    assert answered.value.status == 200, answered.value.text()
    assert answered.value.json()["symbols"] == symbols


@pytest.mark.parametrize(
    ("name", "given", "answer"),
    [
        ("filler", "the food __ good", r"\w+"),
        ("translator", "ab", r"[xy]+|\(nothing\)"),
        ("both ways", "very good food", "yes|no"),
    ],
)
def test_a_text_in_an_answer_out(
    sites: Sites,
    visit: Visit,
    name: str,
    given: str,
    answer: str,
) -> None:
    page = visit(sites(name))
    panel = page.locator("#ask")
    panel.get_by_role("textbox").fill(given)
    with page.expect_response("**/predict") as answered:
        panel.get_by_role("button", name="Ask").click()
    assert answered.value.status == 200, answered.value.text()
    said = panel.locator(".figure")
    expect(said).to_have_text(re.compile(answer))
    expect(said).to_have_text(str(answered.value.json()["predictions"][0]) or "(nothing)")


def test_a_picture_is_made_the_models_size_and_captioned(sites: Sites, visit: Visit) -> None:
    page = visit(sites("captioner"))
    panel = page.locator("#caption")
    icon = page.evaluate(
        """() => {
          const canvas = document.createElement("canvas");
          canvas.width = 40; canvas.height = 20;
          const context = canvas.getContext("2d");
          context.fillStyle = "#fff"; context.fillRect(20, 0, 20, 20);
          return canvas.toDataURL("image/png").split(",")[1];
        }"""
    )
    file = {"name": "half.png", "mimeType": "image/png", "buffer": base64.b64decode(icon)}
    panel.get_by_label("Picture").first.set_input_files(file)  # type: ignore[arg-type]
    expect(panel.locator("canvas.picture")).to_be_visible()
    with page.expect_response("**/predict") as answered:
        panel.get_by_role("button", name="Caption").click()
    sent = answered.value.request.post_data_json["inputs"][0]
    assert (len(sent), len(sent[0])) == (8, 8)
    assert sent[4][7] == 1.0
    assert answered.value.status == 200, answered.value.text()
    expect(panel.locator(".figure")).to_have_text(answered.value.json()["predictions"][0])


def test_what_a_model_calls_its_labels_is_text_and_nothing_else(sites: Sites, visit: Visit) -> None:
    model = SequenceGenerator(**READS).fit(["<b>x", "</b>", "&lt;"] * 8, [EVIL, "b", "c"] * 8)
    page = visit(sites("evil", model))
    page.on("dialog", lambda dialog: pytest.fail("a script of a label ran"))
    expect(page.locator("#generate .tile").first).to_be_visible()
    panel = page.locator("#generate")
    panel.get_by_role("combobox").click()
    expect(panel.get_by_role("option").first).to_have_text(EVIL)
    page.locator("#watch textarea").fill("<b>")
    expect(page.locator("#watch .symbols .piece")).to_have_text(["<", "b", ">"])
    assert page.locator("main img, main b, main script").count() == 0
