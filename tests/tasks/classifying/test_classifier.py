import pickle
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import recurra
from recurra import SequenceClassifier, load
from recurra.errors import DataError, RecurraWarning


def small(**options: Any) -> SequenceClassifier:
    settings = {
        "hidden_size": 12,
        "embedding_size": 8,
        "epochs": 6,
        "learning_rate": 0.02,
        "random_state": 0,
        "dropout": 0.1,
        "forget": 0.0,
        "patience": None,
    }
    return SequenceClassifier(**{**settings, **options})


def reviews(n: int = 120, seed: int = 0) -> tuple[list[str], list[str]]:
    """Return made-up reviews in which the word before "good" decides."""
    draw = random.Random(seed)
    texts, labels = [], []
    for _ in range(n):
        thing = draw.choice(["food", "staff", "room", "pool", "view"])
        bad = draw.random() < 0.4
        extra = draw.choice(["", " 👍", " @hotel", " !!"])
        texts.append(f"the {thing} was {'not' if bad else 'very'} good{extra} {draw.random():.3f}")
        labels.append("bad" if bad else "good")
    return texts, labels


@pytest.fixture(scope="module")
def fitted() -> SequenceClassifier:
    return small().fit(*reviews())


def test_it_learns_what_the_words_say(fitted: SequenceClassifier) -> None:
    texts, labels = reviews(60, seed=1)
    assert fitted.score(texts, labels) == 1.0
    assert fitted.baseline_score_ < 0.7
    assert fitted.classes_.tolist() == ["bad", "good"]
    p = fitted.predict_proba(texts)
    assert p.shape == (60, 2)
    np.testing.assert_allclose(p.sum(1), 1.0)


def test_word_order_is_learned_where_a_bag_of_words_cannot() -> None:
    draw = random.Random(0)
    texts, labels = [], []
    for _ in range(200):
        first, second = draw.sample(["cheap", "slow", "loud", "dirty"], 2)
        texts.append(f"{first} x{draw.randint(0, 9)} then {second}")
        labels.append(first)
    model = small(epochs=15, bag_of_words=False, bidirectional=False, pooling="last")
    assert model.fit(texts[:150], labels[:150]).score(texts[150:], labels[150:]) > 0.95


def test_the_bag_of_words_counts_as_much_as_helps_on_the_validation_part() -> None:
    # One network of one unit, and labels that a word decides: the bag must do it.
    draw = random.Random(0)
    texts = [" ".join(draw.sample("abcdefghijklmnop", 6)) for _ in range(200)]
    labels = ["with" if "a" in text else "without" for text in texts]
    poor = {"hidden_size": 1, "epochs": 1, "learning_rate": 1e-5, "random_state": 1}
    model = small(**poor).fit(texts, labels)
    assert model.mix_[1] > 0
    assert model.score(texts, labels) > 0.95
    alone = small(**poor, bag_of_words=False).fit(texts, labels)
    assert alone.mix_ == (1.0, 0.0)
    assert alone.score(texts, labels) < 0.8


def test_a_row_is_the_same_alone_and_in_a_batch(fitted: SequenceClassifier) -> None:
    texts, _ = reviews(40, seed=2)
    together = fitted.predict_proba([*texts, "", "one"])
    alone = np.concatenate([fitted.predict_proba([text]) for text in [*texts, "", "one"]])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-7)


def test_saved_and_loaded_it_predicts_the_same(fitted: SequenceClassifier, tmp_path: Path) -> None:
    texts, _ = reviews(20, seed=3)
    again = load(fitted.save(tmp_path / "model"))
    assert isinstance(again, SequenceClassifier)
    assert np.array_equal(again.predict_proba(texts), fitted.predict_proba(texts))
    assert again.mix_ == fitted.mix_
    assert again.baseline_score_ == fitted.baseline_score_
    assert np.array_equal(
        pickle.loads(pickle.dumps(fitted)).predict_proba(texts), fitted.predict_proba(texts)
    )


def test_the_same_seed_gives_the_same_model_whatever_the_order(fitted: SequenceClassifier) -> None:
    texts, labels = reviews()
    turned = small().fit(texts[::-1], labels[::-1])
    twice = small().fit(texts + texts, labels + labels)
    held, _ = reviews(10, seed=4)
    assert np.array_equal(turned.predict_proba(held), fitted.predict_proba(held))
    assert not np.array_equal(
        small(random_state=1).fit(texts, labels).predict_proba(held), fitted.predict_proba(held)
    )
    # All weights doubled is the same loss, but for its rounding.
    np.testing.assert_allclose(twice.predict_proba(held), fitted.predict_proba(held), atol=0.05)


@pytest.mark.parametrize("cell", ["elman", "fcn", "gru", "s_lstm"])
def test_any_cell_classifies_numbers_of_unequal_lengths(cell: str) -> None:
    rng = np.random.default_rng(0)
    series = [rng.normal(size=rng.integers(3, 9)) + 2 * (k % 2) for k in range(80)]
    model = small(cell=cell, hidden_size=8, epochs=8).fit(series, [k % 2 for k in range(80)])
    assert model.score(series, [k % 2 for k in range(80)]) > 0.9
    assert model.predict(series).dtype == np.int64


@pytest.mark.parametrize("tokens", ["char", "bpe"])
def test_texts_are_read_by_character_or_piece(tokens: str, tmp_path: Path) -> None:
    texts, labels = reviews()
    model = small(tokens=tokens, epochs=10).fit(texts, labels)
    assert model.score(texts, labels) > 0.9
    again = load(model.save(tmp_path / "model"))
    assert np.array_equal(again.predict_proba(texts[:5]), model.predict_proba(texts[:5]))  # type: ignore[attr-defined]


def test_sequences_of_three_dimensions_keep_their_features() -> None:
    X = np.random.default_rng(0).normal(size=(30, 4, 3))
    model = small(epochs=1).fit(X, X[:, 0, 0] > 0)
    assert model.n_features_in_ == 3
    assert model.predict(X).dtype == bool
    with pytest.raises(DataError, match="X has 2 features a step, but SequenceClassifier is"):
        model.predict(X[:, :, :2])
    with pytest.raises(DataError, match="X holds text, but SequenceClassifier was fitted on num"):
        model.predict(["a text"])


def test_balanced_classes_find_more_of_the_rare_one() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(300) < 0.1).astype(int)
    X = rng.normal(size=(300, 3, 1)) + 0.7 * y[:, None, None]
    plain = small(epochs=3).fit(X, y).predict(X)
    balanced = small(epochs=3, class_weight="balanced").fit(X, y).predict(X)
    assert balanced[y == 1].mean() > plain[y == 1].mean() + 0.2
    with pytest.raises(DataError, match=re.escape("class_weight: 7 is none of the classes [0, 1]")):
        small(class_weight={7: 2.0}).fit(X, y)


def test_partial_fit_goes_on_where_it_was() -> None:
    texts, labels = reviews(240)
    model = small(learning_rate=0.01)
    for first in range(0, 240, 60):
        part = slice(first, first + 60)
        model.partial_fit(texts[part], labels[part], classes=["bad", "good", "odd"])
    assert model.classes_.tolist() == ["bad", "good", "odd"]
    assert len(model.history_.epochs) == 4
    assert [epoch.number for epoch in model.history_.epochs] == [1, 2, 3, 4]
    assert model.score(*reviews(50, seed=5)) > 0.9
    with pytest.raises(DataError, match="y: 'new' is none of the classes"):
        model.partial_fit(["a text"], ["new"])
    with pytest.raises(DataError, match="X holds numbers"):
        model.partial_fit([[1.0]], ["bad"])


def test_grid_search_and_pipelines_take_it() -> None:
    texts, labels = reviews(60)
    search = GridSearchCV(small(epochs=2), {"cell": ["gru", "elman"]}, cv=2).fit(texts, labels)
    assert search.best_params_["cell"] in ("gru", "elman")
    lower = FunctionTransformer(lambda rows: [row.lower() for row in rows])
    assert make_pipeline(lower, small(epochs=2)).fit(texts, labels).predict(texts[:3]).shape == (3,)


def test_a_learning_rate_is_found_between_what_stalls_and_what_diverges() -> None:
    texts, labels = reviews()
    model = small()
    found = model.find_learning_rate(texts, labels, steps=60)
    assert 1e-4 < found.suggestion < 1
    assert len(found.rates) == len(found.losses) <= 60
    assert found.rates == sorted(found.rates)
    assert not hasattr(model, "network_")


def test_the_summary_names_the_parts_and_counts_them(fitted: SequenceClassifier) -> None:
    lines = fitted.summary().splitlines()
    assert lines[0].split() == ["SequenceClassifier", "BesideBag", f"{fitted.parameter_count_:,}"]
    assert any("encoder" in line and "Encoder" in line for line in lines)


def test_texts_longer_than_max_length_are_cut_and_said() -> None:
    texts, labels = reviews(40)
    long = [*texts[:-1], "very good " * 50]
    with pytest.warns(RecurraWarning, match="1 of 36 inputs have more than max_length=20 steps|of"):
        model = small(max_length=20, epochs=1, validation_fraction=0.0).fit(long, labels)
    cut = " ".join(long[-1].split()[:20])
    assert np.array_equal(model.predict_proba([long[-1]]), model.predict_proba([cut]))


@pytest.mark.parametrize(
    "text",
    ["\ud800 \udfff", "\u200b\u200d\u200c", "🏳️‍🌈" * 500, "\0\0", "x" * 10**6, "good " * 10**5, ""],
)
def test_any_text_is_given_a_prediction(fitted: SequenceClassifier, text: str) -> None:
    assert fitted.predict([text])[0] in ("good", "bad")


@pytest.mark.parametrize(
    ("X", "y", "said"),
    [
        (["a b", "c d"], ["x", "x"], "y holds only one class, 'x': there is nothing to tell apart"),
        (["a b", "c d"], ["x"], "y has 1 targets for the 2 rows of X."),
        (["a b", "c d"], ["x", None], "y, row 1: the label is missing"),
        (["a b", "c d"], ["x", float("nan")], "y, row 1: the label is missing"),
        (["a b", "c d"], ["x", " "], "y, row 1: the label is empty"),
        (["a b", "c d"], ["x", 1], "y mixes text with int"),
        (["a b", "c d"], [0.5, 1.7], "Unknown label type: continuous"),
        (["", " "], ["x", "y"], "there is nothing to learn from: all texts are empty"),
        (["a b", "c d"], "xy", "y must be a list of labels, got the text 'xy'"),
        (["a b", "c d"], None, "SequenceClassifier requires y to be passed"),
        (["a b", "c d"], [["x"], ["y", "z"]], "rows of unequal lengths"),
        ([], [], "X is empty"),
    ],
)
def test_data_that_cannot_be_learned_is_refused(X: Any, y: Any, said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        small().fit(X, y)


def test_a_class_seen_once_is_learned_from() -> None:
    texts, labels = reviews(60)
    model = small(epochs=1).fit([*texts, "a single case"], [*labels, "odd"])
    assert model.class_shares_[model.classes_.tolist().index("odd")] > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pooling": "sum"}, "pooling='sum' is not known"),
        ({"tokens": "line"}, "tokens='line' is not known"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, or None, got 1.0"),
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"max_length": True}, "max_length must be a whole number"),
        ({"clip": (2.0, 1.0)}, "2"),
        ({"schedule": "step"}, "schedule='step' is not known"),
        ({"truncate": 0}, "truncate must be a whole number of at least 1, or None, got 0"),
        ({"class_weight": "even"}, "class_weight must be 'balanced', a dict or None"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused_in_fit(options: Any, said: str) -> None:
    model = small(**options)
    with pytest.raises(recurra.RecurraError, match=re.escape(said)):
        model.fit(*reviews(30))


def test_gradients_are_truncated_and_clipped_by_layer_where_asked() -> None:
    model = small(epochs=1, truncate=2, clip=(0.0, 0.5), clip_by="layer").fit(*reviews(40))
    assert model.network_.deep.encoder.recurrent.truncate == 2
    assert model.history_.clip_by == "layer"
    assert model.history_.group_norms


def test_without_a_validation_part_there_is_no_bag_of_words() -> None:
    model = small(epochs=1, validation_fraction=0.0).fit(*reviews(40))
    assert model.mix_ == (1.0, 0.0)
    assert not hasattr(model.network_, "bag")


def test_a_feature_that_never_changes_is_no_division_by_zero() -> None:
    X = np.random.default_rng(0).normal(size=(30, 4, 2))
    X[..., 1] = 1e6 + 0.1
    model = small(epochs=1).fit(X, np.arange(30) % 2)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.reading_.deviation[1] == 1.0
