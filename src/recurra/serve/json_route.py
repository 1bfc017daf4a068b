"""Routes that take and give JSON, described by FastAPI and run without its detours."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import pydantic
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from recurra.serve.bodies import Failure
from recurra.serve.refusals import RefusedError, too_large
from recurra.serve.strict_json import dump, parse

_FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": Failure, "description": "Something is wrong with the request."},
    "5XX": {"model": Failure, "description": "Busy, draining, or a fault of the server's."},
}


class JsonRoute(APIRoute):
    """A route whose endpoint is called with path parameters and, as `body`, a checked model.

    FastAPI's own handling of a request costs as much as a small model's step, and its reading of
    JSON takes what `strict_json` refuses; its description of the route is kept.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **{**options, "responses": _FAILURES})
        self._body = get_type_hints(endpoint).get("body")
        self._is_async = inspect.iscoroutinefunction(endpoint)
        self.app = self._answer

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = scope["path_params"]
        if self._body is not None:
            text = await read_body(receive, scope["recurra.limits"])
            given = {**given, "body": checked(self._body, parse(text))}
        answer = self.endpoint(**given)
        if self._is_async:
            answer = await answer
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        status = self.status_code or 200
        await send_json(send, status, None if status == 204 else dump(answer))


async def read_body(receive: Receive, limits: Any) -> bytes:
    """Return a request's body; raises `RefusedError` where it is too large or slow."""
    message = await receive()
    if not message.get("more_body"):
        return _at_most(message.get("body", b""), limits.body)
    try:
        async with asyncio.timeout(limits.slow):
            return await _rest(message.get("body", b""), receive, limits.body)
    except TimeoutError:
        said = f"the body did not come within {limits.slow:g} seconds."
        raise RefusedError(408, "slow", said) from None


async def _rest(body: bytes, receive: Receive, most: int) -> bytes:
    parts, size, more = [body], len(body), True
    while more and size <= most:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
    return _at_most(b"".join(parts), most)


def _at_most(body: bytes, most: int) -> bytes:
    if len(body) > most:
        raise too_large(most)
    return body


def checked(model: type[pydantic.BaseModel], value: Any) -> Any:
    """Return a value as a model; raises `RefusedError` that says the first thing that is wrong."""
    try:
        return model.model_validate(value)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:80]
        raise RefusedError(422, "body", f"{where + ': ' if where else ''}{first['msg']}.") from None


async def send_refused(send: Send, refused: RefusedError) -> None:
    """Answer that a request is not done."""
    headers = [(b"retry-after", b"1")] if refused.status in (429, 503) else []
    if refused.status in (408, 413):  # what is still to come is not waited for
        headers.append((b"connection", b"close"))
    await send_json(send, refused.status, dump(refused.body()), headers)


async def send_json(
    send: Send, status: int, body: bytes | None, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """Answer with JSON, or with nothing."""
    own = [] if body is None else [(b"content-type", b"application/json")]
    size = [] if body is None else [(b"content-length", b"%d" % len(body))]
    await send(
        {"type": "http.response.start", "status": status, "headers": own + size + (headers or [])}
    )
    await send({"type": "http.response.body", "body": body or b""})
