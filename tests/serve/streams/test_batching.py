"""Which pushes run together, and what happens when one fails."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from serving import Client, fitted, say, told

from recurra.serve.streams import batching
from recurra.serve.streams.runner import StreamRunner

Serve = Callable[..., Client]


@pytest.fixture(params=["in the loop", "on a thread"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run batches where the test says."""
    monkeypatch.setattr(batching, "_AT_ONCE", 1e9 if request.param == "in the loop" else 0.0)
    return str(request.param)


def test_pushes_that_wait_run_in_one_call(
    serve: Serve, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, str]] = []
    advance = StreamRunner.advance

    def spied(self: StreamRunner, places: Any, rows: Any) -> list[Any]:
        calls.append((len(places), threading.current_thread().name))
        return advance(self, places, rows)

    monkeypatch.setattr(StreamRunner, "advance", spied)
    with serve().socket() as socket:
        ids = [one["stream"] for one in say(socket, [{"op": "open"}] * 50)]
        for step in (1, 2):
            say(socket, [{"stream": name, "step": step, "piece": ["a"]} for name in ids])
    assert calls[-1][0] == 50
    assert (calls[-1][1] == "recurra-streams") == (where == "on a thread")


def test_a_long_piece_is_the_whole_and_others_are_answered_meanwhile(
    serve: Serve, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths: list[list[int]] = []
    advance = StreamRunner.advance

    def spied(self: StreamRunner, places: Any, rows: Any) -> list[Any]:
        lengths.append([len(row) for row in rows])
        return advance(self, places, rows)

    monkeypatch.setattr(StreamRunner, "advance", spied)
    long = ["good", "bad", "not"] * 400
    with serve().socket() as socket:
        ids = [one["stream"] for one in say(socket, [{"op": "open"}] * 2)]
        pieces = [long, ["a"]]
        said = say(
            socket,
            [{"stream": n, "step": 1, "piece": p} for n, p in zip(ids, pieces, strict=True)],
        )
    assert lengths == [[256, 1], [256], [256], [256], [176]]
    wanted = fitted("tagger").stream().push(long)
    assert np.shape(said[0]["answer"]) == wanted.shape
    np.testing.assert_allclose(said[0]["answer"], wanted, rtol=0, atol=1e-7)


def test_steps_that_run_together_are_bounded(
    serve: Serve, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    advance = StreamRunner.advance

    def spied(self: StreamRunner, places: Any, rows: Any) -> list[Any]:
        counts.append(sum(map(len, rows)))
        return advance(self, places, rows)

    monkeypatch.setattr(StreamRunner, "advance", spied)
    monkeypatch.setattr(batching, "_TOGETHER", 100)
    with serve().socket() as socket:
        ids = [one["stream"] for one in say(socket, [{"op": "open"}] * 5)]
        pieces = [["a"] * 15, ["a"] * 15, ["a"] * 15, ["a"] * 15, ["good"] * 200]  # "a" counts 2
        said = say(
            socket,
            [{"stream": n, "step": 1, "piece": p} for n, p in zip(ids, pieces, strict=True)],
        )
    assert counts == [45, 15, 200]
    assert [one["read"] for one in said] == [15, 15, 15, 15, 200]


def test_one_that_fails_takes_no_other_with_it_and_the_server_lives_on(
    serve: Serve,
    where: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    advance = StreamRunner.advance

    def failing(self: StreamRunner, places: Any, rows: Any) -> list[Any]:
        if ["boom"] in [list(row) for row in rows]:
            raise ZeroDivisionError("a secret of /the/server")
        return advance(self, places, rows)

    monkeypatch.setattr(StreamRunner, "advance", failing)
    client = serve()
    with client.socket() as socket:
        ids = [one["stream"] for one in say(socket, [{"op": "open"}] * 3)]
        words = ["good", "boom", "bad"]
        said = say(
            socket,
            [{"stream": n, "step": 1, "piece": [w]} for n, w in zip(ids, words, strict=True)],
        )
    assert [one.get("read") for one in said] == [1, None, 1]
    assert (said[1]["status"], said[1]["error"]["code"]) == (500, "fault")
    assert "secret" not in str(said[1])
    assert "ZeroDivisionError: a secret" in caplog.text, "it is in the log"
    assert client.step(ids[1], 1, ["good"]).json()["answer"] == said[0]["answer"]


def test_a_fault_in_the_middle_of_a_piece_ends_the_stream(
    serve: Serve, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = StreamRunner.advance

    def failing(self: StreamRunner, places: Any, rows: Any) -> list[Any]:
        if "boom" in rows[0]:
            raise ZeroDivisionError
        return advance(self, places, rows)

    monkeypatch.setattr(StreamRunner, "advance", failing)
    client = serve()
    stream = client.open()
    told(client.step(stream, 1, ["good"] * 300 + ["boom"]), 500, "fault")
    told(client.step(stream, 1, ["good"]), 409, "fault")
    assert client.get("/health").json()["streams"] == 0


def test_too_many_pushes_are_told_to_come_back(
    serve: Serve, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, entered = threading.Event(), threading.Event()
    advance = StreamRunner.advance

    def slow(self: StreamRunner, places: Any, rows: Any) -> list[Any]:
        entered.set()
        assert gate.wait(10)
        return advance(self, places, rows)

    monkeypatch.setattr(batching, "_AT_ONCE", 0.0)
    monkeypatch.setattr(StreamRunner, "advance", slow)
    client = serve(waiting=2, waiting_each=1)
    streams = [client.open() for _ in range(3)]
    with ThreadPoolExecutor(2) as others:
        first = others.submit(client.step, streams[0], 1, ["a"])
        assert entered.wait(10)
        second = others.submit(client.step, streams[0], 2, ["a"])
        while client.figure("recurra_pushes_waiting") < 2:
            pass
        answer = client.step(streams[1], 1, ["a"])
        told(answer, 503, "busy")
        assert answer.headers["retry-after"] == "1"
        gate.set()
        assert [first.result().status_code, second.result().status_code] == [200, 200]
    assert client.step(streams[1], 1, ["a"]).status_code == 200
    assert client.figure("recurra_pushes_waiting") == 0


def test_a_push_that_waited_too_long_is_left_out_and_may_be_pushed_again(
    serve: Serve, where: str
) -> None:
    client = serve(seconds=-1)
    stream = client.open()
    assert "waited too long" in told(client.step(stream, 1, ["a"]), 503, "busy")
    assert client.get(f"/streams/{stream}").json()["read"] == 0


def test_what_grows_of_streams_is_bounded(serve: Serve) -> None:
    client = serve("classifier", memory=600)
    streams = [client.open() for _ in range(4)]
    answers = [client.step(name, 1, "not very good bad food room") for name in streams]
    assert [answer.status_code for answer in answers] == [200, 503, 503, 503]
    told(client.post("/streams", json={}), 503, "busy")
    assert client.figure("recurra_streams_bytes") > 600
    client.delete(f"/streams/{streams[0]}")
    assert client.figure("recurra_streams_bytes") == 0
    assert client.step(streams[1], 1, "good").status_code == 200


def test_an_answer_too_large_to_be_kept_is_said_to_be_read(serve: Serve) -> None:
    client = serve(memory=20_000)
    stream = client.open()
    piece = ["a"] * 80  # 8 tags each: 32 bytes a number
    assert client.step(stream, 1, piece).status_code == 200
    assert "too large to be kept" in told(client.step(stream, 1, piece), 409, "step")
    assert client.step(stream, 2, ["a"]).json()["read"] == 81
