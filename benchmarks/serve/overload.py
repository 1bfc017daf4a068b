"""A server that is asked more than it can do, for half an hour: does it hold its bounds?

    python benchmarks/serve/overload.py [--minutes 30]

Clients push long pieces to streams by WebSocket, and ask for predictions by HTTP, each again as
soon as it has an answer, be it that the server is busy. /health is asked all the while. The queues
must stay within their bounds, memory must not grow, who cannot be served must be told so (503), and
nothing that was taken may be lost: each stream must be where its answers say. Then SIGTERM: the
server must end within its time to drain, with 0. Prints the figures, and ends with 1 where one of
them is not as it must be.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import uvloop
from hostile import Asked, memory
from load import ours, running
from model import ALPHABET
from wire import Http, Socket

from recurra import SequenceRegressor
from recurra.serve import Settings

SOCKETS, STREAMS, PIECE = 16, 400, 400  # streams of each socket, pushed to in one message
HTTP, INPUTS = 96, 40  # connections, inputs of a request
HEALTH, DRAIN = 1.0, Settings().drain + 3  # seconds


class Told(Http):
    """HTTP whose answers may be refusals."""

    may_refuse = True


class Load:
    """Clients that ask without end."""

    def __init__(self, port: int) -> None:
        self.port, self.counts, self.lost = port, Counter(), 0
        draw = random.Random(0)
        self.pieces = ["".join(draw.choices(ALPHABET, k=PIECE)) for _ in range(100)]

    async def run(self, seconds: float) -> None:
        """Ask for some seconds; then see that each stream is where it was told to be."""
        self.until = time.monotonic() + seconds
        pushing = [asyncio.create_task(self.push()) for _ in range(SOCKETS)]
        asking = [asyncio.create_task(self.ask()) for _ in range(HTTP)]
        await asyncio.gather(*pushing, *asking)

    async def until_it_ends(self) -> None:
        """Ask until the server hangs up."""
        self.until = time.monotonic() + 60
        clients = (self.push() for _ in range(SOCKETS)), (self.ask() for _ in range(HTTP))
        await asyncio.gather(*clients[0], *clients[1], return_exceptions=True)

    async def connect(self, kind):
        _, wire = await asyncio.get_running_loop().create_connection(kind, "127.0.0.1", self.port)
        return wire

    async def push(self) -> None:
        wire = await self.connect(Socket)
        await wire.upgrade("/streams/ws")
        opened = json.loads(await wire.say(json.dumps([{"op": "open"}] * STREAMS).encode()))
        steps = {one["stream"]: 0 for one in opened}
        turn = 0
        while time.monotonic() < self.until:
            turn += 1
            piece = self.pieces[turn % len(self.pieces)]
            each = [
                f'{{"stream":"{name}","step":{step + 1},"piece":"{piece}"}}'
                for name, step in steps.items()
            ]
            for one in json.loads(await wire.say(f"[{','.join(each)}]".encode())):
                self.count("push", one)
                if "error" not in one:
                    steps[one["stream"]] = one["step"]
                    self.lost += one["read"] != one["step"] * PIECE
        await self.close(steps)

    async def close(self, steps: dict[str, int]) -> None:
        """Compare where streams are with what was answered."""
        wire = await self.connect(Told)
        for name, step in steps.items():
            ask = f"GET /streams/{name} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            told = json.loads(await wire.ask(ask.encode()))
            self.lost += (told.get("step"), told.get("read")) != (step, step * PIECE)

    async def ask(self) -> None:
        wire = await self.connect(Told)
        body = json.dumps({"inputs": self.pieces[:INPUTS]}).encode()
        while time.monotonic() < self.until:
            self.count("predict", json.loads(await wire.post("/predict", body)))

    def count(self, what: str, answer: dict) -> None:
        self.counts[what, answer["error"]["code"] if "error" in answer else "done"] += 1


def make_regressor(folder: Path) -> None:
    """Save a model whose answers are small, however long the pieces."""
    draw = random.Random(0)
    texts = ["".join(draw.choices(ALPHABET, k=20)) for _ in range(100)]
    model = SequenceRegressor(tokens="char", bidirectional=False, epochs=1, random_state=0)
    model.fit(texts, [text.count("a") for text in texts]).save(folder)


def load(port: int, seconds: float, told: Connection) -> None:
    """Ask, tell what came of it, and go on until the server ends: a process of its own."""
    first, last = Load(port), Load(port)
    uvloop.run(first.run(seconds))
    told.send((first.counts, first.lost))
    uvloop.run(last.until_it_ends())


def figures(port: int) -> dict[str, float]:
    """Return the figures of /metrics."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return {line.split()[0]: float(line.split()[1]) for line in lines if line[0] != "#"}


def watched(
    server: subprocess.Popen, port: int, clients: BaseProcess, asked: Connection, seconds: float
) -> list:
    """Return (seconds, MB, pushes waiting, calls waiting), taken every few seconds."""
    samples, began = [], time.monotonic()
    while clients.is_alive() and not asked.poll(min(10.0, seconds / 30)):
        now = figures(port)
        waiting = now["recurra_pushes_waiting"], now["recurra_calls_waiting"]
        samples.append((time.monotonic() - began, memory(server.pid), *waiting))
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        make_regressor(folder)
        with running(ours(folder)) as (server, port):
            sys.exit(not held(server, port, 60 * options.minutes))


def held(server: subprocess.Popen, port: int, seconds: float) -> bool:
    """Overload, print what came of it, and return whether all is as it must be."""
    here, there = multiprocessing.Pipe()
    clients = multiprocessing.get_context("spawn").Process(target=load, args=(port, seconds, there))
    clients.start()
    health = Asked(port)
    samples = watched(server, port, clients, here, seconds)
    health.end()
    counts, lost = here.recv()
    time.sleep(3)  # the clients are at it again
    since = time.monotonic()
    server.send_signal(signal.SIGTERM)
    status = server.wait(60)
    ended = time.monotonic() - since
    clients.join()
    limits, seconds_asked = Settings(), sorted(health.seconds)
    slowest, p99 = seconds_asked[-1], seconds_asked[len(seconds_asked) * 99 // 100]
    most = [max(sample[k] for sample in samples) for k in range(4)]
    third = len(samples) // 3
    early, late = (max(s[1] for s in part) for part in (samples[third:-third], samples[-third:]))
    print(f"{seconds / 60:g} minutes, {SOCKETS * STREAMS:,} streams, {HTTP} HTTP clients\n")
    print("| asked | answered | times |\n|---|---|---:|")
    for (what, code), count in sorted(counts.items()):
        print(f"| {what} | {code} | {count:,} |")
    print(
        f"\npushes waiting at most {most[2]:,.0f} of {limits.waiting:,}, calls {most[3]:.0f} of "
        f"{limits.calls}\n"
        f"memory: first {samples[0][1]:.0f} MB, most of the second third {early:.0f}, of the last "
        f"{late:.0f}\n"
        f"/health asked {len(health.seconds):,} times: p99 {p99 * 1e3:.0f} ms, the slowest "
        f"{slowest * 1e3:.0f} ms, failed {health.failed}\n"
        f"steps lost or read twice: {lost}\n"
        f"after SIGTERM it ended in {ended:.1f} s with {status}"
    )
    refused = sum(n for (_, code), n in counts.items() if code == "busy")
    others = {code for _, code in counts} - {"done", "busy", "time"}
    if others:
        print(f"not as it must be: answered {', '.join(sorted(others))}")
    return (
        not others and refused > 0 and not lost and not health.failed and p99 < HEALTH
        and most[2] <= limits.waiting and most[3] <= limits.calls
        and late < early * 1.1 + 16 and status == 0 and ended < DRAIN
    )  # fmt: skip


if __name__ == "__main__":
    main()
