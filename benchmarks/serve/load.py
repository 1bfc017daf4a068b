"""Streams a second, beside a plain server of the same model on the same machine.

    python benchmarks/serve/load.py [--streams 1000] [--steps 100] [--clients 32] [--rounds 3]

Each way of asking is measured in turn, round after round, each time with a fresh server, so that
what else the machine does falls on all alike. Every answer is compared with `estimator.stream()`
alone. Then the seconds from `recurra serve` to its first prediction. Ends with 1 where an answer
was lost, another's, or wrong.
"""

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from clients import WAYS
from model import fitted, write_expected, write_plain

HERE = Path(__file__).parent
TICK = os.sysconf("SC_CLK_TCK")
BASE = "plain, HTTP, a stream a request"


@contextmanager
def running(command: list[str]) -> Iterator[tuple[subprocess.Popen, int]]:
    """Run a server; yield it and its port once it has printed where it is."""
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = urlsplit(server.stdout.readline().strip()).port
        yield server, port
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def cpu_of(server: subprocess.Popen) -> float:
    """Return the processor seconds a process has taken."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def ours(folder: Path) -> list[str]:
    return [sys.executable, "-m", "recurra", "serve", str(folder), "--port", "0"]


def plain(weights: Path) -> list[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return [sys.executable, str(HERE / "plain.py"), str(weights), str(free.getsockname()[1])]


def measure(way: str, command: list[str], options: argparse.Namespace, expected: Path) -> dict:
    with running(command) as (server, port):
        before = cpu_of(server)
        sizes = map(str, (port, options.clients, options.streams, options.steps))
        done = subprocess.run(
            [sys.executable, str(HERE / "clients.py"), way, *sizes, str(expected)],
            stdout=subprocess.PIPE, check=True, text=True,
        )  # fmt: skip
        result = json.loads(done.stdout)
        result["server"] = cpu_of(server) - before
    return result


def to_first_answer(folder: Path) -> float:
    """Return the seconds from the command to the answer to a first prediction."""
    since = time.perf_counter()
    with running(ours(folder)) as (_, port):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        kind = {"Content-Type": "application/json"}
        connection.request("POST", "/predict", '{"inputs": ["hello"]}', kind)
        assert connection.getresponse().status == 200
        return time.perf_counter() - since


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="ways that have this in their name")
    options = parser.parse_args()
    os.environ["GOMP_SPINCOUNT"] = "1000"
    ways = [way for way in WAYS if options.only is None or options.only in way]
    results: dict[str, list[dict]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as scratch:
        folder, weights, expected = (Path(scratch) / n for n in ("model", "plain", "expected.npz"))
        model = fitted(folder)
        write_plain(model, weights)
        write_expected(model, expected, options.streams, options.steps)
        for _ in range(options.rounds):
            for way in ways:
                command = ours(folder) if way.startswith("ours") else plain(weights)
                results[way].append(measure(way, command, options, expected))
                print(".", end="", file=sys.stderr, flush=True)
        starts = sorted(to_first_answer(folder) for _ in range(3))
    report(results, options, starts)
    wrong = [r for rs in results.values() for r in rs if r["lost"] or r["crossed"]]
    wrong += [r for rs in results.values() for r in rs if r["worst"] > 1e-6]
    sys.exit(bool(wrong))


def report(
    results: dict[str, list[dict]], options: argparse.Namespace, starts: list[float]
) -> None:
    pushes = options.streams * options.steps
    print(
        f"{options.streams:,} streams x {options.steps} steps, {options.clients} clients, "
        f"{os.cpu_count()} cores; the median of {options.rounds} rounds.\n\n"
        "| way | steps/s | p50 | p99 | times plain HTTP | server's CPU a step | clients' CPU a "
        "step | lost | crossed | largest error |\n|---" + "|---:" * 9 + "|"
    )

    def median(way: str, name: str) -> float:
        return statistics.median(result[name] for result in results[way])

    base = pushes / median(BASE, "seconds") if results.get(BASE) else None
    for way, found in results.items():
        speed = pushes / median(way, "seconds")
        ratio = f"{speed / base:.1f}" if base else "-"
        print(
            f"| {way} | {speed:,.0f} | {median(way, 'p50') * 1e3:.1f} ms "
            f"| {median(way, 'p99') * 1e3:.1f} ms | {ratio} "
            f"| {median(way, 'server') / pushes * 1e6:.0f} µs "
            f"| {median(way, 'cpu') / pushes * 1e6:.0f} µs | {sum(r['lost'] for r in found)} "
            f"| {sum(r['crossed'] for r in found)} | {max(r['worst'] for r in found):.0e} |"
        )
    said = ", ".join(f"{seconds:.2f}" for seconds in starts)
    print(f"\nSeconds from `recurra serve` to the first prediction: {said}")


if __name__ == "__main__":
    main()
