"""Streams by HTTP: the contract of steps."""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from serving import Client, fitted, told, wait_until

Serve = Callable[..., Client]
PIECES: dict[str, list[object]] = {
    "tagger": [["not"], ["very", "good"], []],
    "classifier": ["not very", "good", ""],
    "regressor": [[[0.5, 1]], [[1, 2], [3, 4]]],
    "generator": ["", "A", "nn"],
    "symbols": [["A"], ["n", "n"]],
    "forecaster": [[0.5] * 11, 0.25, [0.5, 1]],
}


@pytest.mark.parametrize("name", PIECES)
def test_a_stream_answers_as_the_estimators_own_does(serve: Serve, name: str) -> None:
    client, label = serve(name), {"condition": "f"} if name == "generator" else {}
    alone = fitted(name).stream(**label)
    stream = client.open(**label)
    for step, piece in enumerate(PIECES[name], 1):
        said = client.step(stream, step, piece).json()
        wanted = alone.push(piece)
        assert (said["stream"], said["step"], said["read"]) == (stream, step, alone.steps)
        if isinstance(wanted, dict):
            assert list(said["answer"]) == list(wanted)
            said["answer"], wanted = list(said["answer"].values()), list(wanted.values())
        if wanted is None:
            assert said["answer"] is None
        else:
            assert said["answer"] == np.asarray(wanted).tolist()


def test_many_streams_at_once_are_none_lost_and_none_crossed(serve: Serve) -> None:
    client = serve("classifier")
    words = ["good", "bad", "not", "food", "room", "was"]
    streams = [client.open() for _ in range(40)]
    texts = [[words[(s * 7 + t * (s + 1)) % 6] for t in range(8)] for s in range(40)]

    def run(s: int) -> list[list[float]]:
        return [client.step(streams[s], t + 1, texts[s][t]).json()["answer"] for t in range(8)]

    with ThreadPoolExecutor(8) as clients:
        found = list(clients.map(run, range(40)))
    for text, answers in zip(texts, found, strict=True):
        alone = fitted("classifier").stream()
        wanted = [alone.push(word) for word in text]
        np.testing.assert_allclose(answers, wanted, rtol=0, atol=1e-7)
    assert client.figure("recurra_pushes_total") == 320
    assert client.figure("recurra_batch_pushes_sum") == 320


def test_the_last_step_again_is_answered_and_nothing_is_read(serve: Serve) -> None:
    client = serve()
    stream = client.open()
    first = client.step(stream, 1, ["good", "food"]).json()
    again = client.step(stream, 1, ["good", "food"]).json()
    assert again.pop("repeated") is True
    assert again == first
    assert client.get(f"/streams/{stream}").json()["read"] == 2
    message = told(client.step(stream, 1, ["bad"]), 409, "step")
    assert message == "step 1 was another piece: push step 2 next."
    long = ["good"] * 200
    client.step(stream, 2, long)
    assert client.step(stream, 2, long).json()["repeated"] is True
    told(client.step(stream, 2, [*long[1:], "bad"]), 409, "step")


@pytest.mark.parametrize("step", [3, 100, 2**62])
def test_a_step_out_of_turn_is_told_which_is_next(serve: Serve, step: int) -> None:
    client = serve()
    stream = client.open()
    client.step(stream, 1, ["good"])
    answer = client.step(stream, step, ["food"])
    assert told(answer, 409, "step") == f"the stream is at step 1: push step 2, not {step}."
    assert answer.json()["error"]["step"] == 1
    assert client.step(stream, 2, ["food"]).status_code == 200


def test_a_piece_that_is_refused_changes_nothing(serve: Serve) -> None:
    client = serve()
    stream, other = client.open(), client.open()
    for each in (stream, other):
        client.step(each, 1, ["good"])
    assert "piece" in told(client.step(stream, 2, [["a"]]), 422, "input")
    told(client.step(stream, 2, 3), 422, "input")
    found = [client.step(each, 2, ["food"]).json() for each in (stream, other)]
    assert found[0]["answer"] == found[1]["answer"]
    assert found[0]["read"] == 2


def test_a_state_goes_on_in_another_stream_and_another_server(serve: Serve) -> None:
    client, elsewhere = serve(), serve()
    stream = client.open()
    client.step(stream, 1, ["not", "very"])
    state = client.get(f"/streams/{stream}/state").json()["state"]
    wanted = client.step(stream, 2, ["good"]).json()
    for server in (client, elsewhere):
        found = server.step(server.open(state=state), 1, ["good"]).json()
        assert found["answer"] == wanted["answer"]
        assert found["read"] == 3
    broken = base64.b64encode(base64.b64decode(state)[:-3]).decode()
    told(client.post("/streams", json={"state": broken}), 422, "state")
    told(client.post("/streams", json={"state": "~"}), 422, "state")
    said = told(serve("classifier").post("/streams", json={"state": state}), 422, "state")
    assert said.startswith("the state is none of this model's: the state has")


def test_what_the_layers_remember_is_told_where_it_is_asked(serve: Serve) -> None:
    client = serve()
    stream = client.open()
    said = client.step(stream, 1, ["good"], show=["state"]).json()
    alone = fitted("tagger").stream()
    alone.push(["good"])
    assert {name: np.shape(layers) for name, layers in said["state"].items()} == {
        "h": (1, 8),
        "c": (1, 8),
    }
    np.testing.assert_allclose(said["state"]["h"], alone.state["layer.h"], rtol=1e-6)
    told(client.step(stream, 2, ["good"], show=["weights"]), 422, "body")


def test_how_a_stream_ended_is_said(serve: Serve) -> None:
    client, later = serve(), serve()
    stream = client.open()
    assert client.delete(f"/streams/{stream}").status_code == 204
    for answer in (
        client.step(stream, 1, ["good"]),
        client.get(f"/streams/{stream}"),
        client.get(f"/streams/{stream}/state"),
        client.delete(f"/streams/{stream}"),
    ):
        told(answer, 409, "closed")
    assert "an earlier run" in told(later.step(stream, 1, ["good"]), 409, "restarted")
    run, number, seal = stream.split(".")
    for never in (f"{run}.{number}.{'A' * 22}", f"{run}.ff.{seal}", "x", "%00", "é"):
        told(client.get(f"/streams/{never}"), 404, "unknown")


def test_an_idle_stream_ends_and_is_never_started_anew(serve: Serve) -> None:
    client = serve(idle=0.05)
    stream = client.open()
    client.step(stream, 1, ["good"])
    wait_until(lambda: not client.get("/health").json()["streams"], "the stream ended")
    assert "nobody pushed to the stream for 0.05 seconds" in told(
        client.step(stream, 2, ["food"]), 409, "expired"
    )


def test_there_are_so_many_streams_and_no_more(serve: Serve) -> None:
    client = serve(streams=2)
    streams = [client.open() for _ in range(2)]
    answer = client.post("/streams", json={})
    assert told(answer, 429, "streams") == "2 streams are open: close some, or wait."
    assert answer.headers["retry-after"] == "1"
    client.delete(f"/streams/{streams[0]}")
    client.open()


def test_a_generators_stream_wants_one_of_its_labels(serve: Serve) -> None:
    client = serve("generator")
    assert "the model needs a condition" in told(client.post("/streams", json={}), 422, "input")
    told(client.post("/streams", json={"condition": "x"}), 422, "input")
    stream = client.open(condition="f")
    client.step(stream, 1, "A")
    assert "nothing to read" in told(client.step(stream, 2, ""), 422, "input")


def test_a_model_that_must_see_the_end_has_no_streams(serve: Serve) -> None:
    for name, why in (
        ("both ways", "fit one with bidirectional=False to run along a stream."),
        ("translator", "a Translator answers when it has the whole input: it has no stream."),
        ("curves", "a generator of numbers has no stream: generate from a prefix."),
    ):
        answer = serve(name).post("/streams", json={})
        assert told(answer, 422, "task").endswith(why)
