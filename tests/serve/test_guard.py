"""Who may come in, and what every answer says to browsers."""

from collections.abc import Callable

import pytest
from serving import Client, told

from recurra.serve import Settings
from recurra.serve.settings import LOOPBACK

Serve = Callable[..., Client]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "", "[::1", "0.0.0.0", "@"]
)
def test_a_name_that_is_not_the_servers_is_refused(serve: Serve, host: str) -> None:
    told(serve().get("/health", headers={"host": host}), 421, "host")


@pytest.mark.parametrize("host", [*LOOPBACK[:2], "LocalHost:80", "127.0.0.1:8000", "[::1]:9"])
def test_the_names_of_this_machine_are_answered(serve: Serve, host: str) -> None:
    client = serve()
    assert client.get("/health", headers={"host": host}).status_code == 200
    same = {"host": host, "origin": f"http://{host}"}
    assert client.get("/health", headers=same).status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["null", "http://evil.example", "http://127.0.0.1:1", "file://127.0.0.1", "127.0.0.1", ""],
)
def test_other_sites_pages_are_refused(serve: Serve, origin: str) -> None:
    client = serve()
    told(client.post("/streams", json={}, headers={"origin": origin}), 403, "origin")
    told(client.get("/health", headers={"origin": origin}), 403, "origin")
    assert client.get("/health").json()["streams"] == 0


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
        "text/json", "", "application/jsonp", "text/plain; application/json",
    ],
)  # fmt: skip
def test_what_a_form_can_send_is_refused(serve: Serve, kind: str) -> None:
    client = serve()
    answer = client.post("/streams", content=b"{}", headers={"content-type": kind})
    told(answer, 415, "type")
    assert client.get("/health").json()["streams"] == 0


def test_json_may_say_its_encoding(serve: Serve) -> None:
    kind = {"content-type": "Application/JSON; charset=utf-8"}
    assert serve().post("/streams", content=b"{}", headers=kind).status_code == 201


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "PATCH", "STEAL"])
def test_other_methods_are_refused_and_nobody_is_told_they_may_read(
    serve: Serve, method: str
) -> None:
    asked = {"origin": "http://127.0.0.1", "access-control-request-method": "POST"}
    answer = serve().request(method, "/streams", headers=asked)
    told(answer, 405, "method")
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_body_is_refused_by_what_it_says_of_its_size(serve: Serve) -> None:
    client = serve(body=1000)
    claimed = {"content-type": "application/json", "content-length": "1001"}
    for size in ("1001", str(2**30)):
        answer = client.request("POST", "/streams", headers={**claimed, "content-length": size})
        assert told(answer, 413, "large") == "a request may have 1,000 bytes: send it in parts."
        assert answer.headers["connection"] == "close"
    chunks = (b" " * 100 for _ in range(11))
    kind = {"content-type": "application/json"}
    told(client.post("/streams", content=chunks, headers=kind), 413, "large")
    for wrong in ("-", "1.5", "x"):
        told(
            client.request("POST", "/streams", headers={**claimed, "content-length": wrong}),
            400,
            "length",
        )


@pytest.mark.parametrize(
    "path", ["/", "/health", "/model", "/static/style.css", "/nothing", "/streams/x"]
)
def test_every_answer_tells_a_browser_what_it_may_do(serve: Serve, path: str) -> None:
    headers = serve().get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    assert headers["cross-origin-resource-policy"] == "same-origin"
    kept = "no-cache" if path.startswith("/static/") else "no-store"
    assert kept in headers["cache-control"]


def test_a_token_must_be_shown(serve: Serve) -> None:
    client = serve(token="a secret")
    for headers in ({}, {"authorization": "Bearer a secre"}, {"authorization": "a secret"}):
        told(client.get("/model", headers=headers), 401, "token")
        told(client.post("/streams", json={}, headers=headers), 401, "token")
    right = {"authorization": "Bearer a secret"}
    assert client.get("/model", headers=right).status_code == 200
    assert client.get("/health").status_code == 200, "health is asked by those who know nothing"


def test_a_browser_shows_the_token_once_and_has_a_cookie_then(serve: Serve) -> None:
    client = serve(token="a secret")
    told(client.get("/?token=wrong", follow_redirects=False), 401, "token")
    answer = client.get("/?token=a%20secret", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "a secret" not in cookie
    assert client.get("/model").status_code == 200
    with client.socket() as socket:
        socket.send_text('{"op": "open"}')
        assert "stream" in socket.receive_text()
    client.cookies.clear()
    told(client.get("/model"), 401, "token")


def test_who_is_reached_by_other_names_is_reached_by_those_only(serve: Serve) -> None:
    settings = {"hosts": ("models.example",), "token": "t"}
    assert not Settings(hosts=("models.example",)).is_local
    client, shown = serve(**settings), {"authorization": "Bearer t"}
    ours = {**shown, "host": "Models.example", "origin": "https://models.example"}
    assert client.get("/model", headers=ours).status_code == 200
    told(client.get("/model", headers={**shown, "host": "other.example"}), 421, "host")
