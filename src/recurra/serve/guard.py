"""Who may come in: the checks before any request, and the headers of every answer."""

import hashlib
import hmac
import time
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recurra.serve.json_route import send_refused
from recurra.serve.refusals import RefusedError, refusal_of, too_large
from recurra.serve.settings import LOOPBACK, Settings

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
_WITH_BODY = ("POST", "PUT")
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", _POLICY),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_UNKEPT = [*_HEADERS, (b"cache-control", b"no-store")]
_KEEPABLE = ("/static/", "/docs")

Seen = Callable[[Scope, int], None]


class Guard:
    """Lets requests through to an app: from this host, of this origin, with the token.

    A page elsewhere may not read or drive the server: the Host must be one of its names (a name
    that an attacker points here is none), an Origin must be that of the Host, a body must be JSON
    (which no form sends), and no answer says that others may read it.

    Args:
        app: what answers.
        settings: names and token.
        seen: told the scope and the status of every answer.
    """

    def __init__(self, app: ASGIApp, settings: Settings, seen: Seen) -> None:
        self._app, self._settings, self._seen = app, settings, seen
        local = settings.host in LOOPBACK
        names = {*LOOPBACK, *settings.hosts} if local else None
        self._names = None if names is None else {name.lower() for name in names}
        token = settings.token
        self._bearer = None if token is None else f"Bearer {token}".encode()
        self._cookie = "" if token is None else hashlib.sha256(token.encode()).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why not."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope["recurra.since"] = time.perf_counter()
        scope["recurra.limits"] = self._settings
        own = _HEADERS if scope["path"].startswith(_KEEPABLE) else _UNKEPT
        has_begun = False

        async def answer(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                self._seen(scope, message["status"])
                message["headers"] = [*message["headers"], *own]
            await send(message)

        try:
            headers = dict(scope["headers"])
            self._check(scope, headers)
            if self._comes_with_token(scope):
                await self._let_in(scope, answer)
            else:
                self._check_token(scope, headers)
                await self._app(scope, receive, answer)
        except Exception as error:
            if has_begun or (scope["type"] == "websocket" and not isinstance(error, RefusedError)):
                raise
            await _refuse(scope, answer, refusal_of(error))

    def _check(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self._names is not None and _name_of(host) not in self._names:
            raise RefusedError(
                421, "host", f"this server is not {host[:60]!r}: call it by its own name."
            )
        origin = headers.get(b"origin")
        if origin is not None:
            scheme, _, place = origin.decode("latin-1").lower().partition("://")
            if scheme not in ("http", "https") or place != host:
                raise RefusedError(403, "origin", "requests from other sites' pages are refused.")
        if scope["type"] == "http":
            self._check_form(scope, headers)

    def _check_form(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        method = scope["method"]
        if method not in _METHODS:
            raise RefusedError(405, "method", f"{method[:20]} is not answered here.")
        try:
            size = int(headers.get(b"content-length", b"0"))
        except ValueError:
            raise RefusedError(400, "length", "Content-Length is no number.") from None
        if size > self._settings.body:
            raise too_large(self._settings.body)
        if method in _WITH_BODY:
            kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
            if kind != b"application/json":
                raise RefusedError(415, "type", "send JSON, with Content-Type: application/json.")

    def _check_token(self, scope: Scope, headers: dict[bytes, bytes]) -> None:
        if self._bearer is None or scope["path"] == "/health":
            return
        if hmac.compare_digest(headers.get(b"authorization", b""), self._bearer):
            return
        name = self._cookie_name(scope)
        for part in headers.get(b"cookie", b"").decode("latin-1").split(";"):
            key, _, value = part.strip().partition("=")
            if key == name and hmac.compare_digest(value.encode(), self._cookie.encode()):
                return
        raise RefusedError(401, "token", "this server wants a token: Authorization: Bearer TOKEN.")

    def _comes_with_token(self, scope: Scope) -> bool:
        """Whether this is the page's address with the right token in it."""
        if self._bearer is None or scope["type"] != "http" or scope["path"] != "/":
            return False
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return hmac.compare_digest(f"Bearer {given}".encode(), self._bearer)

    def _cookie_name(self, scope: Scope) -> str:
        # A browser gives a host's cookies to all its ports.
        return f"recurra-{(scope.get('server') or ('', 0))[1]}"

    async def _let_in(self, scope: Scope, send: Send) -> None:
        """Turn the token in the address into a cookie: so it does not stay in the address."""
        cookie = f"{self._cookie_name(scope)}={self._cookie}; Path=/; HttpOnly; SameSite=Strict"
        headers = [
            (b"location", b"/"),
            (b"content-length", b"0"),
            (b"set-cookie", cookie.encode()),
        ]
        await send({"type": "http.response.start", "status": 303, "headers": headers})
        await send({"type": "http.response.body"})


def _name_of(host: str) -> str:
    """Return a Host header's name, without its port."""
    if host.startswith("["):
        name, closing, _ = host[1:].partition("]")
        return name if closing else host
    return host.partition(":")[0]


async def _refuse(scope: Scope, send: Send, refused: RefusedError) -> None:
    if scope["type"] == "http":
        await send_refused(send, refused)
        return

    async def answer(message: Message) -> None:
        await send({**message, "type": "websocket." + message["type"]})

    await send_refused(answer, refused)
