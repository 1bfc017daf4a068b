import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recurra import (
    Forecaster,
    SequenceClassifier,
    SequenceGenerator,
    SequenceRegressor,
    SequenceTagger,
    Translator,
)
from recurra.errors import ArgumentError, DataError, ModelFileError
from recurra.tasks.streaming import advance

SMALL: dict[str, Any] = {"hidden_size": 8, "epochs": 2, "random_state": 0}
WORDS: dict[str, Any] = {**SMALL, "embedding_size": 6, "bidirectional": False}


def texts(n: int = 60) -> list[str]:
    draw = random.Random(0)
    words = ["not", "very", "good", "bad", "food", "room", "the", "was"]
    return [" ".join(draw.choices(words, k=8)) for _ in range(n)]


@pytest.fixture(scope="module")
def classifier() -> SequenceClassifier:
    return SequenceClassifier(**WORDS).fit(texts(), [("good" in text) for text in texts()])


@pytest.fixture(scope="module")
def generator() -> SequenceGenerator:
    names = ["Anna", "Anton", "Bea", "Bert", "Cleo", "Carl"] * 4
    return SequenceGenerator(**SMALL, embedding_size=6).fit(names, ["f", "m"] * 12)


@pytest.mark.parametrize("pooling", ["mix", "attention"])
def test_a_text_in_pieces_is_classified_as_the_whole(pooling: str) -> None:
    labels = [("good" in text) for text in texts()]
    model = SequenceClassifier(**WORDS, pooling=pooling).fit(texts(), labels)
    assert model.mix_[1] > 0, "the bag of words is to be seen, too"
    text = "the food was not good the food was not good at all"
    words = text.split()
    for size in (1, 3, len(words)):
        stream = model.stream()
        for first in range(0, len(words), size):
            p = stream.push(" ".join(words[first : first + size]))
            read = " ".join(words[: first + size])
            np.testing.assert_allclose(p, model.predict_proba([read])[0], rtol=0, atol=1e-7)
        assert stream.steps == len(words)


def test_a_piece_without_words_changes_nothing(classifier: SequenceClassifier) -> None:
    stream = classifier.stream()
    first = stream.push("")
    np.testing.assert_allclose(first, classifier.predict_proba([""])[0], rtol=0, atol=1e-7)
    said = stream.push("very good food")
    assert np.array_equal(stream.push("  "), said)


def test_many_streams_step_together_and_none_is_crossed(classifier: SequenceClassifier) -> None:
    rows = [text.split() for text in texts(20)]
    streams = [classifier.stream() for _ in rows]
    for step in range(8):
        found = advance(streams, [row[step] for row in rows])
    for row, p in zip(rows, found, strict=True):
        np.testing.assert_allclose(p, classifier.predict_proba([" ".join(row)])[0], atol=1e-7)
    with pytest.raises(ArgumentError, match="a stream is there twice"):
        advance([streams[0], streams[0]], ["a", "b"])
    other = SequenceClassifier(**WORDS).fit(texts(), [("bad" in text) for text in texts()])
    with pytest.raises(ArgumentError, match="not all of one estimator"):
        advance([streams[0], other.stream()], ["a", "b"])


def test_a_state_is_saved_and_gone_on_from(classifier: SequenceClassifier, tmp_path: Path) -> None:
    stream = classifier.stream()
    stream.push("the food was")
    kept = stream.state
    file = stream.save(tmp_path / "state")
    wanted = stream.push("not good")
    again = classifier.stream()
    again.restore(file)
    assert again.steps == 3
    assert np.array_equal(again.push("not good"), wanted)
    again.state = kept
    assert np.array_equal(again.push("not good"), wanted)
    again.reset()
    assert np.array_equal(again.push("bad"), classifier.stream().push("bad"))


def test_a_state_of_another_kind_is_refused(
    classifier: SequenceClassifier, generator: SequenceGenerator, tmp_path: Path
) -> None:
    stream = classifier.stream()
    with pytest.raises(ModelFileError, match="is no state of such a stream, the state has"):
        stream.restore(generator.stream("f").save(tmp_path / "other"))
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(ModelFileError, match="is no state of such a stream"):
        stream.restore(tmp_path / "junk")
    with pytest.raises(ModelFileError, match="cannot be read, No such file"):
        stream.restore(tmp_path / "absent")
    state = stream.state
    state["layer.h"] = torch.zeros(3, 8)
    with pytest.raises(ArgumentError, match=re.escape("layer.h is torch.float32 of (3, 8), not")):
        stream.state = state


def test_what_is_kept_does_not_grow_with_what_was_read(classifier: SequenceClassifier) -> None:
    stream = classifier.stream()
    draw = random.Random(1)
    sizes = []
    for _ in range(30):
        stream.push(" ".join(draw.choices(["the", "food", "was", "good"], k=50)))
        kept = {k: v.numel() for k, v in stream.state.items() if k != "bag.before"}  # a word
        sizes.append(sum(kept.values()))
    assert sizes[-1] <= sizes[5]


def test_numbers_are_regressed_as_they_come() -> None:
    rng = np.random.default_rng(0)
    series = [rng.normal(size=(rng.integers(2, 9), 2)) for _ in range(50)]
    model = SequenceRegressor(**SMALL, bidirectional=False).fit(series, [s.sum() for s in series])
    stream = model.stream()
    for step, row in enumerate(series[0], 1):
        wanted = model.predict([series[0][:step]])[0]
        assert stream.push(row.reshape(1, 2)) == pytest.approx(wanted, abs=1e-7)


def test_each_step_is_tagged_as_it_comes() -> None:
    rows = [text.split() for text in texts()]
    model = SequenceTagger(**WORDS).fit(rows, [[word[0] for word in row] for row in rows])
    stream = model.stream()
    whole = model.predict_proba([rows[0]])[0]
    pieces = [stream.push(rows[0][:3]), stream.push([]), stream.push(rows[0][3:])]
    assert [len(piece) for piece in pieces] == [3, 0, 5]
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=0, atol=1e-7)


def test_a_generator_tells_what_may_come_next(generator: SequenceGenerator) -> None:
    stream = generator.stream("f")
    p = stream.push("A")
    assert sum(p.values()) == pytest.approx(1)
    assert list(p.values()) == sorted(p.values(), reverse=True)
    assert "" in p
    # The likelihood of a name is the product of what the stream says of its symbols.
    stream = generator.stream("f")
    said = [stream.push(piece) for piece in ("", "A", "n", "n", "a")]
    log_p = sum(np.log(p[symbol]) for p, symbol in zip(said, ["A", "n", "n", "a", ""], strict=True))
    # A stream gives no symbol that no sequence of the label has any probability.
    assert log_p >= generator.score_samples(["Anna"], ["f"])[0] - 1e-6
    with pytest.raises(DataError, match="a piece without symbols: there is nothing to read"):
        stream.push("")


def test_generators_of_several_labels_step_together(generator: SequenceGenerator) -> None:
    streams = [generator.stream(label) for label in "fmf"]
    together = advance(streams, ["An", "An", "Bea"])
    for label, piece, p in zip("fmf", ["An", "An", "Bea"], together, strict=True):
        alone = generator.stream(label).push(piece)
        assert p.keys() == alone.keys()
        np.testing.assert_allclose([p[k] for k in alone], list(alone.values()), atol=1e-6)


def test_a_forecaster_says_what_follows_what_came() -> None:
    values = np.sin(np.arange(200) / 5)
    model = Forecaster(**SMALL, window=12, horizon=3).fit(values)
    stream = model.stream()
    assert stream.push(values[:11]) is None
    for step in range(11, 20):
        said = stream.push(values[step])
        assert np.array_equal(said, model.predict({"y": values[: step + 1]})[0])


@pytest.mark.parametrize(
    ("piece", "said"),
    [(3.5, "X|piece"), (["a", 1], "piece"), ([0.5, 0.7], "piece holds numbers, but Sequence")],
)
def test_a_piece_of_another_form_is_refused_and_what_was_read_stays(
    classifier: SequenceClassifier, piece: Any, said: str
) -> None:
    stream = classifier.stream()
    stream.push("the food")
    with pytest.raises(DataError, match=said):
        stream.push(piece)
    assert np.array_equal(stream.push("was bad"), classifier.stream().push("the food was bad"))


def test_what_needs_the_end_first_has_no_stream(generator: SequenceGenerator) -> None:
    both = SequenceClassifier(**{**WORDS, "bidirectional": True}).fit(
        texts(), [("good" in text) for text in texts()]
    )
    with pytest.raises(ArgumentError, match="reads in both directions, and needs the end before"):
        both.stream()
    translator = Translator(**SMALL, embedding_size=6).fit(["ab", "cd"] * 9, ["x", "y"] * 9)
    with pytest.raises(ArgumentError, match="a Translator answers when it has the whole input"):
        translator.stream()
    with pytest.raises(ArgumentError, match="the model needs a condition"):
        generator.stream()
    with pytest.raises(ArgumentError, match="condition='g' is not one of the 2 labels"):
        generator.stream("g")
