"""Many streams side by side: each comes to what it would alone."""

import random
import threading
from typing import Any

import numpy as np
import pytest
import torch

from recurra import Forecaster, SequenceClassifier, SequenceGenerator, SequenceTagger
from recurra.errors import ArgumentError, DataError
from recurra.tasks.streaming import StreamPool, open_pool
from recurra.tasks.streaming.readers import reader_for

SMALL: dict[str, Any] = {"hidden_size": 8, "epochs": 1, "random_state": 0}
ALONG: dict[str, Any] = {**SMALL, "embedding_size": 6, "bidirectional": False}
WORDS = ["not", "very", "good", "bad", "food", "room"]


def rows(n: int = 40, length: int = 6) -> list[list[str]]:
    draw = random.Random(0)
    return [draw.choices(WORDS, k=length) for _ in range(n)]


@pytest.fixture(scope="module")
def tagger() -> SequenceTagger:
    return SequenceTagger(**ALONG).fit(rows(), [[word[0] for word in row] for row in rows()])


@pytest.fixture(scope="module")
def classifier() -> SequenceClassifier:
    texts = [" ".join(row) for row in rows()]
    return SequenceClassifier(**ALONG).fit(texts, ["good" in text for text in texts])


def push(pool: StreamPool, places: list[int], pieces: list[Any]) -> list[Any]:
    return pool.advance(places, [pool.read(*one) for one in zip(places, pieces, strict=True)])


@pytest.mark.parametrize("count", [1, 3, 16, 17, 64, 65, 150])
def test_any_number_of_streams_go_together_as_each_alone(
    tagger: SequenceTagger, count: int
) -> None:
    pool = open_pool(tagger, room=2)
    places = [pool.open() for _ in range(count)]
    texts = rows(count)
    for step in range(3):
        found = push(pool, places, [[text[step]] for text in texts])
    for text, p, place in zip(texts, found, places, strict=True):
        alone = tagger.stream()
        wanted = [alone.push([word]) for word in text[:3]]
        np.testing.assert_allclose(p, wanted[-1], rtol=0, atol=1e-7)
        for name, tensor in alone.state.items():
            torch.testing.assert_close(pool.state(place)[name], tensor, rtol=0, atol=1e-6)


def test_pieces_of_different_lengths_go_together(classifier: SequenceClassifier) -> None:
    pool = open_pool(classifier)
    places = [pool.open() for _ in range(20)]
    texts = [" ".join(row[: k % 6]) for k, row in enumerate(rows(20))]
    push(pool, places, texts)
    found = push(pool, places[::-1], texts)
    for first, second, p in zip(texts[::-1], texts, found, strict=True):
        whole = f"{first} {second}"
        np.testing.assert_allclose(p, classifier.predict_proba([whole])[0], rtol=0, atol=1e-7)


def test_a_place_is_given_again_and_remembers_nothing(classifier: SequenceClassifier) -> None:
    pool = open_pool(classifier, room=2)
    first, second = pool.open(), pool.open()
    push(pool, [first, second], ["not very good", "bad food"])
    assert len(pool) == 2
    pool.close(first)
    assert len(pool) == 1
    again = pool.open()
    assert again == first
    assert pool.steps(again) == 0
    assert pool.room_of(again) == 0
    found = push(pool, [again], ["good"])[0]
    np.testing.assert_array_equal(found, classifier.stream().push("good"))
    assert pool.steps(second) == 2


def test_room_grows_and_keeps_what_was_read(tagger: SequenceTagger) -> None:
    pool = open_pool(tagger, room=1)
    first = pool.open()
    push(pool, [first], [["good", "bad"]])
    before = pool.state(first)
    for _ in range(9):
        pool.open()
    after = pool.state(first)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_grows_of_a_stream_is_counted(classifier: SequenceClassifier) -> None:
    assert classifier.mix_[1] > 0, "the bag of words is to be seen"
    pool = open_pool(classifier)
    place = pool.open()
    push(pool, [place], ["not good"])
    few = pool.room_of(place)
    push(pool, [place], ["very bad food"])
    assert pool.room_of(place) > few > 0


def test_a_state_is_taken_out_changed_and_put_back(tagger: SequenceTagger) -> None:
    pool, other = open_pool(tagger), open_pool(tagger)
    place = pool.open()
    push(pool, [place], [["not"]])
    state = pool.state(place)
    state["layer.h"].add_(1)
    assert not torch.equal(pool.state(place)["layer.h"], state["layer.h"]), "it is a copy"
    there = other.open(state=pool.state(place))
    assert np.array_equal(push(other, [there], [["good"]]), push(pool, [place], [["good"]]))
    pool.set_state(place, state)
    assert torch.equal(pool.state(place)["layer.h"], state["layer.h"])
    with pytest.raises(ArgumentError, match="the state has no steps_read"):
        pool.open(state={"layer.h": torch.zeros(1, 8)})
    with pytest.raises(ArgumentError, match="give a condition or a state, not both"):
        pool.open("f", state)
    state["more"] = torch.zeros(1)
    with pytest.raises(ArgumentError, match="the state has another, more"):
        pool.set_state(place, state)


def test_a_generator_tells_no_more_symbols_than_it_is_asked() -> None:
    model = SequenceGenerator(**SMALL, embedding_size=6).fit(["Anna", "Bert", "Cleo"] * 8)
    pool = open_pool(model, most=2)
    place = pool.open()
    found = push(pool, [place], [""])[0]
    assert found == dict(list(model.stream().push("").items())[:2])
    with pytest.raises(DataError, match="a piece without symbols: there is nothing to read"):
        pool.read(place, "")
    for piece in (None, 3, {"a": 1}, [None], [["a"]], ["A"]):
        with pytest.raises(DataError, match="a piece must be a text"):
            pool.read(place, piece)


def test_a_forecasters_window_is_its_last_values() -> None:
    values = np.sin(np.arange(90) / 5)
    model = Forecaster(**SMALL, window=12, horizon=3).fit(values)
    pool = open_pool(model)
    early, late = pool.open(), pool.open()
    assert push(pool, [early, late], [values[:5], values[:60]])[0] is None
    found = push(pool, [early, late], [values[5:30], values[60]])
    # NumPy's products of other numbers of rows may differ in the last bit.
    for one, upto in zip(found, (30, 61), strict=True):
        np.testing.assert_allclose(one, model.predict({"y": values[:upto]})[0], rtol=1e-12)


def test_threads_may_share_a_pool_if_their_streams_are_their_own(tagger: SequenceTagger) -> None:
    pool = open_pool(tagger, room=1)
    texts, wrong = rows(24), []

    def run(text: list[str]) -> None:
        place, alone = pool.open(), tagger.stream()
        for word in text:
            found, wanted = push(pool, [place], [[word]])[0], alone.push([word])
            if not np.allclose(found, wanted, rtol=0, atol=1e-7):
                wrong.append((word, found, wanted))

    threads = [threading.Thread(target=run, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_model_that_is_fitted_anew_has_a_new_reader(tagger: SequenceTagger) -> None:
    assert reader_for(tagger) is reader_for(tagger)
    model = SequenceTagger(**ALONG).fit(rows(), [[word[0] for word in row] for row in rows()])
    before = model.stream().push(["good"])
    old = reader_for(model)
    model.set_params(random_state=1).fit(rows(), [[word[-1] for word in row] for row in rows()])
    assert reader_for(model) is not old
    assert not np.array_equal(model.stream().push(["good"]), before)
