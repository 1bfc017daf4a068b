"""Streams by WebSocket: many in a message, in the messages' order."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from serving import Client, fitted, say
from starlette.testclient import WebSocketDenialResponse

Serve = Callable[..., Client]


def test_many_streams_are_pushed_to_in_one_message(serve: Serve) -> None:
    client = serve()
    words = ["good", "bad", "not", "room"]
    with client.socket() as socket:
        opened = say(socket, [{"op": "open", "tag": k} for k in range(30)])
        assert [one["tag"] for one in opened] == list(range(30))
        ids = [one["stream"] for one in opened]
        alone = [fitted("tagger").stream() for _ in ids]
        for step in range(1, 4):
            pieces = [[words[(k + step) % 4]] for k in range(30)]
            said = say(
                socket,
                [
                    {"stream": name, "step": step, "piece": piece}
                    for name, piece in zip(ids, pieces, strict=True)
                ],
            )
            assert [one["stream"] for one in said] == ids
            for one, stream, piece in zip(said, alone, pieces, strict=True):
                np.testing.assert_allclose(one["answer"], stream.push(piece), atol=1e-7)


def test_steps_of_one_stream_in_a_message_are_read_in_their_order(serve: Serve) -> None:
    with serve().socket() as socket:
        name = say(socket, {"op": "open"})["stream"]
        pushes = [
            {"stream": name, "step": k, "piece": [w]} for k, w in ((2, "b"), (1, "a"), (3, "c"))
        ]
        early, first, third = say(socket, pushes)
        assert early["error"]["code"] == "step"
        assert (early["status"], early["stream"], early["step"]) == (409, name, 2)
        assert first["read"] == 1
        assert third["error"]["code"] == "step"
        said = say(socket, [{"stream": name, "step": k, "piece": ["a"]} for k in (2, 4, 3)])
        assert [one.get("read") for one in said] == [2, 4, 3]


def test_replies_come_in_the_order_of_the_messages(serve: Serve) -> None:
    with serve().socket() as socket:
        name = say(socket, {"op": "open"})["stream"]
        for step in range(1, 20):
            socket.send_text(json.dumps({"stream": name, "step": step, "piece": ["a"]}))
            socket.send_text(json.dumps({"op": "nothing", "tag": step}))
        for step in range(1, 20):
            assert json.loads(socket.receive_text())["read"] == step
            assert json.loads(socket.receive_text())["tag"] == step


def test_streams_live_on_after_the_connection(serve: Serve) -> None:
    client = serve()
    with client.socket() as socket:
        name = say(socket, {"op": "open"})["stream"]
        say(socket, {"stream": name, "step": 1, "piece": ["a"]})
        state = say(socket, {"op": "state", "stream": name})
        assert state["stream"] == name
    with client.socket() as socket:
        assert say(socket, {"stream": name, "step": 1, "piece": ["a"]})["repeated"]
        assert say(socket, {"stream": name, "step": 2, "piece": ["b"]})["read"] == 2
        other = say(socket, {"op": "open", "state": state["state"]})["stream"]
        assert say(socket, {"stream": other, "step": 1, "piece": ["b"]})["read"] == 2
        assert say(socket, {"op": "close", "stream": name, "tag": "x"}) == {
            "stream": name,
            "closed": True,
            "tag": "x",
        }
        assert say(socket, {"stream": name, "step": 3, "piece": ["b"]})["error"]["code"] == "closed"


@pytest.mark.parametrize(
    ("message", "status", "said"),
    [
        ("{", 400, "the body is no JSON"),
        ("[]", 422, "a message holds 1 to 1000 requests."),
        (json.dumps([1] * 1001), 422, "a message holds 1 to 1000 requests."),
        ('{"op": "steal"}', 422, "one of push, open, close, state."),
        ('{"op": ["open"]}', 422, "one of push, open, close, state."),
        ("3", 422, "a request is an object"),
        ('{"op": "open", "more": 1}', 422, "more: "),
        ('{"step": 1, "piece": "a"}', 422, "stream: "),
        ('{"stream": "x", "step": true, "piece": "a"}', 422, "step: "),
        ('{"stream": "x", "step": 1, "piece": "a"}', 404, "there is no such stream"),
        (json.dumps([{"op": "state", "stream": "x"}] * 65), 413, "64 states at most"),
    ],
)
def test_a_message_that_is_wrong_is_told_so_and_the_next_is_answered(
    serve: Serve, message: str, status: int, said: str
) -> None:
    with serve().socket() as socket:
        reply = say(socket, message)
        assert reply["status"] == status
        assert said in reply["error"]["message"]
        assert "stream" in say(socket, {"op": "open"})


def test_bytes_are_read_as_text_is(serve: Serve) -> None:
    with serve().socket() as socket:
        socket.send_bytes(b'{"op": "open"}')
        assert "stream" in json.loads(socket.receive_text())
        socket.send_bytes(b"\xff")
        assert json.loads(socket.receive_text())["status"] == 400


def test_a_client_with_much_unsent_is_not_listened_to_but_answered(serve: Serve) -> None:
    client = serve(unsent=3)
    with client.socket() as socket:
        name = say(socket, {"op": "open"})["stream"]
        for step in range(1, 30):
            socket.send_text(json.dumps([{"stream": name, "step": step, "piece": ["a"]}] * 2))
        for step in range(1, 30):
            assert json.loads(socket.receive_text())[0]["step"] == step


def test_a_connection_that_goes_leaves_nothing_unsent(serve: Serve) -> None:
    client = serve()
    with client.socket() as socket:
        name = say(socket, {"op": "open"})["stream"]
        socket.send_text(json.dumps({"stream": name, "step": 1, "piece": ["a"] * 5000}))
    for _ in range(200):
        if client.get(f"/streams/{name}").json()["step"] == 1:
            break
    assert client.app.service.unsent == 0  # type: ignore[attr-defined]


def test_a_page_elsewhere_gets_no_connection(serve: Serve) -> None:
    client = serve()
    for name, value, status in (
        ("origin", "http://evil.example", 403),
        ("origin", "null", 403),
        ("host", "evil.example", 421),
    ):
        socket = client.websocket_connect("ws://127.0.0.1/streams/ws", headers={name: value})
        with pytest.raises(WebSocketDenialResponse) as refused, socket:
            pass
        assert refused.value.status_code == status
