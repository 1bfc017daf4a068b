"""What the model is and answers: each task as the API says, and as the estimator itself."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from serving import Client, fitted, told

Serve = Callable[..., Client]
TAKES = {
    "tagger": ["predict", "stream", "flow"],
    "classifier": ["predict", "stream", "flow"],
    "both ways": ["predict", "flow"],
    "regressor": ["predict", "stream"],
    "generator": ["generate", "stream", "flow"],
    "symbols": ["generate", "stream", "flow"],
    "bytes": ["generate", "stream", "flow"],
    "curves": ["generate"],
    "forecaster": ["predict", "stream"],
    "filler": ["predict"],
    "translator": ["predict"],
    "captioner": ["predict"],
}


@pytest.mark.parametrize("name", TAKES)
def test_a_model_is_described_and_does_what_it_says(serve: Serve, name: str) -> None:
    client, model = serve(name), fitted(name)
    said = client.get("/model").json()
    assert said["takes"] == TAKES[name]
    assert said["task"] == said["name"] == type(model).__name__
    assert said["parameters"] == model.parameter_count_
    assert said["summary"] == model.summary()
    assert said["limits"]["n"] == 100
    assert all(len(shape) == 2 for shape in said["state"].values())
    assert said["card"] is None
    for what in {"predict", "generate", "flow"} - set(said["takes"]):
        body = {"input": "x"} if what == "flow" else {}
        message = told(client.post(f"/{what}", json=body), 422, "task")
        assert message.endswith(f"it takes {', '.join(TAKES[name])}.")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("classifier", {"kind": "text", "tokens": "word", "classes": ["no", "yes"]}),
        ("tagger", {"kind": "symbols", "tokens": None, "classes": list("bfgnrtvw")}),
        ("filler", {"kind": "text", "blank": "__"}),
        ("captioner", {"kind": "numbers", "shape": [8, 8, 1], "tokens": None}),
        ("forecaster", {"kind": "numbers", "horizon": 3, "series": ["y"], "tokens": None}),
        ("generator", {"kind": "text", "tokens": "char", "conditions": ["f", "m"]}),
        ("symbols", {"kind": "symbols", "tokens": None, "conditions": None}),
        ("curves", {"kind": "numbers", "starts": None}),
    ],
)
def test_what_is_said_of_one_task_only(serve: Serve, name: str, wanted: dict[str, Any]) -> None:
    said = serve(name).get("/model").json()
    assert {key: said[key] for key in wanted} == wanted


def predicted(serve: Serve, name: str, inputs: list[Any], **more: Any) -> dict[str, Any]:
    answer = serve(name).post("/predict", json={"inputs": inputs, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(("name", "text"), [("classifier", "not good"), ("filler", "the __ was")])
def test_classes_come_with_their_probabilities(serve: Serve, name: str, text: str) -> None:
    model, found = fitted(name), predicted(serve, name, [text, "bad room"])
    assert found["predictions"] == model.predict([text, "bad room"]).tolist()
    np.testing.assert_allclose(found["probabilities"], model.predict_proba([text, "bad room"]))
    assert found["classes"] == model.classes_.tolist()


def test_each_step_is_tagged_and_the_steps_are_told(serve: Serve) -> None:
    found = predicted(serve, "tagger", ["not good", ["bad"]])
    assert found["tokens"] == [["not", "good"], ["bad"]]
    wanted = fitted("tagger").predict([["not", "good"], ["bad"]])
    assert found["predictions"] == [list(row) for row in wanted]
    assert np.shape(found["probabilities"][0]) == (2, 8)


def test_numbers_texts_and_pictures_are_answered(serve: Serve) -> None:
    series = [[[0.5, 1], [2, 3]]]
    wanted = fitted("regressor").predict([np.array(series[0])]).tolist()
    assert predicted(serve, "regressor", series)["predictions"] == wanted
    texts = predicted(serve, "translator", ["ab", "cd"])["predictions"]
    assert texts == list(fitted("translator").predict(["ab", "cd"]))
    picture = np.random.default_rng(1).random((1, 8, 8))
    captions = predicted(serve, "captioner", picture.tolist())["predictions"]
    assert captions == list(fitted("captioner").predict(picture))


def test_a_forecast_comes_with_its_past_and_its_spread(serve: Serve) -> None:
    client, model = serve("forecaster"), fitted("forecaster")
    found, wanted = client.post("/predict", json={}).json(), model.forecast()
    assert found["ids"] == ["y"]
    assert found["point"] == wanted.point.tolist()
    assert np.shape(found["quantiles"]) == (1, 3, len(found["levels"]))
    assert len(found["times"][0]) == 3
    assert found["past"][0] == wanted.past[0].tolist()
    newer = {"series": {"y": [0.1 * k for k in range(20)]}}
    assert client.post("/predict", json=newer).json()["past"][0] == newer["series"]["y"]
    assert len(client.post("/predict", json={"horizon": 2}).json()["times"][0]) == 2


def test_sequences_come_with_the_probability_of_each_symbol(serve: Serve) -> None:
    client, model = serve("generator"), fitted("generator")
    ask = {"condition": "f", "n": 3, "seed": 7, "prefix": "A", "steps": True}
    found = client.post("/generate", json=ask).json()
    made = model.generate("A", "f", 3, random_state=7)
    assert found["sequences"] == made
    for text, steps in zip(made, found["steps"], strict=True):
        assert [step["symbol"] for step in steps] == [*text, ""]
        stream = model.stream("f")
        for before, step in zip(["", *text], steps, strict=True):
            p = stream.push(before)
            assert step["p"] == pytest.approx(p[step["symbol"]], abs=1e-6)
            assert len(step["others"]) <= 8
            assert [name for name, _ in step["others"]] == [n for n in p if n != step["symbol"]][:8]
    assert client.post("/generate", json={"condition": "f"}).json()["steps"] is None


def test_lists_and_numbers_are_generated_in_their_form(serve: Serve) -> None:
    made = serve("symbols").post("/generate", json={"n": 2, "seed": 1, "prefix": ["A"]}).json()
    assert made["sequences"] == fitted("symbols").generate(["A"], None, 2, random_state=1)
    ask = {"prefix": "\x07", "seed": 1, "steps": True}
    made = serve("bytes").post("/generate", json=ask).json()
    assert (
        made["sequences"][0].encode("latin-1") == fitted("bytes").generate(b"\7", random_state=1)[0]
    )
    assert [step["symbol"] for step in made["steps"][0]] == list(made["sequences"][0])  # no end
    client = serve("curves")
    made = client.post("/generate", json={"seed": 1}).json()
    assert np.ndim(made["sequences"][0]) >= 1
    told(client.post("/generate", json={"steps": True}), 422, "body")


@pytest.mark.parametrize(
    ("name", "given"),
    [("generator", "Anna"), ("classifier", "not very good"), ("tagger", "not very good")],
)
def test_the_flow_of_gradients_is_measured(serve: Serve, name: str, given: str) -> None:
    condition = {"condition": "f"} if name == "generator" else {}
    client = serve(name)
    found = client.post("/flow", json={"input": given, **condition}).json()
    T = len(found["symbols"])
    assert (len(given) + 1 if name == "generator" else 3) == T
    assert found["layers"] == 1
    norms = np.array(found["norms"], dtype=object)
    assert norms.shape[0] == 1
    assert norms.shape[2] == T
    if name != "classifier":  # a loss at each step: none reaches a later one
        assert [norms[0, 0, s] is None for s in range(T)] == [False] + [True] * (T - 1)
    assert isinstance(found["verdict"], str)
    long = client.post("/flow", json={"input": " ".join("a" * 99), **condition})
    assert told(long, 422, "input")


@pytest.mark.parametrize(
    ("name", "path", "body", "status"),
    [
        ("classifier", "predict", {}, 422),
        ("classifier", "predict", {"inputs": []}, 422),
        ("classifier", "predict", {"inputs": [1]}, 422),
        ("classifier", "predict", {"inputs": [["a"]]}, 422),
        ("classifier", "predict", {"inputs": ["a"] * 101}, 413),
        ("classifier", "predict", {"inputs": ["a" * 30_000]}, 413),
        ("tagger", "predict", {"inputs": [{"a": 1}]}, 422),
        ("tagger", "predict", {"inputs": [[["a"]]]}, 422),
        ("regressor", "predict", {"inputs": [[[1]]]}, 422),
        ("regressor", "predict", {"inputs": [[[10**400, 1]]]}, 400),
        ("regressor", "predict", {"inputs": ["a"]}, 422),
        ("regressor", "predict", {"inputs": [[[None, 1]]]}, 422),
        ("captioner", "predict", {"inputs": [[[1, 2], [3]]]}, 422),
        ("captioner", "predict", {"inputs": [[[10**400]]]}, 400),
        ("captioner", "predict", {"inputs": ["a"]}, 422),
        ("translator", "predict", {"inputs": [None]}, 422),
        ("forecaster", "predict", {"series": {"z": [1]}}, 422),
        ("forecaster", "predict", {"series": {"y": []}}, 422),
        ("forecaster", "predict", {"series": {"y": ["a"]}}, 422),
        ("forecaster", "predict", {"series": {f"s{k}": [1] for k in range(101)}}, 413),
        ("forecaster", "predict", {"horizon": 0}, 422),
        ("forecaster", "predict", {"horizon": 2**62}, 422),
        ("forecaster", "predict", {"inputs": [[1]]}, 422),
        ("generator", "generate", {"condition": "f", "n": 0}, 422),
        ("generator", "generate", {"condition": "f", "n": 101}, 413),
        ("generator", "generate", {"condition": "f", "temperature": 0}, 422),
        ("generator", "generate", {"condition": "f", "top_p": 1.5}, 422),
        ("generator", "generate", {"condition": "f", "top_k": 0}, 422),
        ("generator", "generate", {"condition": "f", "prefix": ["A"]}, 422),
        ("generator", "generate", {"condition": "f", "prefix": "Ω"}, 422),
        ("generator", "generate", {"condition": "<script>alert(1)</script>"}, 422),
        ("generator", "generate", {"condition": "f", "seed": -1}, 422),
        ("generator", "generate", {}, 422),
        ("curves", "generate", {"prefix": "a"}, 422),
        ("curves", "generate", {"prefix": [1e300]}, 200),
        ("generator", "flow", {"input": "", "condition": "x"}, 422),
        ("generator", "flow", {"input": ["A"], "condition": "f"}, 422),
        ("classifier", "flow", {"input": ["a"]}, 422),
        ("classifier", "flow", {"input": ""}, 422),
    ],
)
def test_what_is_wrong_is_said_and_is_no_fault(
    serve: Serve, name: str, path: str, body: dict[str, Any], status: int
) -> None:
    answer = serve(name).post(
        f"/{path}", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    if status != 200:
        assert answer.json()["error"]["message"]


ODD: list[Any] = [
    None, True, 3, 2**70, 10**400, -1.5, "", " ", "\0", "\u202e", "\N{FAMILY}", "a" * 5000, {},
    [], [[]], [[[]]], {"a": 1}, [None], [True], ["a", 1], [1, "a"], [[1], [2, 3]], [1e308, -1e308],
    [10**400], [[10**400, 1]], [["a"]], [{"a": 1}], ["\0"], [""], [[1, 2, 3]], [[1, None]],
    [0.0] * 3000, ["good"] * 3000,
]  # fmt: skip


@pytest.mark.parametrize("name", [name for name, takes in TAKES.items() if "stream" in takes])
def test_no_piece_is_a_fault_and_a_refused_one_is_not_read(
    serve: Serve, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(name)
    stream = client.open(**({"condition": "f"} if name == "generator" else {}))
    step = 1
    for piece in ODD:
        answer = client.step(stream, step, piece)
        assert answer.status_code in (200, 400, 422), (piece, answer.text)
        step += answer.status_code == 200
        assert client.get(f"/streams/{stream}").json()["step"] == step - 1
    assert "a request failed" not in caplog.text


@pytest.mark.parametrize("name", [name for name, takes in TAKES.items() if "predict" in takes])
def test_no_input_is_a_fault(serve: Serve, name: str, caplog: pytest.LogCaptureFixture) -> None:
    client = serve(name)
    for given in ODD:
        answer = client.post("/predict", json={"inputs": [given]})
        assert answer.status_code in (200, 400, 422), (given, answer.text)
        assert client.post("/flow", json={"input": given}).status_code in (200, 400, 422)
    assert "a request failed" not in caplog.text
