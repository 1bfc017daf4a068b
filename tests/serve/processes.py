"""A server in a process of its own, and bytes sent to it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit


class Process:
    """`recurra serve`, which has said where it is."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "recurra", "serve", str(folder), "--port", "0", *options]
        self.running = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert self.running.stdout is not None
        self.url = self.running.stdout.readline().strip()
        assert self.url.startswith("http://"), self.running.communicate()[1]
        port = urlsplit(self.url).port
        assert port
        self.port = port

    def ask(self, *parts: bytes, timeout: float = 20) -> bytes:
        """Send bytes over a new connection, and return all that comes until the server closes."""
        with self.connect(timeout) as wire:
            for part in parts:
                wire.sendall(part)
            return read_all(wire)

    def connect(self, timeout: float = 20) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def get(self, path: str) -> bytes:
        """Return the whole answer to a request."""
        return self.ask(request("GET", path, b"connection: close\r\n"))

    def end(self, sig: int = signal.SIGTERM) -> tuple[int, str]:
        """Tell it to end; return its status and what it wrote to standard error."""
        self.running.send_signal(sig)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Wait until it has ended; return its status and what it wrote to standard error."""
        _, said = self.running.communicate(timeout=30)
        return self.running.returncode, said


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Process]:
    """Run a server, which ends with the block whatever happens."""
    process = Process(folder, *options)
    try:
        yield process
    finally:
        process.running.kill()
        process.running.communicate()


def request(method: str, path: str, headers: bytes = b"", body: bytes = b"") -> bytes:
    """Return a request as it is sent."""
    if body:
        headers += b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body)
    start = f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n".encode()
    return start + headers + b"\r\n" + body


def read_all(wire: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    parts = []
    try:
        while part := wire.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)
