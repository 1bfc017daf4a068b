"""uvicorn, as the server needs it: says where it is, drains before it ends, exits with 0."""

import asyncio
import logging
import socket
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import quote

import uvicorn

from recurra.serve.app import ServedModel, make_app
from recurra.serve.connections import HttpConnection, WebSocketConnection
from recurra.serve.settings import Settings


class Server(uvicorn.Server):
    """A server that answers what it took before it ends."""

    def __init__(self, config: uvicorn.Config, app: ServedModel, url: str) -> None:
        super().__init__(config)
        self._app, self._url = app, url
        self._asked = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say where."""
        await super().startup(sockets)
        print(self._url, flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain, at the second time end at once."""
        self._asked += 1
        if self._asked > 1:
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Look whether to end, and once in ten ticks, a second, at who is too slow."""
        if self._asked and not self._app.service.draining:
            await self._app.service.drain()
            self.should_exit = True
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                connection.sweep(now)  # type: ignore[union-attr]
        return await super().on_tick(counter)


def serve(folder: Path, settings: Settings, listening: socket.socket, access_log: bool) -> int:
    """Serve a model on a socket that listens; return the exit status."""
    app = make_app(folder, settings)
    server = Server(configured(app, settings, access_log), app, url_of(settings, listening))
    server.run([listening])
    return 0 if server.started else 2


def configured(app: ServedModel, settings: Settings, access_log: bool = False) -> uvicorn.Config:
    """Return how uvicorn runs an app: with this server's connections and limits."""
    # uvicorn calls what makes a connection's protocol; its types want a class.
    http: Any = partial(HttpConnection, settings)
    websocket: Any = partial(WebSocketConnection, settings)
    config = uvicorn.Config(
        app,
        http=http,
        ws=websocket,
        loop="auto",
        lifespan="on",
        log_level="warning",
        access_log=access_log,
        log_config=_logging(),
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(settings.drain) + 1,
        ws_max_size=settings.body,
        ws_per_message_deflate=False,
    )
    if access_log:
        logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    return config


def _logging() -> dict[str, Any]:
    """Return uvicorn's own, but that standard output is left to the address."""
    found: dict[str, Any] = deepcopy(uvicorn.config.LOGGING_CONFIG)
    found["handlers"]["access"]["stream"] = "ext://sys.stderr"
    return found


def url_of(settings: Settings, listening: socket.socket) -> str:
    """Return the address to open in a browser, with the token if one is needed."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    host = f"[{host}]" if ":" in host else host
    token = "" if settings.token is None else f"?token={quote(settings.token, safe='')}"
    return f"http://{host}:{port}/{token}"
