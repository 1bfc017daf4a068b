"""Connections of clients that are slow, many, or do not read: uvicorn's, with bounds."""

import asyncio
from collections.abc import Sized
from http import HTTPStatus
from itertools import count
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from recurra.serve.refusals import RefusedError, busy
from recurra.serve.settings import Settings
from recurra.serve.strict_json import dump

_HEAD = 2**14  # bytes of a request's line and headers
_BEHIND = 100  # requests that may wait for the one before them to be answered
_TURNS = count()
_RATE = 2**16  # bytes a second that a client must read
_PIECES = 1000  # that a message of a WebSocket may be cut into


class OneWrite:
    """A transport whose writes of one turn of the loop leave as one, none once it is closing.

    A head and its body, or the replies to many messages, would cost a system call each.
    """

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write what is given, and all that follows in this turn."""
        if not self._parts:
            self._loop.call_soon(self._flush)
        self._parts.append(data)

    def close(self) -> None:
        """Close behind what was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        parts, self._parts = self._parts, []
        if parts and not self._transport.is_closing():
            self._transport.write(b"".join(parts))


class Flow(FlowControl):
    """uvicorn's, but that nothing is read while requests that were read wait for their turn."""

    def __init__(self, transport: Any, behind: Sized) -> None:
        super().__init__(transport)
        self._behind = behind

    def resume_reading(self) -> None:
        """Read on, if all that was read is answered or being answered."""
        if not self._behind:
            super().resume_reading()


class MustRead(asyncio.Protocol):
    """A connection, beside uvicorn's own class for it, that knows of a client that does not read.

    A client may be slower than the answers it asked for, but must read at some rate.

    Args:
        settings: limits.
        options: uvicorn's own.
    """

    loop: asyncio.AbstractEventLoop
    transport: Any

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        self._settings = settings
        self._stuck: float | None = None  # when a client that reads would have read

    def pause_writing(self) -> None:
        """Take note that the client has much to read."""
        self._stuck = self.loop.time() + self.transport.get_write_buffer_size() / _RATE
        super().pause_writing()

    def resume_writing(self) -> None:
        """Take note that it has read."""
        self._stuck = None
        super().resume_writing()

    def is_stuck(self, now: float) -> bool:
        """Return whether the client should have read it all by now."""
        return self._stuck is not None and self._stuck < now - self._settings.slow


class HttpConnection(MustRead, HttpToolsProtocol):
    """A connection whose requests must come whole, in time, and whose answers must be read.

    Args:
        settings: limits.
        options: uvicorn's own.
    """

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(settings, **options)
        self._head: int | None = 0  # bytes of a request's head, None when it is whole
        self._begun: float | None = None  # when what is not a whole request yet began
        self._ended_here = False  # whether a request ended in what was read last
        self._turn = 0  # grows each time that one is answered

    @property
    def is_waiting(self) -> bool:
        """Whether nothing is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        """Take a connection, in place of another if there are too many, or refuse it."""
        writes: Any = OneWrite(transport, self.loop)
        super().connection_made(writes)
        self.flow = Flow(writes, self.pipeline)
        self._begun, self._turn = self.loop.time(), next(_TURNS)
        if len(self.connections) > self._settings.connections:
            self._make_room()

    def _make_room(self) -> None:
        """Cut off the connection that was last answered the longest ago, if one is at rest."""
        resting = [one for one in self.connections if isinstance(one, HttpConnection)]
        resting = [one for one in resting if one is not self and one.is_waiting]
        if resting:
            min(resting, key=lambda one: one._turn).transport.abort()
        else:
            self._refuse(busy("too many clients: come back in a moment."))

    def data_received(self, data: bytes) -> None:
        """Read on; of a request's head no more than it may have."""
        if self._head is not None and self._begun is None:
            self._begun = self.loop.time()
        self._ended_here = False
        super().data_received(data)
        if self._head is None or self._ended_here:  # what is behind a whole one is not much
            return
        self._head += len(data)
        if self._head > _HEAD and not self.transport.is_closing():
            self._refuse(RefusedError(431, "large", f"headers may have {_HEAD:,} bytes together."))

    def on_message_begin(self) -> None:
        """Take note of a request, perhaps right behind another one."""
        self._begun = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin to answer; where too many requests wait for that, hang up."""
        self._head = None
        super().on_headers_complete()
        if len(self.pipeline) > _BEHIND:
            self.transport.abort()
            raise RefusedError(429, "large", f"{_BEHIND} requests at most may come at once.")

    def on_message_complete(self) -> None:
        """Take note that the request is whole."""
        self._head, self._begun, self._ended_here = 0, None, True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Take note that it was answered."""
        self._turn = next(_TURNS)
        super().on_response_complete()

    def handle_websocket_upgrade(self) -> None:
        """Become a WebSocket; some connections stay free for HTTP."""
        sockets = sum(isinstance(one, WebSocketConnection) for one in self.connections)
        if sockets >= self._settings.connections * 7 // 8:
            self._refuse(busy(f"{sockets} WebSockets are open: use one for many streams."))
        else:
            super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._refuse(RefusedError(400, "http", "this is no HTTP request."))

    def _refuse(self, refused: RefusedError) -> None:
        """Answer outside any request, and close."""
        body = dump(refused.body())
        phrase = HTTPStatus(refused.status).phrase.encode()
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\nx-content-type-options: nosniff"
            b"\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (refused.status, phrase, len(body), body)
        )
        self.transport.close()

    def sweep(self, now: float) -> None:
        """Cut off a client that has been too slow; while it is answered, the app looks to that."""
        slow = now - self._settings.slow
        if self.is_stuck(now):
            self.transport.abort()
        elif self.is_waiting and self._begun is not None and self._begun < slow:
            if self._head is None:  # it was answered before it was whole
                self.transport.close()
            else:
                self._refuse(RefusedError(408, "slow", "the request did not come in time."))


class WebSocketConnection(MustRead, WebSocketsSansIOProtocol):
    """A connection that must read what it is sent."""

    async def send(self, message: Any) -> None:
        """Send what the app says; a refusal ends the handshake, which uvicorn takes for a fault."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    def handle_cont(self, event: Any) -> None:
        """Take the next piece of a message, of which there may not be any number."""
        if len(self.frames) < _PIECES:
            super().handle_cont(event)
        elif not self.close_sent:
            self.conn.fail(1009, f"a message may come in {_PIECES} pieces")
            self.handle_parser_exception()

    def handle_ping(self) -> None:
        """Answer a ping; not of a client that does not read."""
        if self._stuck is None:
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def sweep(self, now: float) -> None:
        """Cut off a client that does not read."""
        if self.is_stuck(now):
            self.transport.abort()
