"""Hostile requests to a server: what is answered, and does it answer others meanwhile?

    python benchmarks/serve/hostile.py [--requests 300]

Sends some hundred requests, sixteen at once: bodies that are no JSON, nested, huge or slow, lengths
that lie, names and origins of other sites, paths that climb, frames that are none, ids that were
guessed. /health is asked all the while. Each must be refused or cut off; afterwards a stream, the
model's folder and the number of streams must be as before. Prints the figures, and ends with 1
where one of them is not as it must be.
"""

import argparse
import hashlib
import http.client
import json
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from attacks import ATTACKS, Attack
from load import ours, running
from model import fitted

AT_ONCE = 16
PATIENCE = 20  # seconds that an answer may take; the server gives up a slow request after ten
MEMORY = 64  # MB that the server may grow by
HEALTH = 1.0  # seconds
DONE = (200, 201, 204)


class Asked:
    """Asks /health without end, and keeps how long each answer took."""

    def __init__(self, port: int) -> None:
        self.seconds: list[float] = []
        self.failed = 0
        self._port, self._over = port, threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.05):
            since = time.perf_counter()
            try:
                status, _ = call(self._port, "GET", "/health")
                self.failed += status != 200
            except OSError:
                self.failed += 1
            self.seconds.append(time.perf_counter() - since)


def call(port: int, method: str, path: str, body: dict | None = None) -> tuple[int, dict]:
    """Ask as an honest client does; return the status and what was answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")
    finally:
        connection.close()


def attack(port: int, one: Attack) -> str:
    """Send an attack; return the status of what came back, or how the connection ended."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as wire:
        try:
            for part in one.parts:
                wire.sendall(part)
                time.sleep(one.pause)
        except OSError:
            pass  # hung up on before all was sent: what it said may still be there
        if one.is_deaf:
            time.sleep(1)
            return "cut off"
        said, has_ended = read(wire)
    statuses = [int(part[:3]) for part in said.split(b"HTTP/1.1 ")[1:] if part[:3].isdigit()]
    if statuses and statuses[0] == 101:  # a WebSocket: how it went on
        return "closed" if b"\x88" in said.partition(b"\r\n\r\n")[2] else "cut off"
    if statuses:
        return str(statuses[0])
    return "cut off" if has_ended else "no answer"


def read(wire: socket.socket) -> tuple[bytes, bool]:
    """Return what comes until the server closes, and whether it does."""
    parts = []
    try:
        while part := wire.recv(2**16):
            parts.append(part)
    except TimeoutError:
        return b"".join(parts), False
    except OSError:
        pass
    return b"".join(parts), True


def memory(pid: int) -> float:
    """Return a process' resident memory in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def digest(folder: Path) -> str:
    """Return a digest of all files in a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(f).encode() + f.read_bytes() for f in files)).hexdigest()


def seen(port: int, stream: str) -> tuple:
    """Return what must be the same before and after."""
    _, state = call(port, "GET", f"/streams/{stream}/state")
    _, health = call(port, "GET", "/health")
    return state["state"], health["streams"], health["status"]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        fitted(folder, 16)
        with running(ours(folder)) as (server, port):
            sys.exit(not withstood(server.pid, port, folder, options))


def withstood(pid: int, port: int, folder: Path, options: argparse.Namespace) -> bool:
    """Attack, print what came of it, and return whether all is as it must be."""
    _, opened = call(port, "POST", "/streams", {})
    stream = opened["stream"]
    call(port, "POST", f"/streams/{stream}/steps", {"step": 1, "piece": "hello"})
    before, files, room = seen(port, stream), digest(folder), memory(pid)
    draw = random.Random(options.seed)
    kinds = list(ATTACKS)
    chosen = [kinds[k % len(kinds)] for k in range(options.requests)]
    draw.shuffle(chosen)
    made = [(kind, ATTACKS[kind](draw, stream)) for kind in chosen]
    health, began = Asked(port), time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        came = list(pool.map(lambda pair: (pair[0], attack(port, pair[1])), made))
    seconds, grown = time.perf_counter() - began, memory(pid) - room
    health.end()
    after, rest = seen(port, stream), call(port, "GET", "/metrics_")[0]
    bad = [f"{kind}: {what}" for kind, what in came if what == "no answer" or wrong(what)]
    print(f"{len(came)} hostile requests of {len(kinds)} kinds in {seconds:.0f} s\n")
    print("| answered | times |\n|---|---:|")
    for what, count in sorted(Counter(what for _, what in came).items()):
        print(f"| {what} | {count} |")
    slowest = max(health.seconds)
    print(
        f"\n/health asked {len(health.seconds)} times meanwhile: the slowest {slowest * 1e3:.0f} "
        f"ms, failed {health.failed}"
    )
    print(f"memory grew by {grown:.1f} MB, to {memory(pid):.0f} MB")
    print(f"a stream, the number of streams as before: {after == before}")
    print(f"the model's files as before: {digest(folder) == files}")
    for line in bad:
        print(f"not as it must be: {line}")
    return (
        not bad and after == before and digest(folder) == files and rest == 404
        and slowest < HEALTH and not health.failed and grown < MEMORY
    )  # fmt: skip


def wrong(what: str) -> bool:
    """Return whether an attack was done, or was a fault of the server's."""
    return what.isdigit() and (int(what) in DONE or int(what) == 500)


if __name__ == "__main__":
    main()
