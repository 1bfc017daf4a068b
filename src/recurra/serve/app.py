"""The server as an ASGI app."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from recurra.serve.families import family_of
from recurra.serve.guard import Guard
from recurra.serve.json_route import JsonRoute
from recurra.serve.model_routes import ModelRoutes
from recurra.serve.page_routes import PageRoutes
from recurra.serve.service import Service
from recurra.serve.settings import Settings
from recurra.serve.status_routes import StatusRoutes
from recurra.serve.streams.routes import PUSH, StreamRoutes
from recurra.version import __version__

_PUSH = re.compile(PUSH.replace("{stream}", "(?P<stream>[^/]+)"))


class ServedModel:
    """A model as an ASGI app: HTTP, WebSockets, its page."""

    def __init__(self, service: Service, described: FastAPI) -> None:
        self.service, self._described = service, described
        self._push = next(
            r for r in described.routes if isinstance(r, JsonRoute) and r.path == PUSH
        )
        self._guard = Guard(self._answer, service.settings, service.metrics.saw)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._guard(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        # FastAPI's own middleware is left out: the guard does what is needed of it.
        scope["app"] = self._described
        if scope["type"] != "lifespan":
            self.service.begin()
        pushed = _PUSH.fullmatch(scope.get("path", ""))
        if pushed and scope.get("method") == "POST":  # asked most: without trying all routes
            scope["route"], scope["path_params"] = self._push, pushed.groupdict()
            await self._push.app(scope, receive, send)
        else:
            await self._described.router(scope, receive, send)


def make_app(
    model: Any, settings: Settings | None = None, *, name: str | None = None, folder: Any = None
) -> ServedModel:
    """Return a fitted estimator as an ASGI app, to be run by any ASGI server.

    Args:
        model: an estimator, or the path of a saved one.
        settings: hosts, token and limits; None for those of this machine alone.
        name: what the model is called; the folder's name if it came from one.
        folder: where it was saved, for its card.

    What runs beside requests begins with the first one, or with the server's lifespan.
    """
    if isinstance(model, str | Path):
        from recurra.tasks.loading import load

        folder = Path(model).absolute()
        model = load(folder)
    name = name or (Path(folder).name if folder else type(model).__name__)
    settings = settings or Settings()
    family = family_of(model, settings)
    service = Service(model, name, family, settings)
    app = FastAPI(
        title=f"Recurra: {name}",
        version=__version__,
        docs_url=None,  # FastAPI's load scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan(service),
    )
    app.router.route_class = JsonRoute
    StreamRoutes(service).add(app)
    ModelRoutes(service, folder).add(app)
    StatusRoutes(service).add(app)
    PageRoutes().add(app)
    return ServedModel(service, app)


def _lifespan(service: Service) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.begin()
        try:
            yield
        finally:
            service.stop()

    return lifespan
