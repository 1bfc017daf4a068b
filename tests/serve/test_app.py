"""The app as others see it: described, mounted, in an event loop of its own."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import HERE, Client, client_of, fitted, told
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from recurra.errors import ArgumentError
from recurra.serve import make_app

Serve = Callable[..., Client]


def test_every_path_is_described_with_its_bodies(serve: Serve) -> None:
    said = serve().get("/openapi.json").json()
    assert said["openapi"].startswith("3.1")
    paths = {(method, path) for path, methods in said["paths"].items() for method in methods}
    assert paths == {
        ("post", "/streams"),
        ("get", "/streams/{stream}"),
        ("delete", "/streams/{stream}"),
        ("post", "/streams/{stream}/steps"),
        ("get", "/streams/{stream}/state"),
        ("get", "/model"),
        ("post", "/predict"),
        ("post", "/generate"),
        ("post", "/flow"),
        ("get", "/health"),
        ("get", "/metrics"),
    }
    push = said["paths"]["/streams/{stream}/steps"]["post"]
    body = push["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert body.endswith("/Push")
    assert set(said["components"]["schemas"]["Push"]["required"]) == {"step", "piece"}
    assert push["responses"]["4XX"]["content"]["application/json"]["schema"]["$ref"].endswith(
        "Failure"
    )
    assert "http" not in json.dumps(said)


def test_a_saved_model_is_served_by_its_name_and_card(tmp_path: Path) -> None:
    fitted("tagger").save(tmp_path / "my-tagger")
    with Client(make_app(tmp_path / "my-tagger"), base_url=HERE) as client:
        said = client.get("/model").json()
        assert said["name"] == "my-tagger"
        assert said["card"].startswith("# ")
        assert str(tmp_path) not in json.dumps({**said, "card": ""})


def test_it_runs_within_another_app() -> None:
    app = Starlette(routes=[Mount("/tags", make_app(fitted("tagger")))])
    client = TestClient(app, base_url=HERE)
    with client:
        stream = client.post("/tags/streams", json={}).json()["stream"]
        said = client.post(f"/tags/streams/{stream}/steps", json={"step": 1, "piece": ["a"]})
        assert said.json()["read"] == 1
        assert client.get("/tags/health").json()["streams"] == 1


def test_what_is_no_model_of_ours_is_refused() -> None:
    with pytest.raises(ArgumentError, match="a dict is none of Recurra's estimators"):
        make_app({})


def test_paths_and_methods_there_are_not(serve: Serve) -> None:
    client = serve()
    told(client.get("/nothing"), 404, "path")
    told(client.get("/predict"), 405, "method")
    told(client.delete("/health"), 405, "method")
    told(client.get("/streams/x/steps"), 405, "method")
    told(client.post("/streams/a/b/steps", json={"step": 1, "piece": 1}), 404, "path")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"step": 1}', "piece: Field required."),
        ('{"step": "1", "piece": "a"}', "step: Input should be a valid integer."),
        ('{"step": 0, "piece": "a"}', "step: Input should be greater than or equal to 1."),
        ('{"step": 1, "piece": "a", "x": 1}', "x: Extra inputs are not permitted."),
        ("[]", "Input should be"),
        ("3", "Input should be"),
    ],
)
def test_a_body_of_another_form_is_told_what_is_wrong(serve: Serve, body: str, said: str) -> None:
    client = serve()
    stream = client.open()
    answer = client.post(
        f"/streams/{stream}/steps", content=body, headers={"content-type": "application/json"}
    )
    assert told(answer, 422, "body").startswith(said)


def test_a_fault_is_logged_and_said_plainly(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve("classifier")
    monkeypatch.setattr(type(fitted("classifier")), "predict_proba", lambda *_: 1 / 0, raising=True)
    message = told(client.post("/predict", json={"inputs": ["a"]}), 500, "fault")
    assert message == "the server has a fault here; its log says more."
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    assert client.post("/predict", json={"inputs": ["a"]}).status_code == 200


def test_an_app_that_was_never_started_answers_all_the_same() -> None:
    client = client_of(fitted("tagger"))  # no lifespan: a server that sends none
    assert client.get("/health").json() == {"status": "ok", "model": "SequenceTagger", "streams": 0}
