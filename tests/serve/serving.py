"""A small model of each task, and clients of a server of it."""

import json
import random
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from starlette.testclient import TestClient, WebSocketTestSession

from recurra import (
    BlankFiller,
    Captioner,
    Forecaster,
    SequenceClassifier,
    SequenceGenerator,
    SequenceRegressor,
    SequenceTagger,
    Translator,
)
from recurra.serve import Settings, make_app

HERE = "http://127.0.0.1"
SMALL: dict[str, Any] = {"hidden_size": 8, "epochs": 1, "random_state": 0}
READS: dict[str, Any] = {**SMALL, "embedding_size": 6}
ALONG: dict[str, Any] = {**READS, "bidirectional": False}
_WORDS = ["not", "very", "good", "bad", "food", "room", "the", "was"]


def texts(n: int = 40) -> list[str]:
    draw = random.Random(0)
    return [" ".join(draw.choices(_WORDS, k=6)) for _ in range(n)]


@cache
def fitted(name: str) -> Any:
    """Return a fitted model by its name; each is fitted once."""
    rows = [text.split() for text in texts()]
    good = ["yes" if "good" in text else "no" for text in texts()]
    names = ["Anna", "Anton", "Bea", "Bert", "Cleo", "Carl"] * 4
    draw = np.random.default_rng(0)
    if name == "tagger":
        return SequenceTagger(**ALONG).fit(rows, [[word[0] for word in row] for row in rows])
    if name == "classifier":
        return SequenceClassifier(**ALONG).fit(texts(), good)
    if name == "both ways":
        return SequenceClassifier(**{**ALONG, "bidirectional": True}).fit(texts(), good)
    if name == "regressor":
        numbers = [draw.normal(size=(5, 2)) for _ in range(30)]
        return SequenceRegressor(**SMALL, bidirectional=False).fit(numbers, list(range(30)))
    if name == "generator":
        return SequenceGenerator(**READS).fit(names, ["f", "m"] * 12)
    if name == "symbols":
        return SequenceGenerator(**READS).fit([list(one) for one in names])
    if name == "bytes":
        return SequenceGenerator(**READS, chunk=8, tokens="byte").fit(bytes([0, 255, 7, 200] * 50))
    if name == "curves":
        return SequenceGenerator(**SMALL).fit([np.sin(np.arange(9) + k) for k in range(20)])
    if name == "forecaster":
        return Forecaster(**SMALL, window=12, horizon=3).fit(np.sin(np.arange(120) / 5))
    if name == "filler":
        return BlankFiller(**READS).fit(texts())
    if name == "translator":
        return Translator(**READS).fit(["ab", "cd"] * 9, ["x", "y"] * 9)
    assert name == "captioner", name
    return Captioner(**READS).fit(draw.random((12, 8, 8)), ["a b", "c d"] * 6)


class Client(TestClient):
    """Asks a server in this process."""

    def socket(self) -> WebSocketTestSession:
        """Return a WebSocket for streams."""
        return self.websocket_connect("ws://127.0.0.1/streams/ws")

    def open(self, **body: Any) -> str:
        """Open a stream; return its id."""
        answer = self.post("/streams", json=body)
        assert answer.status_code == 201, answer.text
        name: str = answer.json()["stream"]
        return name

    def step(self, stream: str, step: Any, piece: Any, **more: Any) -> Any:
        """Push a step."""
        body = {"step": step, "piece": piece, **more}
        return self.post(f"/streams/{stream}/steps", json=body)

    def figure(self, name: str) -> float:
        """Return a figure of /metrics."""
        lines = self.get("/metrics").text.splitlines()
        return float(next(line.split()[-1] for line in lines if line.startswith(name + " ")))


def client_of(model: Any, settings: Settings | None = None) -> Client:
    """Return a client of a server of a model; a context, in which the server runs."""
    app = make_app(model, settings)
    return Client(app, base_url=HERE, headers={"host": "127.0.0.1"})


def told(answer: Any, status: int, code: str) -> str:
    """Return what an answer says went wrong, which must be of this status and code."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error["code"] == code, error
    message: str = error["message"]
    assert message.endswith("."), message
    assert "\n" not in message, message
    return message


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds; fails the test where it does not in half a minute."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, f"waited too long until {what}"
        time.sleep(0.01)


def say(socket: WebSocketTestSession, message: Any) -> Any:
    """Send a message over a WebSocket and return the reply."""
    socket.send_text(message if isinstance(message, str) else json.dumps(message))
    return json.loads(socket.receive_text())
