"""The page in a real browser: a server in a thread, and what the browser saw of it."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from recurra.serve import Settings, make_app
from recurra.serve.running import listen
from recurra.serve.server import Server, configured, url_of

_NAMES = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT = 8000  # milliseconds, for what should be there at once


@contextmanager
def site(model: Any, name: str | None = None, port: int = 0, **settings: Any) -> Iterator[str]:
    """Serve a model in a thread; yield the page's address."""
    own = Settings(**settings)
    listening = listen("127.0.0.1", port)
    app = make_app(model, own, name=name)
    server = Server(configured(app, own), app, "")
    running = threading.Thread(target=server.run, args=([listening],))
    running.start()
    try:
        yield url_of(own, listening)
    finally:
        server.handle_exit(2, None)
        running.join()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a headless browser; skips the test where there is none."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(_NAMES)} is on the PATH (make browser)")
    args = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=args)
        try:
            yield running
        finally:
            running.close()


@dataclass
class Seen:
    """What a page asked for and complained of."""

    asked: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Note all that happens on a page."""
        page.on("request", self._requested)
        page.on("console", self._told)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))

    def _requested(self, request: Request) -> None:
        self.asked.append(request.url)

    def _told(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(message.text)


Visit = Callable[..., Page]


def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    wide: int = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    return wide
