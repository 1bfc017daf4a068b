"""Fixtures of the page in a real browser."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from pages import TIMEOUT, Seen, Visit, chromium, site
from playwright.sync_api import Browser, Page, expect
from serving import fitted


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless browser for the tests of a file."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def sites() -> Iterator[Callable[..., str]]:
    """Return a function that serves a model under a name, once; it returns the address."""
    with ExitStack() as running:
        urls: dict[str, str] = {}

        def start(name: str, model: Any = None, **settings: Any) -> str:
            if name not in urls:
                served = fitted(name) if model is None else model
                urls[name] = running.enter_context(site(served, name, **settings))
            return urls[name]

        yield start


@pytest.fixture
def seen() -> Seen:
    """What the page of this test asked for and complained of; a test may take off what it meant."""
    return Seen()


@pytest.fixture
def visit(browser: Browser, seen: Seen) -> Iterator[Visit]:
    """Return a function that opens an address; what the page complains of fails the test."""
    visited = set()
    with ExitStack() as open_ones:

        def go(url: str, width: int = 1280, path: str = "", **context: Any) -> Page:
            size = {"width": width, "height": 900}
            own = browser.new_context(viewport=size, **context)  # type: ignore[arg-type]
            open_ones.callback(own.close)
            page = own.new_page()
            page.set_default_timeout(TIMEOUT)
            seen.watch(page)
            visited.add(urlsplit(url).netloc)
            page.goto(url + path)
            page.wait_for_selector("main section")
            expect(page.locator("[aria-busy=true]")).to_have_count(0)
            return page

        yield go
    assert seen.troubles == []
    assert {urlsplit(url).netloc for url in seen.asked if not url.startswith("data:")} <= visited
