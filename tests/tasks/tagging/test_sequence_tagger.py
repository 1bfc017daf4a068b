"""`SequenceTagger`: a tag for every step, from both sides of it."""

import json
import pickle
import random
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from recurra.data.tables.conllu import TaggedSentence, read_conllu, read_tagged, write_conllu
from recurra.errors import ArgumentError, DataError, ModelFileError, NotFittedError
from recurra.tasks.tagging.scores import FrequentTags, accuracy
from recurra.tasks.tagging.tagger import SequenceTagger

NOUNS, VERBS = ["dog", "cat", "plan", "show", "run"], ["plan", "show", "run", "see"]


def invented(n, seed=0):
    """Sentences in which a word is a noun or a verb by what follows it."""
    draw = random.Random(seed)
    words, tags = [], []
    for _ in range(n):
        row = [("they", "PRON")] * draw.randint(0, 2)
        for _ in range(draw.randint(1, 3)):
            word = draw.choice(NOUNS)
            row += [(word, "NOUN"), (".", "END")]
            word = draw.choice(VERBS)
            row += [(word, "VERB"), ("it", "PRON")]
        words.append([word for word, _ in row])
        tags.append([tag for _, tag in row])
    return words, tags


def small(**given):
    options = {"hidden_size": 12, "embedding_size": 12, "epochs": 6, "batch_size": 16}
    return SequenceTagger(**{**options, "learning_rate": 0.02, "random_state": 0, **given})


@pytest.fixture(scope="module")
def fitted():
    return small().fit(*invented(300))


def test_scikit_learns_checks_hold():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(small(epochs=1, hidden_size=4, embedding_size=4), on_fail=None)
    assert [r["check_name"] for r in results if r["status"] in ("failed", "xfail")] == []
    assert sum(r["status"] == "passed" for r in results) > 30


def test_what_follows_decides_a_tag_and_only_both_directions_see_it(fitted):
    X, y = invented(100, seed=1)
    assert fitted.score(X, y) > 0.99
    assert fitted.predict([["plan", "."], ["plan", "it"]]) == [["NOUN", "END"], ["VERB", "PRON"]]
    plain = accuracy(y, FrequentTags().fit(*invented(300)).predict(X))
    assert plain < 0.9
    assert fitted.baseline_score_ == pytest.approx(plain, abs=0.1)
    p = (
        small(bidirectional=False)
        .fit(*invented(300))
        .predict_proba([["plan", "."], ["plan", "it"]])
    )
    assert np.array_equal(p[0][0], p[1][0])


def test_probabilities_stand_beside_the_tags(fitted):
    X, _ = invented(20, seed=2)
    p = fitted.predict_proba(X)
    assert [row.shape for row in p] == [(len(row), 4) for row in X]
    assert fitted.classes_.tolist() == ["END", "NOUN", "PRON", "VERB"]
    for row, tags in zip(p, fitted.predict(X), strict=True):
        np.testing.assert_allclose(row.sum(1), 1, atol=1e-12)
        assert fitted.classes_[row.argmax(1)].tolist() == tags


def test_a_sentence_alone_is_tagged_as_in_a_batch(fitted):
    X, _ = invented(40, seed=3)
    for row, p in zip(X, fitted.predict_proba(X), strict=True):
        np.testing.assert_allclose(fitted.predict_proba([row])[0], p, rtol=0, atol=1e-7)


def test_unseen_words_and_empty_sentences_are_tagged(fitted):
    tags = fitted.predict([["plans", "\ud800", "\u200b", "x" * 10_000], [], ["dog"]])
    assert [len(row) for row in tags] == [4, 0, 1]


def test_a_long_sentence_is_tagged_whole(fitted):
    short = clone(fitted).set_params(max_length=7)
    X, y = invented(300)
    short.fit(X, y)
    assert short.score(X, y) > 0.95
    long = [word for row in X[:20] for word in row]
    assert len(short.predict([long])[0]) == len(long) > 100
    assert short.predict([long, long[:5]])[1] == short.predict([long[:5]])[0]
    assert short.predict([long])[0][:7] == short.predict([long[:7]])[0]


def test_characters_of_texts_are_tagged():
    draw = random.Random(0)
    X = ["".join(draw.choices("ab1é2", k=draw.randint(1, 9))) for _ in range(200)]
    y = [["digit" if c.isdigit() else "letter" for c in text] for text in X]
    tagger = small(epochs=3).fit(X, y)
    # A letter and its accent are two characters, and keep their tags.
    assert [len(row) for row in tagger.predict(["a1e\u0301", "a1é"])] == [4, 3]
    assert tagger.predict(["a1"]) == [["letter", "digit"]]
    assert tagger.score(X, y) > 0.99
    assert tagger.predict([""]) == [[]]


def test_steps_of_series_are_tagged():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 12, 2))
    y = (X[:, :, 0] > X[:, :, 1]).astype(int)
    tagger = small(epochs=10).fit(X, y)
    assert tagger.predict(X).shape == (80, 12)
    assert tagger.predict_proba(X).shape == (80, 12, 2)
    assert tagger.score(X, y) > 0.9
    ragged = [X[0, :5], X[1, :9]]
    assert [len(row) for row in tagger.predict(ragged)] == [5, 9]
    with pytest.raises(DataError, match="3 features"):
        tagger.predict(rng.normal(size=(2, 5, 3)))


def test_one_tag_for_a_row_is_that_of_each_step():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 10)) + 2 * y[:, np.newaxis]
    weak, full = small().fit(X, y), small().fit(X, np.repeat(y[:, np.newaxis], 10, 1))
    assert weak.predict(X).shape == (60, 10)
    assert np.array_equal(weak.predict_proba(X), full.predict_proba(X))
    assert weak.score(X, y) == np.mean(weak.predict(X) == y[:, np.newaxis]) > 0.9


def test_a_weight_of_two_is_the_row_twice():
    X, y = invented(60)
    twice = small(epochs=1).fit(X + X[:30], y + y[:30])
    weighted = small(epochs=1).fit(X, y, sample_weight=[2] * 30 + [1] * 30)
    for a, b in zip(twice.predict_proba(X), weighted.predict_proba(X), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_of_what_contradicts_itself_the_heavier_is_learned():
    X = [["a", f"x{k}"] for k in range(200)]
    y = [["PQ"[k % 2], "R"] for k in range(200)]
    # Forward only, so that what follows cannot tell which rows are which.
    tagger = small(bidirectional=False, epochs=10, validation_fraction=0.0)
    p = tagger.fit(X, y, sample_weight=[4, 1] * 100).predict_proba([["a", "x"]])[0][0]
    assert p == pytest.approx([0.8, 0.2, 0.0], abs=0.05)


def test_a_saved_tagger_tags_as_before(fitted, tmp_path):
    X, _ = invented(20, seed=4)
    fitted.save(tmp_path / "model")
    loaded = SequenceTagger.load(tmp_path / "model")
    again = pickle.loads(pickle.dumps(fitted))
    for other in (loaded, again):
        assert other.predict(X) == fitted.predict(X)
        assert all(map(np.array_equal, other.predict_proba(X), fitted.predict_proba(X)))
    assert loaded.baseline_score_ == fitted.baseline_score_
    assert loaded.classes_.tolist() == fitted.classes_.tolist()
    assert loaded.class_shares_.tolist() == fitted.class_shares_.tolist()
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"fitted": {}}))
    with pytest.raises(ModelFileError):
        SequenceTagger.load(tmp_path / "model")


def test_conllu_goes_in_and_comes_out(fitted, tmp_path):
    words, tags = invented(20, seed=5)
    sentences = [TaggedSentence.of(*row) for row in zip(words, tags, strict=True)]
    write_conllu(tmp_path / "gold.conllu", sentences)
    assert read_tagged(tmp_path / "gold.conllu") == (words, tags)
    bare = [TaggedSentence.of(row) for row in words]
    predicted = fitted.predict([sentence.words for sentence in bare])
    made = [s.tagged(row) for s, row in zip(bare, predicted, strict=True)]
    write_conllu(tmp_path / "made.conllu", made)
    assert [s.tags() for s in read_conllu(tmp_path / "made.conllu")] == predicted


def test_it_goes_on_learning(tmp_path):
    X, y = invented(300)
    tagger = small()
    for k in range(0, 300, 100):
        tagger.partial_fit(
            X[k : k + 100], y[k : k + 100], classes=["END", "NOUN", "PRON", "VERB", "X"]
        )
    assert tagger.classes_.tolist() == ["END", "NOUN", "PRON", "VERB", "X"]
    assert tagger.score(X, y) > 0.9
    tagger.save(tmp_path / "model")
    assert SequenceTagger.load(tmp_path / "model").predict(X) == tagger.predict(X)
    with pytest.raises(DataError, match="'ADJ' is none of the tags"):
        tagger.partial_fit([["a"]], [["ADJ"]])


def test_it_is_searched_over_and_piped():
    X, y = invented(60)
    found = GridSearchCV(small(epochs=1), {"hidden_size": [4, 8]}, cv=2).fit(X, y)
    assert found.best_params_["hidden_size"] in (4, 8)
    lower = FunctionTransformer(lambda rows: [[w.lower() for w in row] for row in rows])
    piped = make_pipeline(lower, small(epochs=6)).fit(*invented(200))
    assert piped.predict([["PLAN", "IT"]]) == [["VERB", "PRON"]]


BAD = {
    "no tags": (None, "requires y to be passed"),
    "text": ("NOUN", "y must be a list of tags for each row of X, got str"),
    "rows": ([["A"]], "y has 1 rows for the 2 rows of X"),
    "too few": ([["A", "B"], ["A"]], "y, row 1 has 1 tags for the 2 words of X"),
    "too many": ([["A", "B", "C"], ["A", "B"]], "y, row 0 has 3 tags for the 2 words of X"),
    "one a row": (["A", "B"], "y, row 0: a list of tags was expected"),
    "missing": ([["A", "B"], ["A", None]], "y, row 1, step 1: the tag is missing"),
    "NaN": ([["A", "B"], [float("nan"), "B"]], "y, row 1, step 0: the tag is missing"),
    "empty": ([["A", ""], ["A", "B"]], "y, row 0, step 1: the tag is empty"),
    "mixed": ([["A", 1], ["A", "B"]], "y mixes text with int"),
    "numbers": ([[0.5, 1.25], [0.1, 2.0]], "y: Unknown label type"),
    "one class": ([["A", "A"], ["A", "A"]], "y holds only one class of tag, 'A'"),
}


@pytest.mark.parametrize("case", BAD)
def test_tags_that_cannot_be_learned_are_refused(case):
    y, message = BAD[case]
    with pytest.raises(DataError, match=message):
        small().fit([["a", "b"], ["c", "d"]], y)


def test_inputs_and_parameters_that_cannot_be_used_are_refused(fitted):
    with pytest.raises(NotFittedError, match="call fit first"):
        small().predict([["a"]])
    with pytest.raises(DataError, match="all texts are empty"):
        small().fit(["", ""], [[], []])
    with pytest.raises(DataError, match="X holds numbers, but"):
        fitted.predict(np.zeros((2, 3)))
    with pytest.raises(DataError, match="X, row 1"):
        small().fit([["a", "b"], ["a", 1]], [["A", "B"], ["A", "B"]])
    with pytest.raises(ArgumentError, match="max_length must be"):
        small(max_length=0).fit(*invented(5))
