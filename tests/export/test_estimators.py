"""Fitted estimators as ONNX files, fed from the notes beside them alone."""

import json
import re
import unicodedata
import zlib
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from running import run_file

from recurra.errors import NotFittedError
from recurra.export import ExportError, export_onnx
from recurra.tasks import (
    BlankFiller,
    Forecaster,
    SequenceClassifier,
    SequenceGenerator,
    SequenceRegressor,
    SequenceTagger,
)

SMALL: dict[str, Any] = {"hidden_size": 5, "epochs": 1, "random_state": 0}
DRAW = np.random.default_rng(0)
WORDS = [
    "good",
    "bad",
    "happy",
    "sad",
    "very",
    "not",
    "so",
    "the",
    "film",
    "was",
    "is",
    "nice",
    "awful",
]
TEXTS = [list(DRAW.choice(WORDS, DRAW.integers(1, 8))) for _ in range(40)]
SERIES = [DRAW.normal(3, 2, (DRAW.integers(2, 9), 2)) for _ in range(30)]
NEW_TEXTS = [["good", "film"], ["ein", "trauriger", "film", "sad"], [], ["awful"]]


def feeling(row: list[str]) -> str:
    return "good" if {"good", "nice", "happy"} & set(row) else "bad"


def exported(model: Any, path: Path, **options: bool) -> tuple[Path, dict[str, Any]]:
    made = export_onnx(model, path / "model.onnx", **options)
    assert made.checked.difference < 5e-6
    return made.path, json.loads(made.notes.read_text(encoding="utf-8"))


# What a program in another language does, written from the notes.


def numbers_of(rows: list[list[str]], reading: dict[str, Any]) -> np.ndarray:
    """Return the symbols' numbers (T, B), 0 past a row's end."""
    special = reading["special"]
    known = {s: k for k, s in enumerate(reading["symbols"], special["first_symbol"])}
    numbers = np.zeros((max(1, *map(len, rows)), len(rows)), np.int64)
    for b, row in enumerate(rows):
        numbers[: len(row), b] = [known.get(symbol, special["unknown"]) for symbol in row]
    return numbers


def pieces_of(rows: list[list[str]], reading: dict[str, Any]) -> np.ndarray:
    """Return the buckets of the words' pieces (T, B, K), -1 where there is none."""

    def buckets(word: str) -> list[int]:
        marked = f"<{word[:60]}>"
        grams = {marked[k : k + n] for n in (2, 3, 4) for k in range(len(marked) - n + 1)}
        return [zlib.crc32(gram.encode()) % reading["buckets"] for gram in grams]

    found = np.full((max(1, *map(len, rows)), len(rows), 200), -1)
    for b, row in enumerate(rows):
        for t, word in enumerate(row):
            own = buckets(word)
            found[t, b, : len(own)] = own
    return found


def bags_of(rows: list[list[str]]) -> dict[str, np.ndarray]:
    terms, counts = np.full((len(rows), 50), -1), np.ones((len(rows), 50))
    for b, row in enumerate(rows):
        counted = Counter([*row, *(f"{a} {c}" for a, c in pairwise(row))])
        for k, (term, count) in enumerate(counted.items()):
            terms[b, k], counts[b, k] = zlib.crc32(term.encode()) % 131072, count
    return {"terms": terms, "counts": counts}


def fed(rows: list[list[str]], reading: dict[str, Any]) -> dict[str, np.ndarray]:
    names = ("words", "pieces") if reading["spelling"] else ("symbols",)
    feeds = {names[0]: numbers_of(rows, reading), "lengths": np.array(list(map(len, rows)))}
    return feeds | ({"pieces": pieces_of(rows, reading)} if reading["spelling"] else {})


def padded(rows: list[np.ndarray]) -> dict[str, np.ndarray]:
    x = np.zeros((max(map(len, rows)), len(rows), rows[0].shape[1]))
    for b, row in enumerate(rows):
        x[: len(row), b] = row
    return {"x": x, "lengths": np.array(list(map(len, rows)))}


def test_a_classifier_of_words_with_a_bag_beside_it(tmp_path: Path) -> None:
    model = SequenceClassifier(**SMALL).fit(TEXTS, [feeling(row) for row in TEXTS])
    model.network_.mix.copy_(model.network_.mix.new_tensor([0.7, 0.4]))
    path, notes = exported(model, tmp_path)
    found = run_file(path, **fed(NEW_TEXTS, notes["reading"]), **bags_of(NEW_TEXTS))
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(NEW_TEXTS), atol=1e-6)
    assert notes["classes"] == ["bad", "good"]
    assert notes["task"] == "SequenceClassifier"


def test_texts_are_cut_as_the_notes_say(tmp_path: Path) -> None:
    texts = [" ".join(row).capitalize() + "!" for row in TEXTS]
    model = SequenceClassifier(**SMALL, bag_of_words=False, tokens="word")
    path, notes = exported(model.fit(texts, [feeling(row) for row in TEXTS]), tmp_path)
    new = ["Very GOOD film, isn't it? :-)", "e\u0301tait bien"]
    pattern = notes["reading"]["cutting"].partition("regular expression: ")[2]
    assert notes["reading"]["tokenizer"]["lower"]
    rows = [re.findall(pattern, unicodedata.normalize("NFC", text).lower()) for text in new]
    found = run_file(path, **fed(rows, notes["reading"]))
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(new), atol=1e-6)


def test_a_bag_that_counts_for_nothing_is_left_out(tmp_path: Path) -> None:
    model = SequenceClassifier(**SMALL).fit(TEXTS, [feeling(row) for row in TEXTS])
    model.network_.mix.copy_(model.network_.mix.new_tensor([0.7, 0.0]))
    path, notes = exported(model, tmp_path)
    found = run_file(path, **fed(NEW_TEXTS, notes["reading"]))
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(NEW_TEXTS), atol=1e-6)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention", "mix"])
def test_a_classifier_of_characters_by_every_pooling(pooling: str, tmp_path: Path) -> None:
    texts = ["".join(row) for row in TEXTS]
    model = SequenceClassifier(tokens="char", pooling=pooling, num_layers=2, **SMALL)
    model.fit(texts, [feeling(row) for row in TEXTS])
    path, notes = exported(model, tmp_path)
    new = ["good", "badfilm", "x", ""]
    found = run_file(path, **fed([list(text) for text in new], notes["reading"]))
    np.testing.assert_allclose(found["probabilities"], model.predict_proba(new), atol=1e-6)


def test_a_regressor_answers_in_the_targets_own_units(tmp_path: Path) -> None:
    model = SequenceRegressor(**SMALL).fit(SERIES, [1000 + 50 * row.mean(0) for row in SERIES])
    path, _ = exported(model, tmp_path)
    found = run_file(path, **padded(SERIES[:7]))
    np.testing.assert_allclose(found["predicted"], model.predict(SERIES[:7]), rtol=1e-6)


def test_a_stream_of_numbers_gives_the_prediction_so_far(tmp_path: Path) -> None:
    model = SequenceRegressor(pooling="last", bidirectional=False, **SMALL)
    model.fit(SERIES, [row.mean() for row in SERIES])
    path, _ = exported(model, tmp_path, streaming=True)
    state = {name: np.zeros((1, 1, 5), np.float32) for name in ("state_h", "state_c")}
    row = max(SERIES, key=len)
    for t, step in enumerate(row):
        found = run_file(path, x=step.reshape(1, 1, 2), **state)
        state = {f"state_{name}": found[f"new_{name}"] for name in "hc"}
        wanted = model.predict([row[: t + 1]])
        np.testing.assert_allclose(found["predicted"][:, 0], wanted, rtol=1e-6, atol=1e-6)


def test_a_tagger_of_words_and_one_of_numbers(tmp_path: Path) -> None:
    tags = [["A" if len(word) > 3 else "B" for word in row] for row in TEXTS]
    model = SequenceTagger(**SMALL).fit(TEXTS, tags)
    path, notes = exported(model, tmp_path)
    found = run_file(path, **fed(NEW_TEXTS, notes["reading"]))["probabilities"]
    for b, p in enumerate(model.predict_proba(NEW_TEXTS)):
        np.testing.assert_allclose(found[: len(p), b], p, atol=1e-6)
    model = SequenceTagger("gru", bidirectional=False, num_layers=2, **SMALL)
    model.fit(SERIES, [["a" if step[0] > 3 else "b" for step in row] for row in SERIES])
    path, _ = exported(model, tmp_path, streaming=True)
    row = SERIES[0]
    found = run_file(path, x=row[:, np.newaxis], state_h=np.zeros((2, 1, 5), np.float32))
    np.testing.assert_allclose(
        found["probabilities"][:, 0], model.predict_proba([row])[0], atol=1e-6
    )


def test_a_generator_scores_a_name_one_symbol_at_a_time(tmp_path: Path) -> None:
    names = ["anna", "bob", "carl", "dora"] * 5
    model = SequenceGenerator(embedding_size=6, **SMALL).fit(names, ["x", "y", "x", "y"] * 5)
    path, notes = exported(model, tmp_path, streaming=True)
    reading = notes["reading"]
    symbols = [reading["special"]["start"], *numbers_of([list("bonn")], reading)[:, 0]]
    state = {f"state_{name}": np.zeros((1, 1, 5), np.float32) for name in "hc"}
    total = 0.0
    for before, after in pairwise([*symbols, reading["special"]["end"]]):
        label = np.array([notes["conditions"].index("y")])
        found = run_file(path, symbols=np.array([[before]]), condition=label, **state)
        logits = found["logits"][0, 0].astype(np.float64)
        total += logits[after] - np.log(np.exp(logits).sum())
        state = {f"state_{name}": found[f"new_{name}"] for name in "hc"}
    never = notes["never"][notes["conditions"].index("x")]
    drawn = [s for s in "abcdlnor" if numbers_of([[s]], reading)[0, 0] not in never]
    assert drawn == ["a", "c", "l", "n", "r"]  # of anna and carl
    assert total == pytest.approx(model.score_samples(["bonn"], ["y"])[0], abs=1e-4)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("labels", [None, ["x", "y"] * 15])
def test_a_generator_of_numbers(labels: Any, streaming: bool, tmp_path: Path) -> None:
    model = SequenceGenerator(embedding_size=3, **SMALL).fit(SERIES, labels)
    _, notes = exported(model, tmp_path, streaming=streaming)
    assert [port["name"] for port in notes["outputs"]][:4] == ["shares", "mean", "deviation", "end"]
    assert notes["reading"]["mean"] == model.sequences_.measures.reading.mean


def test_a_blank_is_filled(tmp_path: Path) -> None:
    rows = ["I am __ happy", "I am __", "you are __ sad"] * 5
    model = BlankFiller(**SMALL).fit(rows, ["very", "happy", "not"] * 5)
    path, notes = exported(model, tmp_path)
    given = [["I", "am", "\0"], ["you", "\0", "sad", "!"]]
    feeds = fed(given, notes["reading"])
    assert "\0" in notes["reading"]["symbols"]
    found = run_file(path, **feeds, blank=np.array([2, 1]))
    wanted = model.predict_proba(["I am __", "you __ sad !"])
    np.testing.assert_allclose(found["probabilities"], wanted, atol=1e-6)


@pytest.mark.parametrize("head", ["quantile", "gaussian", "student"])
@pytest.mark.parametrize("decoder", ["direct", "recurrent"])
def test_a_forecaster_with_what_is_known_ahead(head: str, decoder: str, tmp_path: Path) -> None:
    n = 60
    promo = (DRAW.random(2 * n) < 0.3).astype(float)
    table = pd.DataFrame(
        {
            "unique_id": ["a"] * n + ["b"] * n,
            "ds": [*pd.date_range("2020-01-01", periods=n)] * 2,
            "y": 5 + 3 * promo + DRAW.normal(size=2 * n),
            "promo": promo,
        }
    )
    options: dict[str, Any] = {"window": 6, "horizon": 3, "series_features": 2}
    model = Forecaster("gru", head=head, decoder=decoder, **options, **SMALL)
    model.fit(table, known=["promo"])
    _, notes = exported(model, tmp_path)
    assert [port["name"] for port in notes["inputs"]] == ["x", "series", "known"]
    assert notes["inputs"][0]["axes"] == [6, "B", 2]
    assert notes["forecast"]["ids"] == ["a", "b"]


@pytest.mark.parametrize("quantiles", [(0.5,), (0.5, 0.9), (0.1, 0.5), (0.1, 0.4, 0.5, 0.9)])
def test_a_forecast_has_its_quantiles(quantiles: tuple[float, ...], tmp_path: Path) -> None:
    X = DRAW.normal(size=(40, 6))
    model = Forecaster(quantiles=quantiles, calibrate=False, **SMALL).fit(X, X.sum(1))
    path, notes = exported(model, tmp_path)
    scale = notes["forecast"]["scales"][0]
    x = (X[:5] - scale["mean"]) / scale["deviation"]
    found = run_file(path, x=x.T[..., np.newaxis])["forecast"][:, 0]
    found = found * scale["spread"][0] + scale["centre"][0]
    np.testing.assert_allclose(found, model.predict_quantiles(X[:5]), atol=1e-5)


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(NotFittedError, match="this SequenceTagger is not fitted yet"):
        export_onnx(SequenceTagger(), path)
    y = [feeling(row) for row in TEXTS]
    for said, model in (
        ("a bidirectional layer needs the end", SequenceClassifier(**SMALL)),
        ("only pooling='last' can", SequenceClassifier(bidirectional=False, **SMALL)),
    ):
        with pytest.raises(ExportError, match=said):
            export_onnx(model.fit(TEXTS, y), path, streaming=True)
    assert list(tmp_path.iterdir()) == []
