"""The page for everyone: themes, narrow windows, keyboards, tokens; its description of the API."""

import json
import subprocess
from collections.abc import Callable
from itertools import pairwise

import pytest
from pages import Seen, Visit, overflow
from playwright.sync_api import Page, expect
from serving import fitted

pytest_plugins = ["browser"]
Sites = Callable[..., str]
TASKS = (
    "generator", "symbols", "curves", "classifier", "both ways", "tagger", "regressor",
    "forecaster", "filler", "translator", "captioner",
)  # fmt: skip
CONTRAST = """(root) => {
  const channels = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  const light = (colour) => channels(colour)
    .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (!/, 0\\)$/.test(colour) && colour !== "transparent") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const poor = [];
  for (const node of root.querySelectorAll("*")) {
    const own = [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
    if (!own || !node.checkVisibility() || node instanceof SVGElement) continue;
    const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push(`${node.outerHTML.slice(0, 60)}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""


def paper(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


def use(page: Page) -> None:
    """Do what fills the page."""
    box = page.locator("#watch textarea")
    if box.count():
        box.press_sequentially("the food was very good and the room was bad ")
        expect(page.locator("#watch .symbols > span").nth(9)).to_be_attached()
    if page.locator("#flow").count():
        page.locator("#flow input:not([role])").fill("Anna" if box.count() == 0 else "the room")


@pytest.mark.parametrize("name", TASKS)
def test_at_phone_width_nothing_is_wider_than_the_window(
    sites: Sites,
    visit: Visit,
    name: str,
) -> None:
    page = visit(sites(name), width=360)
    if name in ("generator", "classifier", "tagger"):
        use(page)
    assert overflow(page) == 0
    assert page.title().startswith(name)
    levels = page.locator("h1, h2, h3, h4").evaluate_all("(all) => all.map((h) => +h.tagName[1])")
    steps = [b - a for a, b in pairwise(levels)]
    assert levels[0] == 1
    assert max(steps) <= 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["generator", "forecaster"])
def test_texts_stand_out_in_both_themes(sites: Sites, visit: Visit, name: str, theme: str) -> None:
    page = visit(sites(name), color_scheme=theme)
    assert page.locator("body").evaluate(CONTRAST) == []
    docs = visit(sites(name), path="docs", color_scheme=theme)
    assert docs.locator("body").evaluate(CONTRAST) == []


def test_the_theme_is_the_systems_until_one_is_chosen(sites: Sites, visit: Visit) -> None:
    url = sites("generator")
    page = visit(url, color_scheme="dark")
    dark = paper(page)
    page.get_by_role("button", name="Light theme").click()
    light = paper(page)
    assert light != dark
    page.reload()
    expect(page.get_by_role("button", name="Dark theme")).to_be_visible()
    assert paper(page) == light
    page.emulate_media(color_scheme="light")
    assert paper(page) == light
    page.get_by_role("button", name="Dark theme").click()
    assert paper(page) == dark
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Light theme").click()  # away, and back to the system's
    page.get_by_role("button", name="Dark theme").click()
    page.emulate_media(color_scheme="light")
    assert paper(page) == light


def test_names_are_made_and_looked_at_with_the_keyboard_alone(sites: Sites, visit: Visit) -> None:
    page = visit(sites("generator"))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if (
            page.evaluate("document.activeElement.textContent") == "Generate"
            and page.evaluate("document.activeElement.tagName") == "BUTTON"
        ):
            break
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    with page.expect_response("**/generate"):
        page.keyboard.press("Enter")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.keyboard.press("Tab")
    assert "tile" in page.evaluate("document.activeElement.className")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    rows = page.locator("#generate .row-of-tiles")
    expect(rows.nth(1).locator(".tile").nth(1)).to_be_focused()
    page.keyboard.press("Tab")  # one stop for all tiles
    assert "tile" not in page.evaluate("document.activeElement.className")


def test_every_control_has_a_name(sites: Sites, visit: Visit) -> None:
    for name in ("generator", "forecaster", "captioner", "tagger"):
        page = visit(sites(name))
        nameless = page.locator("input, textarea, select, button, canvas[tabindex], svg[tabindex]")
        for control in nameless.all():
            named = control.evaluate(
                "(n) => n.labels?.length || n.getAttribute('aria-label') || n.textContent.trim()"
            )
            assert named, control.evaluate("(n) => n.outerHTML")


@pytest.mark.parametrize("name", ["generator", "symbols", "forecaster", "classifier"])
def test_the_docs_say_commands_that_work(sites: Sites, visit: Visit, name: str) -> None:
    page = visit(sites(name), path="docs", width=360)
    assert overflow(page) == 0
    ran = 0
    for command in page.locator(".command code").all_inner_texts():
        if not command.startswith("curl") or "/ID" in command or '"mine"' in command:
            continue
        done = subprocess.run(
            ["bash", "-c", command.replace("curl", "curl -s --noproxy '*'", 1)],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
        assert "error" not in json.loads(done.stdout), (command, done.stdout)
        ran += 1
    assert ran >= 2
    paths = page.locator("#calls h3 code").all_inner_texts()
    assert "/model" in paths
    assert ("/generate" in paths) == (name in ("generator", "symbols"))


def test_with_a_token_the_page_is_let_in_once_by_its_address(
    sites: Sites,
    visit: Visit,
    seen: Seen,
) -> None:
    url = sites("secret", fitted("generator"), token="open sesame")
    page = visit(url)
    assert "token" not in page.url
    expect(page.locator("#generate .tile").first).to_be_visible()
    page.locator("#watch textarea").press_sequentially("An")
    expect(page.locator("#watch .symbols .piece")).to_have_text(["A", "n"])
    page.context.clear_cookies()
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("#generate").get_by_text("This server wants a token")).to_be_visible()
    assert all("401" in trouble for trouble in seen.troubles)
    seen.troubles.clear()  # the browser notes each refused request
