"""The load: clients that push to streams and look at every answer; a process of its own.

    python benchmarks/serve/clients.py WAY PORT CLIENTS STREAMS STEPS EXPECTED

EXPECTED: an .npz with texts (streams, steps) and p (streams, steps, tags), what each stream must
hear. WAY is one of `WAYS`. Prints a line of JSON: seconds, latencies, processor time, errors.
"""

import asyncio
import json
import resource
import sys
import time

import numpy as np
import uvloop
from wire import Http, Socket

Answers = list[tuple[int, int, bytes]]  # stream, step, body


class Load:
    """One run: what is pushed, by how many, and what came back."""

    def __init__(self, port: int, clients: int, steps: int, texts: list[str]) -> None:
        self.port, self.steps, self.texts = port, steps, texts
        self.mine = [range(c, len(texts), clients) for c in range(clients)]
        self.answers: Answers = []
        self.seconds: list[float] = []

    async def connect(self, kind, path: str | None = None):
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(kind, "127.0.0.1", self.port)
        if path:
            await wire.upgrade(path)
        return wire

    async def timed(self, stream: int, step: int, answer) -> None:
        since = time.perf_counter()
        body = await answer
        self.seconds.append(time.perf_counter() - since)
        self.answers.append((stream, step, body))


class OursBySocket(Load):
    """All streams of a client over one WebSocket; `many`: in one message, or in one each."""

    many = True

    async def open(self, mine):
        socket = await self.connect(Socket, "/streams/ws")
        said = json.loads(await socket.say(json.dumps([{"op": "open"}] * len(mine)).encode()))
        return socket, [one["stream"] for one in said]

    async def work(self, mine, opened) -> None:
        socket, ids = opened
        for step in range(self.steps):
            each = [
                f'{{"stream":"{name}","step":{step + 1},"piece":"{self.texts[s][step]}"}}'
                for name, s in zip(ids, mine, strict=True)
            ]
            if self.many:
                await self.timed(-1, step, socket.say(f"[{','.join(each)}]".encode()))
            else:
                said = [socket.say(one.encode()) for one in each]
                await asyncio.gather(
                    *(self.timed(s, step, one) for s, one in zip(mine, said, strict=True))
                )

    def heard(self, body: bytes, step: int):
        """Yield (id, step, answer) of a body."""
        said = json.loads(body)
        for one in said if isinstance(said, list) else [said]:
            yield one["stream"], one["step"] - 1, one["answer"][0]


class OursOneBySocket(OursBySocket):
    many = False


class OursByHttp(OursBySocket):
    """One step of one stream a request, a connection a client."""

    async def open(self, mine):
        wire = await self.connect(Http)
        ids = [json.loads(await wire.post("/streams", b"{}"))["stream"] for _ in mine]
        return wire, ids

    async def work(self, mine, opened) -> None:
        wire, ids = opened
        for step in range(self.steps):
            for name, s in zip(ids, mine, strict=True):
                body = f'{{"step":{step + 1},"piece":"{self.texts[s][step]}"}}'.encode()
                await self.timed(s, step, wire.post(f"/streams/{name}/steps", body))


class PlainByHttp(OursByHttp):
    """The same with the plain server."""

    async def work(self, mine, opened) -> None:
        wire, ids = opened
        for step in range(self.steps):
            for name, s in zip(ids, mine, strict=True):
                body = f'{{"symbol":"{self.texts[s][step]}"}}'.encode()
                await self.timed(s, step, wire.post(f"/streams/{name}/step", body))

    def heard(self, body: bytes, step: int):
        yield None, step, json.loads(body)["probabilities"]


class PlainBySocket(PlainByHttp):
    """A WebSocket a stream; a client's streams are all asked before the first has answered."""

    async def open(self, mine):
        return [await self.connect(Socket, "/ws") for _ in mine], [None for _ in mine]

    async def work(self, mine, opened) -> None:
        sockets, _ = opened
        for step in range(self.steps):
            said = [
                socket.say(f'{{"symbol":"{self.texts[s][step]}"}}'.encode())
                for socket, s in zip(sockets, mine, strict=True)
            ]
            await asyncio.gather(
                *(self.timed(s, step, one) for s, one in zip(mine, said, strict=True))
            )


WAYS = {
    "ours, WebSocket, many streams a message": OursBySocket,
    "ours, WebSocket, a stream a message": OursOneBySocket,
    "ours, HTTP, a stream a request": OursByHttp,
    "plain, HTTP, a stream a request": PlainByHttp,
    "plain, WebSocket a stream": PlainBySocket,
}


async def run(load: Load, expected) -> dict:
    opened = [await load.open(mine) for mine in load.mine]
    before, since = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await asyncio.gather(*map(load.work, load.mine, opened))
    seconds, after = time.perf_counter() - since, resource.getrusage(resource.RUSAGE_SELF)
    places = {
        name: s
        for mine, (_, ids) in zip(load.mine, opened, strict=True)
        for s, name in zip(mine, ids, strict=True)
    }
    worst, wrong, seen = 0.0, 0, set()
    for s, step, body in load.answers:
        for name, number, p in load.heard(body, step):
            place = s if name is None else places[name]
            wrong += number != step or (s >= 0 and place != s) or (place, step) in seen
            seen.add((place, step))
            worst = max(worst, float(np.abs(np.array(p) - expected[place, step]).max()))
    return {
        "seconds": seconds,
        "p50": float(np.percentile(load.seconds, 50)),
        "p99": float(np.percentile(load.seconds, 99)),
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "lost": expected.shape[0] * expected.shape[1] - len(seen),
        "crossed": int(wrong),
        "worst": worst,
    }


def main() -> None:
    way, port, clients, streams, steps, path = sys.argv[1:]
    with np.load(path) as file:
        texts = [str(text) for text in file["texts"][: int(streams)]]
        expected = file["p"][: int(streams), : int(steps)]
    load = WAYS[way](int(port), int(clients), int(steps), texts)
    print(json.dumps(uvloop.run(run(load, expected))), flush=True)


if __name__ == "__main__":
    main()
