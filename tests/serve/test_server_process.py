"""`recurra serve` as a process: where it is, how it ends, what it is not started with."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from processes import Process, read_all, request, serving
from serving import fitted, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = fitted("tagger").save(tmp_path_factory.mktemp("models") / "tags")
    return path


def open_stream(server: Process) -> str:
    answer = server.ask(request("POST", "/streams", b"connection: close\r\n", b"{}"))
    name: str = json.loads(answer.split(b"\r\n\r\n")[1])["stream"]
    return name


def test_what_is_under_way_is_answered_before_it_ends(folder: Path) -> None:
    with serving(folder) as server:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", server.url)
        answer = server.get("/health")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b'{"status":"ok","model":"tags","streams":0}')
        end_while_it_works(server)


def has_pushes(metrics: bytes) -> bool:
    """Return whether pushes wait, or are answered already."""
    return (
        b"recurra_pushes_waiting 0.0" not in metrics or b"recurra_pushes_total 0.0" not in metrics
    )


def end_while_it_works(server: Process) -> None:
    names = [open_stream(server) for _ in range(20)]
    piece = json.dumps({"step": 1, "piece": ["g"] * 9000}).encode()
    wires = [server.connect() for _ in names]
    for name, wire in zip(names, wires, strict=True):
        wire.sendall(request("POST", f"/streams/{name}/steps", body=piece))
    wait_until(lambda: has_pushes(server.get("/metrics")), "pushes came in")
    server.running.send_signal(signal.SIGTERM)
    read = 0
    for wire in wires:
        head, body = read_all(wire).split(b"\r\n\r\n", 1)
        if head.startswith(b"HTTP/1.1 200 OK\r\n"):
            read += json.loads(body)["read"]
        else:
            assert json.loads(body)["error"]["code"] == "draining"
        wire.close()
    assert read
    assert read % 9000 == 0
    assert server.ended() == (0, "")


def test_a_websocket_is_told_that_the_server_ends(folder: Path) -> None:
    with serving(folder, "--log") as server:
        server.get("/health")
        end_while_a_websocket_is_open(server)


def end_while_a_websocket_is_open(server: Process) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/streams/ws", proxy=None) as socket_:
        socket_.send('{"op": "open"}')
        assert "stream" in json.loads(socket_.recv())
        server.running.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            socket_.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    status, said = server.ended()
    assert status == 0
    assert "GET /health HTTP/1.1" in said, "with --log each request is a line"


def refused(folder: Path, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "recurra", "serve", str(folder), *options],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_what_it_cannot_be_started_with_is_one_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port}: Address already in use; give another --port (0 for" in refused(
            folder, "--port", str(port)
        )
    assert "give --token SECRET" in refused(folder, "--host", "0.0.0.0")
    assert "give --token SECRET" in refused(folder, "--name", "models.example")
    assert "192.0.2.1:0: " in refused(folder, "--host", "192.0.2.1", "--token", "x", "--port", "0")
    assert "nowhere" in refused(folder.with_name("nowhere"), "--port", "0")


def test_its_address_holds_the_token_that_is_needed_and_ctrl_c_ends_it(folder: Path) -> None:
    with serving(folder, "--token", "a&b c") as server:
        assert server.url == f"http://127.0.0.1:{server.port}/?token=a%26b%20c"
        assert server.get("/model").startswith(b"HTTP/1.1 401 ")
        answer = server.get("/?token=a%26b%20c")
        assert b"\r\nlocation: /\r\n" in answer
        assert b"a&b c" not in answer
        assert server.end(signal.SIGINT) == (0, "")
