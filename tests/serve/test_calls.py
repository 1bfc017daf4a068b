"""Calls of the model beside streams: bounded in number and time, and nobody waits for them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from serving import Client, fitted, told

Serve = Callable[..., Client]


class Gate:
    """A model whose predictions wait at a gate."""

    def __init__(self) -> None:
        self.open, self.reached = threading.Event(), threading.Event()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate()
    kind = type(fitted("classifier"))
    predict = kind.predict_proba

    def slow(self: object, inputs: object) -> object:
        made.reached.set()
        assert made.open.wait(20)
        return predict(self, inputs)  # type: ignore[arg-type]

    monkeypatch.setattr(kind, "predict_proba", slow)
    yield made
    made.open.set()


ASK = {"inputs": ["good"]}


def test_streams_do_not_wait_for_a_long_call(serve: Serve, gate: Gate) -> None:
    client = serve("classifier")
    stream = client.open()
    with ThreadPoolExecutor(1) as other:
        long = other.submit(client.post, "/predict", json=ASK)
        assert gate.reached.wait(20)
        for step in range(1, 5):
            assert client.step(stream, step, "good").status_code == 200
        assert client.get("/health").json()["status"] == "ok"
        assert client.figure("recurra_calls_waiting") == 1
        gate.open.set()
        assert long.result().status_code == 200
    assert client.figure("recurra_calls_waiting") == 0


def test_too_many_calls_are_told_to_come_back(serve: Serve, gate: Gate) -> None:
    client = serve("classifier", calls=2)
    with ThreadPoolExecutor(2) as others:
        waiting = [others.submit(client.post, "/predict", json=ASK) for _ in range(2)]
        while client.figure("recurra_calls_waiting") < 2:
            pass
        answer = client.post("/predict", json=ASK)
        assert told(answer, 503, "busy") == "2 calls wait already: call again in a moment."
        assert answer.headers["retry-after"] == "1"
        gate.open.set()
        assert [one.result().status_code for one in waiting] == [200, 200]


def test_a_call_that_takes_too_long_is_given_up_by_who_waits(serve: Serve, gate: Gate) -> None:
    client = serve("classifier", seconds=0.1)
    answer = client.post("/predict", json=ASK)
    assert told(answer, 503, "time") == "no answer within 0.1 seconds: ask for less."
    assert client.figure("recurra_calls_waiting") == 1, "it still runs"
    gate.open.set()
    while client.figure("recurra_calls_waiting"):
        pass
    assert client.post("/predict", json=ASK).status_code in (200, 503)


def test_a_server_that_is_about_to_end_takes_no_more(serve: Serve) -> None:
    client = serve("classifier")
    stream = client.open()
    client.app.service.draining = True  # type: ignore[attr-defined]
    assert client.get("/health").json() == {
        "status": "draining",
        "model": "SequenceClassifier",
        "streams": 1,
    }
    told(client.post("/predict", json=ASK), 503, "draining")
    told(client.post("/streams", json={}), 503, "draining")
    told(client.step(stream, 1, "good"), 503, "draining")
    assert client.get(f"/streams/{stream}/state").status_code == 200, "it can be taken elsewhere"


def test_draining_waits_for_calls_and_for_replies_that_have_not_gone_out(
    serve: Serve, gate: Gate
) -> None:
    client = serve("classifier")
    service, portal = client.app.service, client.portal  # type: ignore[attr-defined]
    assert portal is not None
    with ThreadPoolExecutor(2) as others:
        long = others.submit(client.post, "/predict", json=ASK)
        assert gate.reached.wait(20)
        service.unsent = 1
        drained = others.submit(portal.call, service.drain)
        while client.get("/health").json()["status"] != "draining":
            pass
        gate.open.set()
        assert long.result().status_code == 200, "what is under way is answered"
        while service.calls.waiting:
            pass
        with pytest.raises(TimeoutError):
            drained.result(0.2)
        service.unsent = 0
        drained.result(20)


def test_draining_takes_a_bounded_time(serve: Serve) -> None:
    client = serve("classifier", drain=0.05)
    service, portal = client.app.service, client.portal  # type: ignore[attr-defined]
    assert portal is not None
    service.unsent = 1
    portal.call(service.drain)
    assert client.get("/health").json()["status"] == "draining"
