"""Clients that are slow, many or silent: on a server in this process, with short times."""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from processes import read_all, request
from serving import fitted, wait_until

from recurra.serve import Settings, make_app
from recurra.serve.connections import Flow, OneWrite
from recurra.serve.running import listen
from recurra.serve.server import Server, configured


class Reach:
    """Connects to a server that runs in a thread."""

    def __init__(self, server: Server, place: tuple[str, int]) -> None:
        self.server, self._place = server, place

    def __call__(self) -> socket.socket:
        return socket.create_connection(self._place, 20)


CLOSE = b"connection: close\r\n"


@contextmanager
def served(**settings: object) -> Iterator[Reach]:
    """Run a server in a thread; yield a function that connects to it."""
    own = Settings(**settings)  # type: ignore[arg-type]
    listening = listen("127.0.0.1", 0)
    place = listening.getsockname()
    app = make_app(fitted("tagger"), own)
    server = Server(configured(app, own), app, "")
    running = threading.Thread(target=server.run, args=([listening],))
    running.start()
    try:
        yield Reach(server, place)
    finally:
        server.handle_exit(2, None)
        running.join()


def health(reach: Reach) -> bytes:
    with reach() as wire:
        wire.sendall(request("GET", "/health", CLOSE))
        return read_all(wire)


def code_of(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head, answer
    return int(head.split()[1]), json.loads(body)["error"]["code"]


def test_a_request_that_does_not_come_is_given_up() -> None:
    begun = request("GET", "/health")[:-4]
    body = request("POST", "/streams", b"content-length: 9\r\ncontent-type: application/json\r\n")
    with served(slow=0.5) as reach, ExitStack() as stack:
        wires = [stack.enter_context(reach()) for _ in range(4)]
        wires[1].sendall(begun)
        wires[2].sendall(body + b"{")
        wires[3].sendall(request("GET", "/health") + b"G")
        assert code_of(read_all(wires[0])) == (408, "slow")
        assert code_of(read_all(wires[1])) == (408, "slow")
        assert code_of(read_all(wires[2])) == (408, "slow")
        answers = read_all(wires[3])
        assert answers.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b'"code":"slow"' in answers


def test_a_body_that_is_not_wanted_is_not_waited_for() -> None:
    form = b"content-length: 9\r\ncontent-type: text/plain\r\n"
    with served(slow=0.5) as reach, reach() as wire:
        wire.sendall(request("POST", "/streams", form) + b"{")
        answer = read_all(wire)
        assert answer.count(b"HTTP/1.1") == 1
        assert code_of(answer) == (415, "type")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /health HTTP/1.1\r\nx: " + b"a" * 20_000, 431),
        (b"GET /" + b"a" * 20_000, 431),
        (b"GET /health HTTP/1.1\r\n" + b"x: y\r\n" * 4000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"STEAL /health HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/9.9\r\nhost: 127.0.0.1\r\n\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 400),
        (request("POST", "/streams", b"content-length: 2\r\ncontent-length: 3\r\n"), 400),
        (request("POST", "/streams", b"content-length: 2\r\ntransfer-encoding: chunked\r\n"), 400),
        (request("POST", "/streams", b"content-length: -1\r\n"), 400),
        (request("POST", "/streams", b"transfer-encoding: chunked\r\n") + b"zz\r\n", 400),
    ],
)
def test_what_is_no_http_is_refused_in_json(reach: Reach, sent: bytes, status: int) -> None:
    with reach() as wire:
        wire.sendall(sent)
        answer = read_all(wire)
    assert code_of(answer)[0] == status
    assert b"Traceback" not in answer
    assert health(reach).startswith(b"HTTP/1.1 200 OK")


@pytest.fixture(scope="module")
def reach() -> Iterator[Reach]:
    with served() as found:
        yield found


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/../../etc/passwd",
        "/static/%2e%2e/app.py",
        "//etc/passwd",
        "/static/..;/x",
    ],
)
def test_paths_that_climb_lead_nowhere(reach: Reach, path: str) -> None:
    with reach() as wire:
        wire.sendall(request("GET", path, CLOSE))
        assert code_of(read_all(wire))[0] == 404


def test_requests_one_behind_the_other_are_answered_in_order(reach: Reach) -> None:
    with reach() as wire:
        asked = [request("GET", f"/streams/{k}") for k in range(50)]
        wire.sendall(b"".join(asked) + request("GET", "/health", CLOSE))
        answers = read_all(wire).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"404"] * 50 + [b"200"]


def test_a_client_that_asks_much_at_once_is_hung_up_on(reach: Reach) -> None:
    with reach() as wire:
        wire.sendall(request("GET", "/health") * 1000)
        assert read_all(wire).count(b"HTTP/1.1") < 1000
    assert health(reach).startswith(b"HTTP/1.1 200 OK")


def test_a_body_in_one_byte_chunks_is_read_or_too_large(reach: Reach) -> None:
    kind = b"content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n"
    with reach() as wire:
        wire.sendall(request("POST", "/streams", kind) + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n")
        assert read_all(wire).startswith(b"HTTP/1.1 201")
    with served(body=100) as small, small() as wire:
        wire.sendall(request("POST", "/streams", kind) + b"1\r\n \r\n" * 101)
        assert code_of(read_all(wire)) == (413, "large")


def test_a_new_client_takes_the_place_of_one_that_asks_nothing() -> None:
    with served(connections=4) as reach, ExitStack() as wires:
        silent = [wires.enter_context(reach()) for _ in range(20)]
        assert read_all(silent[15]) == b""  # cut off when the last has come in
        assert len(reach.server.server_state.connections) == 4
        for _ in range(3):
            assert health(reach).startswith(b"HTTP/1.1 200 OK")
        assert [read_all(wire) for wire in silent[:15]] == [b""] * 15
        assert len(reach.server.server_state.connections) <= 4


def upgrade(wire: socket.socket, more: bytes = b"") -> bytes:
    wire.sendall(
        request(
            "GET",
            "/streams/ws",
            b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
            b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + more,
        )
    )
    return wire.recv(4096)


def frame(kind: int, text: bytes) -> bytes:
    size = len(text)
    head = (
        bytes([kind, 0x80 | size]) if size < 126 else bytes([kind, 0x80 | 127]) + size.to_bytes(8)
    )
    return head + b"\0\0\0\0" + text


def test_websockets_leave_connections_for_others() -> None:
    with served(connections=8) as reach, ExitStack() as wires:
        answers = [upgrade(wires.enter_context(reach())) for _ in range(8)]
        assert [answer.split()[1] for answer in answers] == [b"101"] * 7 + [b"503"]
        assert health(reach).startswith(b"HTTP/1.1 200 OK")


def test_a_websocket_that_is_refused_is_no_fault_of_the_servers(
    reach: Reach, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("uvicorn.error")
    log.addHandler(caplog.handler)
    with reach() as wire:
        answer = upgrade(wire, b"origin: http://evil.example\r\n") + read_all(wire)
    assert code_of(answer) == (403, "origin")
    assert health(reach).startswith(b"HTTP/1.1 200 OK")
    log.removeHandler(caplog.handler)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (frame(0x81, b"x" * 2**20 + b"x"), 1009),
        (bytes([0x81, 0xFF]) + (2**62).to_bytes(8), 1009),
        (frame(0x01, b"") + frame(0x00, b"") * 1001, 1009),
        (frame(0x81, b"\xff"), 1007),
        (bytes([0x81, 0x05]) + b"hello", 1002),
        (frame(0x83, b""), 1002),
    ],
)
def test_frames_that_are_too_much_or_none_end_the_connection(
    reach: Reach, frames: bytes, code: int
) -> None:
    with reach() as wire:
        assert b" 101 " in upgrade(wire)
        wire.sendall(frames)
        answer = read_all(wire)
    assert answer[:1] == b"\x88"
    assert int.from_bytes(answer[2:4]) == code
    assert health(reach).startswith(b"HTTP/1.1 200 OK")


def fill(wire: socket.socket, sent: bytes) -> None:
    """Send until the other side takes no more."""
    wire.settimeout(0.5)
    for _ in range(2000):
        wire.sendall(sent)


@pytest.mark.parametrize("kind", ["HTTP", "WebSocket"])
def test_a_client_that_does_not_read_is_cut_off(kind: str) -> None:
    with served(slow=0.5) as reach, reach() as wire:
        sent = request("GET", "/openapi.json") * 90
        if kind == "WebSocket":
            assert b" 101 " in upgrade(wire)
            sent = frame(0x81, b"[" + b"1," * 499 + b"1]") * 20
        with pytest.raises((TimeoutError, ConnectionError)):
            fill(wire, sent)
        assert health(reach).startswith(b"HTTP/1.1 200 OK")
        wait_until(lambda: not reach.server.server_state.connections, "it was cut off")


class Reading:
    """A transport that notes whether it is read."""

    is_read = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


def test_nothing_is_read_while_requests_wait_for_their_turn() -> None:
    async def look() -> None:
        transport, behind = Reading(), ["a request"]
        flow = Flow(transport, behind)
        flow.pause_reading()
        flow.resume_reading()
        assert not transport.is_read
        behind.clear()
        flow.resume_reading()
        assert transport.is_read

    asyncio.run(look())


def test_writes_of_one_turn_leave_as_one() -> None:
    written: list[bytes] = []

    class Written(Reading):
        def write(self, data: bytes) -> None:
            written.append(data)

        def is_closing(self) -> bool:
            return False

        def close(self) -> None:
            written.append(b"closed")

    async def look() -> None:
        wire = OneWrite(Written(), asyncio.get_running_loop())
        wire.write(b"a")
        wire.write(b"b")
        assert written == []
        await asyncio.sleep(0)
        assert written == [b"ab"]
        wire.write(b"c")
        wire.close()
        assert written == [b"ab", b"c", b"closed"]

    asyncio.run(look())
