"""The page's own files, and no others."""

from collections.abc import Callable

import pytest
from serving import Client, told

from recurra.serve.page_routes import STATIC

Serve = Callable[..., Client]
KINDS = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
}


def test_every_file_comes_with_its_type_and_is_not_sent_twice(serve: Serve) -> None:
    client = serve()
    for file in STATIC.rglob("*.*"):
        answer = client.get(f"/static/{file.relative_to(STATIC).as_posix()}")
        assert answer.content == file.read_bytes()
        assert answer.headers["content-type"].split(";")[0] == KINDS[file.suffix]
        tag = {"if-none-match": answer.headers["etag"]}
        assert client.get(f"/static/{file.name}", headers=tag).status_code == 304
    assert client.get("/").content == (STATIC / "index.html").read_bytes()
    assert client.head("/").content == b""


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/",
        "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/..%5capp.py", "/../app.py",
        "/static/style.css/", "/static/index.html%00.js", "/static/%c0%ae%c0%ae/app.py",
    ],
)  # fmt: skip
def test_nothing_else_is_reached(serve: Serve, path: str) -> None:
    told(serve().get(path), 404, "path")


def test_nothing_of_the_page_comes_from_elsewhere() -> None:
    for file in STATIC.rglob("*.*"):
        text = file.read_text()
        assert "http://" not in text.replace("http://www.w3.org/", ""), file
        assert "https://" not in text, file
