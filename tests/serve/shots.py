"""Pictures of the page: `shots.py OUT [MODEL ...]`, of folders of models, else of small ones."""

import sys
from pathlib import Path
from typing import Any

from pages import chromium, overflow, site
from playwright.sync_api import Browser, Page, expect
from serving import fitted

from recurra.tasks.loading import load

_SMALL = (
    "generator", "symbols", "curves", "classifier", "both ways", "tagger", "regressor",
    "forecaster", "filler", "translator", "captioner",
)  # fmt: skip
_WIDTHS = (1440, 360)
_TYPED = {"text": "Rooms were bad, not very good", "symbols": "the room was good"}


def shoot(browser: Browser, model: Any, name: str, out: Path) -> None:
    """Write a picture of each panel of a model's page: two widths, two themes, and its start."""
    with site(model, name) as url:
        for width in _WIDTHS:
            for theme in ("light", "dark"):
                context = browser.new_context(
                    viewport={"width": width, "height": 900}, color_scheme=theme
                )
                page = context.new_page()
                page.on("console", lambda said: print(name, "says", said.text))
                page.on("pageerror", lambda error: print(name, "fails", error))
                page.goto(url)
                page.wait_for_selector("main section")
                page.wait_for_timeout(300)
                mark = f"{name}-{width}-{theme}"
                page.screenshot(path=out / f"{mark}-start.png", full_page=True)
                _use(page, model)
                expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=20_000)
                page.wait_for_timeout(700)
                page.screenshot(path=out / f"{mark}.png", full_page=True)
                print(mark, "overflow", overflow(page))
                context.close()


def _use(page: Page, model: Any) -> None:
    typed = _typed(page)
    if page.locator("#generate").count():
        page.click("#generate button.main")
        page.wait_for_selector("#generate .tile, #generate .plot path")
    if page.locator("#watch").count():
        page.locator("#watch textarea").press_sequentially(typed + " ", delay=5)
        page.locator("#watch .state canvas").last.hover(position={"x": 8, "y": 40})
    if page.locator("#flow").count():
        page.locator("#flow input:not([role])").fill(typed[:60])
        page.click("#flow button.main")
        page.wait_for_selector("#flow figure", state="visible")
    if page.locator("#ask").count():
        numbers = page.evaluate("fetch('/model').then((r) => r.json())")["kind"] == "numbers"
        page.fill("#ask textarea", "0.1 0.2\n0.3 0.4" if numbers else typed)
        page.click("#ask button.main")


def _typed(page: Page) -> str:
    said = page.evaluate("fetch('/model').then((r) => r.json())")
    if said["task"] == "SequenceGenerator":
        return "Anna" if said["kind"] == "text" else "A n n a"
    if said["blank"]:
        return f"The food was {said['blank']} good"
    return _TYPED.get(said["kind"], "")


def main(out: Path, folders: list[Path]) -> None:
    """Write all pictures."""
    out.mkdir(parents=True, exist_ok=True)
    models = [(folder.name, load(folder)) for folder in folders]
    with chromium() as browser:
        for name, model in models or [(name, fitted(name)) for name in _SMALL]:
            shoot(browser, model, name, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(folder) for folder in sys.argv[2:]])
