"""`BlankFiller`: the word that belongs in a blank, from one side of it or from both."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import check_estimator

from recurra.data.sources.blanks import LESSON, BlankTable, best_from_left, load_blanks
from recurra.errors import ArgumentError, DataError, NotFittedError
from recurra.tasks.filling.filler import BlankFiller


def small(**given):
    options = {"hidden_size": 16, "embedding_size": 16, "epochs": 12, "batch_size": 32}
    return BlankFiller(
        **{**options, "learning_rate": 0.02, "patience": None, "random_state": 0, **given}
    )


@pytest.fixture(scope="module")
def table():
    return load_blanks(3000, 600)


@pytest.fixture(scope="module")
def fitted(table: tuple[BlankTable, BlankTable]):
    return small().fit(table[0].sentences, table[0].fillers)


def test_scikit_learns_checks_hold():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(small(epochs=2, hidden_size=8, learning_rate=0.05), on_fail=None)
    assert [r["check_name"] for r in results if r["status"] in ("failed", "xfail")] == []
    assert sum(r["status"] == "passed" for r in results) > 40


def test_both_directions_answer_and_the_lessons_sentences_are_right(fitted, table):
    assert fitted.score(table[1].sentences, table[1].fillers) >= 0.98
    assert fitted.baseline_score_ < 0.6
    assert fitted.left_baseline_score_ < 0.6
    assert [fitted.fill(sentence) for sentence, _ in LESSON] == [
        "I am happy.",
        "I am not hungry.",
        "I am very hungry, and I can eat a big meal.",
    ]


def test_forward_only_has_no_more_than_its_share(table):
    train, test = table
    forward = small(bidirectional=False, epochs=4).fit(train.sentences, train.fillers)
    best = best_from_left(test.sentences, test.fillers)
    assert 0.3 < forward.score(test.sentences, test.fillers) <= best < 0.6
    # Not a bit of what follows gets through.
    p = forward.predict_proba([sentence for sentence, _ in LESSON] + ["I am __"])
    assert all(np.array_equal(row, p[0]) for row in p)


def test_probabilities_are_over_the_words_in_order(fitted):
    assert fitted.classes_.tolist() == ["happy", "not", "very"]
    p = fitted.predict_proba(["I am __.", "They are __ hungry."])
    assert p.shape == (2, 3)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-12)
    assert fitted.classes_[p.argmax(1)].tolist() == ["happy", "not"]
    alone = fitted.predict_proba(["They are __ hungry."])
    np.testing.assert_allclose(alone[0], p[1], rtol=0, atol=1e-7)


def test_a_blank_is_found_however_it_is_written(fitted, table):
    p = fitted.predict_proba(["I am __ hungry."])
    assert np.array_equal(p, fitted.predict_proba(["I am _______ hungry."]))
    assert fitted.fill("I am ____ hungry.") == "I am not hungry."
    # Without one it is at the end; a single underscore is none.
    assert np.array_equal(fitted.predict_proba(["I am"]), fitted.predict_proba(["I am __"]))
    assert np.array_equal(fitted.predict_proba(["I am _ __"])[0] > 0, [True] * 3)
    X, y = table[0].sentences[:200], table[0].fillers[:200]
    p = small(epochs=1).fit(X, y).predict_proba(["I am __ hungry."])
    other = small(epochs=1, blank="[?]").fit([x.replace("__", "[?]") for x in X], y)
    assert np.array_equal(other.predict_proba(["I am [?] hungry."]), p)
    assert other.fill("I am [?] hungry.").split()[2] in ("happy", "not", "very")


def test_blanks_are_made_where_there_are_none(table):
    X, y = table[0].sentences[:200], table[0].fillers[:200]
    whole = [sentence.replace("__", word) for sentence, word in zip(X, y, strict=True)]
    made = small(epochs=1, choices=("happy", "not", "very")).fit(whole)
    assert made.classes_.tolist() == ["happy", "not", "very"]
    # They are the very blanks that the words were put into.
    given = small(epochs=1).fit(X, y)
    assert np.array_equal(made.predict_proba(X), given.predict_proba(X))
    weighted = small(epochs=1, choices=("p", "q"), validation_fraction=0.0)
    weighted.fit(["p a p", "q a p"], sample_weight=[2, 1])
    assert weighted.class_shares_.tolist() == [5 / 6, 1 / 6]
    any_word = small(epochs=1).fit(["a b c", "a b d", "b a c"])
    assert any_word.classes_.tolist() == ["a", "b", "c", "d"]
    assert len(any_word.predict(["a __ c"])) == 1


def test_lists_of_symbols_have_blanks_too():
    X = [[f"x{k}", "__", end] for k in range(40) for end in "ab"]
    filler = small(epochs=6).fit(X, ["p", "q"] * 40)
    assert filler.predict([["x", "__", "b"], ["x", "__", "a"]]).tolist() == ["q", "p"]
    assert filler.fill(["x", "___", "b"]) == ["x", "q", "b"]
    made = small(epochs=1, choices=("p", "q")).fit([["x", "p", "a"], ["x", "q", "b"]] * 5)
    assert made.classes_.tolist() == ["p", "q"]


def test_what_follows_a_series_is_its_filler():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    X = rng.normal(size=(80, 6)) + 3 * y[:, np.newaxis]
    filler = small(epochs=6).fit(X, y)
    assert filler.score(X, y) > 0.95
    assert filler.n_features_in_ == 6
    with pytest.raises(DataError, match="5 features"):
        filler.predict(X[:, :5])


def test_of_a_long_text_what_is_nearest_to_the_blank_is_read(fitted, table):
    near = small(max_length=12, epochs=1).fit(table[0].sentences, table[0].fillers)
    padding = "nothing of it counts . " * 50_000  # a megabyte
    p = near.predict_proba(
        ["a b c d e __ f g h i j k l m n", padding + "a b c d e __ f g h i j k l"]
    )
    assert near.reading_.cut(["a b c d e f g \0 h i j k l m n"], 12)[0] == [
        ["c", "d", "e", "f", "g", "\0", "h", "i", "j", "k", "l", "m"]
    ]
    assert near.reading_.cut(["a b \0 " + "c " * 30], 6)[0] == [["a", "b", "\0", "c", "c", "c"]]
    assert near.reading_.cut(["c " * 30 + "\0 a"], 6)[0] == [["c", "c", "c", "c", "\0", "a"]]
    assert near.reading_.cut(["a b"], 6)[0] == [["a", "b", "\0"]]
    assert near.reading_.cut(["a b"], 1)[0] == [["\0"]]
    assert np.array_equal(p[0], p[1])


def test_a_saved_filler_fills_as_before(fitted, table, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = BlankFiller.load(tmp_path / "model")
    X = table[1].sentences[:50]
    for other in (loaded, pickle.loads(pickle.dumps(fitted))):
        assert np.array_equal(other.predict_proba(X), fitted.predict_proba(X))
    assert loaded.left_baseline_score_ == fitted.left_baseline_score_
    assert loaded.fill("I am __.") == "I am happy."


def test_it_goes_on_learning(table, tmp_path):
    X, y = table[0].sentences, table[0].fillers
    filler = small(learning_rate=0.01)
    for k in range(0, 1500, 300):
        filler.partial_fit(
            X[k : k + 300], y[k : k + 300], classes=["happy", "not", "often", "very"]
        )
    assert filler.classes_.tolist() == ["happy", "not", "often", "very"]
    assert filler.score(table[1].sentences, table[1].fillers) > 0.55
    filler.save(tmp_path / "model")
    loaded = BlankFiller.load(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(X[:9]), filler.predict_proba(X[:9]))
    with pytest.raises(DataError, match="'never' is none of the words"):
        filler.partial_fit(["I am __."], ["never"])


def test_it_is_searched_over(table):
    X, y = table[0].sentences[:200], table[0].fillers[:200]
    found = GridSearchCV(small(epochs=1), {"bidirectional": [True, False]}, cv=2).fit(X, y)
    assert found.best_params_["bidirectional"] in (True, False)


BAD = {
    "two blanks": (["a __ b", "__ a __"], ["p", "q"], "X, row 1 has 2 blanks '__'"),
    "NUL": (["a \0 b", "a __"], ["p", "q"], "X, row 0: holds a NUL character"),
    "one word": (["a __", "b __"], ["p", "p"], "y holds only one class, 'p'"),
    "missing": (["a __", "b __"], ["p", None], "y, row 1: the label is missing"),
    "empty": (["a __", "b __"], ["p", " "], "y, row 1: the label is empty"),
    "too few": (["a __", "b __"], ["p"], "y has 1 targets for the 2 rows of X"),
    "a blank and no y": (["a b", "b __"], None, "X, row 1 has a blank '__', but there is no y"),
    "no words": (["!", "."], None, "there is no word to leave out"),
    "numbers and no y": (np.zeros((3, 2)), None, "requires y to be passed"),
    "no text": (5, ["p"], "X must be a list of sequences"),
}


@pytest.mark.parametrize("case", BAD)
def test_blanks_that_cannot_be_learned_are_refused(case):
    X, y, message = BAD[case]
    with pytest.raises(DataError, match=message):
        small().fit(X, y)


def test_choices_and_blanks_that_cannot_be_used_are_refused(fitted):
    with pytest.raises(DataError, match=r"y, row 1: 'r' is none of choices=\['p', 'q'\]"):
        small(choices=("p", "q")).fit(["a __", "b __"], ["p", "r"])
    with pytest.raises(DataError, match=r"none of \['p', 'q'\] is in the texts"):
        small(choices=("p", "q")).fit(["a", "b"])
    for choices in ("pq", ("p",), ()):
        with pytest.raises(ArgumentError, match="choices must be at least two words"):
            small(choices=choices).fit(["a __"], ["p"])
    for blank in ("", " ", None, 5):
        with pytest.raises(DataError, match="blank must be the text"):
            small(blank=blank).fit(["a __"], ["p"])
    with pytest.raises(DataError, match="there is no blank '__' in 'I am'"):
        fitted.fill("I am")
    with pytest.raises(DataError, match="has 2 blanks"):
        fitted.fill("I am __ and __")
    with pytest.raises(NotFittedError, match="call fit first"):
        small().fill("a __")
