"""HTTP and WebSockets at their barest, so that the load costs less than what is measured."""

import asyncio
import struct
from collections import deque

PING, PONG = 9, 10


class Wire(asyncio.Protocol):
    """A connection whose answers are awaited in the order of what was sent."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: deque[asyncio.Future[bytes]] = deque()

    def connection_made(self, transport) -> None:
        self.transport = transport

    def connection_lost(self, error) -> None:
        while self._waiting:
            self._waiting.popleft().set_exception(ConnectionError("the server hung up"))

    def ask(self, data: bytes) -> "asyncio.Future[bytes]":
        """Send, and return what will be the answer."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self.transport.write(data)
        return answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._waiting and (body := self.take(self._buffer)) is not None:
            self._waiting.popleft().set_result(body)

    def take(self, buffer: bytearray) -> bytes | None:
        """Return an answer's body and cut it off the buffer, or None if it is not whole."""
        raise NotImplementedError


class Http(Wire):
    """HTTP/1.1 with answers of known length.

    may_refuse: whether an answer that is not 2xx is one, too, and no failure of the measurement.
    """

    may_refuse = False

    def take(self, buffer: bytearray) -> bytes | None:
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        at = buffer.find(b"content-length: ", 0, end)
        size = int(buffer[at + 16 : buffer.find(b"\r\n", at)]) if at >= 0 else 0
        if len(buffer) < end + 4 + size:
            return None
        if buffer[9:10] != b"2" and not self.may_refuse:
            raise RuntimeError(bytes(buffer[: end + 4 + size]).decode())
        body = bytes(buffer[end + 4 : end + 4 + size])
        del buffer[: end + 4 + size]
        return body

    def post(self, path: str, body: bytes) -> "asyncio.Future[bytes]":
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        return self.ask(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


class Socket(Wire):
    """A WebSocket of text messages."""

    upgraded = False

    def take(self, buffer: bytearray) -> bytes | None:
        if not self.upgraded:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return None
            self.upgraded = True
            head = bytes(buffer[: end + 4])
            del buffer[: end + 4]
            if b" 101 " not in head.split(b"\r\n")[0]:
                raise RuntimeError(head.decode())
            return head
        if len(buffer) < 2:
            return None
        size, start = buffer[1], 2
        if size == 126:
            if len(buffer) < 4:
                return None
            (size,), start = struct.unpack_from(">H", buffer, 2), 4
        elif size == 127:
            if len(buffer) < 10:
                return None
            (size,), start = struct.unpack_from(">Q", buffer, 2), 10
        if len(buffer) < start + size:
            return None
        kind, body = buffer[0] & 15, bytes(buffer[start : start + size])
        del buffer[: start + size]
        if kind == PING:
            self.transport.write(struct.pack(">BB", 0x80 | PONG, 0x80 | size) + b"\0\0\0\0" + body)
            return self.take(buffer)
        return body

    def upgrade(self, path: str) -> "asyncio.Future[bytes]":
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        head += "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        return self.ask(f"{head}Sec-WebSocket-Version: 13\r\n\r\n".encode())

    def say(self, text: bytes) -> "asyncio.Future[bytes]":
        # The mask is all zeros, so that there is nothing to compute.
        size = len(text)
        if size < 126:
            head = struct.pack(">BB", 0x81, 0x80 | size)
        elif size < 2**16:
            head = struct.pack(">BBH", 0x81, 0x80 | 126, size)
        else:
            head = struct.pack(">BBQ", 0x81, 0x80 | 127, size)
        return self.ask(head + b"\0\0\0\0" + text)
