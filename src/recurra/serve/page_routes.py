"""The page and its files."""

import hashlib
import mimetypes
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from recurra.serve.refusals import RefusedError

STATIC = Path(__file__).with_name("static")
_KINDS = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}


class PageRoutes:
    """The files of a folder, by their names: what is no file there when this is made is no path."""

    def __init__(self, folder: Path = STATIC) -> None:
        files = (path for path in folder.rglob("*") if path.is_file())
        self._files = {path.relative_to(folder).as_posix(): path for path in files}

    def add(self, app: FastAPI) -> None:
        """Add the paths."""
        for path, answer in (
            ("/", self.index),
            ("/docs", self.docs),
            ("/static/{name:path}", self.static),
        ):
            app.router.routes.append(Route(path, answer, methods=["GET", "HEAD"]))

    async def index(self, request: Request) -> Response:
        """Answer with the page."""
        return self._file("index.html", request)

    async def docs(self, request: Request) -> Response:
        """Answer with the description for people."""
        return self._file("docs.html", request)

    async def static(self, request: Request) -> Response:
        """Answer with one of the page's files."""
        return self._file(request.path_params["name"], request)

    def _file(self, name: str, request: Request) -> Response:
        path = self._files.get(name)
        if path is None:
            raise RefusedError(404, "path", "there is no such file.")
        content = path.read_bytes()
        tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        kind = _KINDS.get(path.suffix) or mimetypes.guess_type(name)[0]
        return Response(content, media_type=kind or "application/octet-stream", headers=headers)
