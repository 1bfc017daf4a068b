"""The page reads what is typed: predictions and states change step by step, and go back."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pages import Seen, Visit, site
from playwright.sync_api import Page, expect
from serving import ALONG, fitted

from recurra import SequenceClassifier

pytest_plugins = ["browser"]
Sites = Callable[..., str]
SHARES = "(bars) => bars.map((bar) => Number(bar.style.getPropertyValue('--p')))"


@pytest.fixture(scope="module")
def spelling() -> Any:
    """A classifier that reads characters."""
    names = ["Anna", "Anton", "Bea", "Bert", "Cleo", "Carl"] * 4
    model = SequenceClassifier(**ALONG).fit(names, ["f", "m"] * 12)
    assert model.reading_.tokenizer.kind == "char"
    return model


def expect_read(page: Page, text: str) -> None:
    expect(page.locator("#watch .symbols .piece")).to_have_text(list(text))
    width: int = page.locator("#watch .tall canvas").evaluate("(canvas) => canvas.width")
    assert width == len(text)


def shares(page: Page) -> list[float]:
    found: list[float] = page.locator("#watch .bars .track").evaluate_all(SHARES)
    return found


def test_classes_and_states_follow_each_character(
    sites: Sites, visit: Visit, spelling: Any
) -> None:
    page = visit(sites("spelling", spelling))
    seen_shares = []
    text = "Anton"
    for k, letter in enumerate(text, start=1):
        page.locator("#watch textarea").press_sequentially(letter)
        expect_read(page, text[:k])
        expect(page.locator("#watch .after")).to_have_text(
            f"After {k} character{'s' if k > 1 else ''}"
        )
        offline = spelling.predict_proba([text[:k]])[0]
        np.testing.assert_allclose(shares(page), offline, atol=1e-5)
        seen_shares.append(shares(page))
    assert len({tuple(each) for each in seen_shares}) == len(text)
    marked = page.locator("#watch .bars .marked .name").inner_text()
    assert marked == spelling.predict([text])[0]
    for k in (4, 3):
        page.locator("#watch textarea").press("Backspace")
        expect_read(page, text[:k])
        np.testing.assert_allclose(shares(page), seen_shares[k - 1], atol=1e-5)
    page.locator("#watch textarea").fill("Ann")  # changed in its midst
    page.locator("#watch textarea").press_sequentially("a")
    expect_read(page, "Anna")
    np.testing.assert_allclose(shares(page), spelling.predict_proba(["Anna"])[0], atol=1e-5)
    page.get_by_role("button", name="Forget").click()
    expect_read(page, "")
    expect(page.locator("#watch textarea")).to_have_value("")


def test_the_state_of_a_step_is_told_by_keyboard(sites: Sites, visit: Visit, spelling: Any) -> None:
    page = visit(sites("spelling", spelling))
    page.locator("#watch textarea").press_sequentially("Bea")
    expect_read(page, "Bea")
    page.locator("#watch .tall canvas").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    said = page.locator("#watch .readout")
    expect(said).to_contain_text("h, feature 2 of 8, after step 1, “B”: ")
    expect(page.locator("#watch .after")).to_have_text("After 1 character")
    stream = spelling.stream()
    stream.push("B")
    value = float(stream.state["layer.h"][0, 1])
    told = float(said.inner_text().rsplit(": ", 1)[1].replace("−", "-"))
    assert told == pytest.approx(value, abs=1e-3)


def test_words_are_read_as_they_end(sites: Sites, visit: Visit) -> None:
    page = visit(sites("classifier"))
    box = page.locator("#watch textarea")
    box.press_sequentially("food was ")
    expect(page.locator("#watch .symbols .piece")).to_have_text(["food", "was"])
    np.testing.assert_allclose(
        shares(page), fitted("classifier").predict_proba(["food was"])[0], atol=1e-5
    )
    box.press_sequentially("good")  # no end: read after a pause
    expect(page.locator("#watch .symbols .piece")).to_have_text(["food", "was", "good"])
    box.press("Backspace")
    expect(page.locator("#watch .symbols .piece")).to_have_text(["food", "was", "goo"])


def test_tags_stand_under_their_words(sites: Sites, visit: Visit) -> None:
    page = visit(sites("tagger"))
    page.locator("#watch textarea").press_sequentially("the room was ")
    expect(page.locator("#watch .symbols .piece")).to_have_text(["the", "room", "was"])
    offline = fitted("tagger").predict([["the", "room", "was"]])[0]
    expect(page.locator("#watch .symbols .tag")).to_have_text([str(tag) for tag in offline])


def test_a_generator_says_what_comes_first_and_next(sites: Sites, visit: Visit) -> None:
    page = visit(sites("generator"))
    names = page.locator("#watch .bars .name")
    expect(page.locator("#watch .after")).to_have_text("Before the first character")
    first = [name for name in names.all_inner_texts() if name]
    assert set("ABC") & set(first)
    page.locator("#watch textarea").press_sequentially("An")
    expect_read(page, "An")
    before = shares(page)
    label = page.locator("#watch .combobox input")
    label.fill("m")
    label.press("Enter")
    expect_read(page, "An")
    assert shares(page) != before


def test_a_stream_that_expired_is_opened_anew_and_read_again(
    sites: Sites,
    visit: Visit,
    spelling: Any,
) -> None:
    page = visit(sites("brief", spelling, idle=0.3))
    page.locator("#watch textarea").press_sequentially("An")
    expect_read(page, "An")
    time.sleep(0.6)
    page.locator("#watch textarea").press_sequentially("ton")
    expect(page.locator("#watch .notice").first).to_contain_text("is read again")
    expect_read(page, "Anton")
    np.testing.assert_allclose(shares(page), spelling.predict_proba(["Anton"])[0], atol=1e-5)


def test_a_lost_connection_is_said_and_mended(visit: Visit, seen: Seen, spelling: Any) -> None:
    with site(spelling, drain=1) as url:
        page = visit(url)
        page.locator("#watch textarea").press_sequentially("An")
        expect_read(page, "An")
    expect(page.get_by_text("The connection to the server is lost")).to_be_visible()
    page.locator("#watch textarea").press_sequentially("to")
    expect_read(page, "An")
    with site(spelling, port=int(url.rsplit(":", 1)[1].rstrip("/"))):
        expect(page.get_by_text("The connection is back.")).to_be_visible(timeout=8000)
        expect_read(page, "Anto")
        np.testing.assert_allclose(shares(page), spelling.predict_proba(["Anto"])[0], atol=1e-5)
        page.close()
    assert all("WebSocket" in trouble for trouble in seen.troubles)
    seen.troubles.clear()  # the browser notes each vain attempt
