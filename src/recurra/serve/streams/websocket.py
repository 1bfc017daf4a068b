"""Streams by WebSocket: many over one connection, many in a message."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import pydantic
from starlette.types import Receive, Scope, Send

from recurra.serve.bodies import Open, Push
from recurra.serve.json_route import checked
from recurra.serve.refusals import RefusedError, refusal_of
from recurra.serve.service import Service
from recurra.serve.strict_json import dump, parse

_MOST = 1000  # requests in a message
_NAMED = ("stream", "step", "tag")  # of a request, told again
_STATES = 64  # states told in the replies to one


class _Request(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    tag: Any = None


class _Push(Push, _Request):
    op: Literal["push"] = "push"
    stream: str


class _Open(Open, _Request):
    op: Literal["open"]


class _One(_Request):
    op: Literal["close", "state"]
    stream: str


_KINDS: dict[Any, type[_Request]] = {"push": _Push, "open": _Open, "close": _One, "state": _One}


class StreamSocket:
    """Serves streams over WebSockets."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer messages until the client goes; their replies go out in the messages' order."""
        await receive()
        await send({"type": "websocket.accept"})
        talk = _Conversation(self._service, send)
        sending = asyncio.create_task(talk.send_all())
        try:
            await talk.hear_all(receive)
        finally:
            sending.cancel()
            talk.end()


class _Replies:
    """The replies to one message, in its order; `whole` is called when all are there."""

    def __init__(self, count: int, is_list: bool, whole: Callable[[], None]) -> None:
        self.replies: list[Any] = [None] * count
        self.missing, self._is_list, self._whole = count, is_list, whole

    def take(self, place: int, request: dict[str, Any], result: Any) -> None:
        """Take what a request came to."""
        self.replies[place] = _told(result, request)
        self.missing -= 1
        if not self.missing:
            self._whole()

    def text(self) -> str:
        """Return all as one message."""
        return dump(self.replies if self._is_list else self.replies[0]).decode()


class _Conversation:
    """One connection: what it asked and has not been sent yet is bounded."""

    def __init__(self, service: Service, send: Send) -> None:
        self._service, self._send = service, send
        self._under_way: deque[_Replies] = deque()
        self._unsent = 0
        self._is_over = False
        self._news, self._room = asyncio.Event(), asyncio.Event()

    async def hear_all(self, receive: Receive) -> None:
        """Take messages until the client goes."""
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            self._hear(message["bytes"] if text is None else text)
            while self._unsent > self._service.settings.unsent and not self._is_over:
                self._room.clear()
                await self._room.wait()

    async def send_all(self) -> None:
        """Send replies as soon as those to a whole message are there, and those before it."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._under_way and not self._under_way[0].missing:
                    replies = self._under_way.popleft()
                    await self._send({"type": "websocket.send", "text": replies.text()})
                    self._count(-len(replies.replies))
        except OSError:  # the client has gone
            self._is_over = True
        finally:
            self._room.set()

    def end(self) -> None:
        """Forget what will not be sent."""
        self._count(-self._unsent)

    def _count(self, more: int) -> None:
        self._unsent += more
        self._service.unsent += more
        if more < 0:
            self._room.set()

    def _expect(self, count: int, is_list: bool) -> _Replies:
        replies = _Replies(count, is_list, self._news.set)
        self._under_way.append(replies)
        self._count(count)
        return replies

    def _hear(self, text: str | bytes) -> None:
        try:
            given = parse(text)
            _check_message(given)
        except RefusedError as refused:
            self._expect(1, is_list=False).take(0, {}, refused)
            return
        if not isinstance(given, list):
            self._do(given, 0, self._expect(1, is_list=False))
            return
        replies = self._expect(len(given), is_list=True)
        for place, request in enumerate(given):
            self._do(request, place, replies)

    def _do(self, given: Any, place: int, replies: _Replies) -> None:
        """Do a request, or see to it that it is done."""
        named = given if isinstance(given, dict) else {}
        done = partial(replies.take, place, named)
        try:
            request = _request(given)
            if isinstance(request, _Push):
                self._service.check_open()
                self._service.streams.push(request.stream, request, done)
                return
            result = self._at_once(request)
        except Exception as error:
            result = refusal_of(error)
        done(result)

    def _at_once(self, request: Any) -> Any:
        streams = self._service.streams
        if isinstance(request, _Open):
            self._service.check_open()
            return streams.open(request)
        if request.op == "state":
            return {"stream": request.stream, **streams.save(request.stream)}
        streams.close(request.stream)
        return {"stream": request.stream, "closed": True}


def _check_message(given: Any) -> None:
    if not isinstance(given, list):
        return
    if not 0 < len(given) <= _MOST:
        raise RefusedError(422, "body", f"a message holds 1 to {_MOST} requests.")
    states = sum(
        isinstance(one, dict) and ("show" in one or one.get("op") == "state") for one in given
    )
    if states > _STATES:
        raise RefusedError(413, "large", f"a message asks for {_STATES} states at most.")


def _request(given: Any) -> _Request:
    """Return what a client asks; raises `RefusedError` for what is no request."""
    op = given.get("op", "push") if isinstance(given, dict) else None
    kind = _KINDS.get(op) if isinstance(op, str) else None
    if kind is None:
        ops = ", ".join(_KINDS)
        raise RefusedError(422, "body", f"a request is an object with an op, one of {ops}.")
    request: _Request = checked(kind, given)
    return request


def _told(result: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Return the reply to a request."""
    if isinstance(result, RefusedError):
        named: dict[str, Any] = {n: request[n] for n in _NAMED if n in request}
        return {**result.body(), "status": result.status, **named}
    reply: dict[str, Any] = result
    return {**reply, "tag": request["tag"]} if "tag" in request else reply
