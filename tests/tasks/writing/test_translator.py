import math
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from recurra.errors import ArgumentError, DataError, ModelFileError, NotFittedError, RecurraWarning
from recurra.tasks.writing.translator import Translator


def reversals(n: int = 500, seed: int = 0) -> tuple[list[str], list[str]]:
    """Return texts and the same backwards in capitals."""
    draw = random.Random(seed)
    texts = ["".join(draw.choices("abcd", k=draw.randint(1, 6))) for _ in range(n)]
    return texts, [text[::-1].upper() for text in texts]


def small(**options: Any) -> Translator:
    settings: dict[str, Any] = {
        "cell": "gru",
        "hidden_size": 32,
        "embedding_size": 16,
        "epochs": 12,
        "batch_size": 16,
        "learning_rate": 0.01,
        "dropout": 0.0,
        "patience": None,
        "random_state": 0,
    }
    return Translator(**{**settings, **options})


@pytest.fixture(scope="module")
def fitted() -> Translator:
    return small().fit(*reversals())


def test_it_learns_to_turn_texts_round(fitted: Translator) -> None:
    X, y = reversals(80, seed=1)
    assert fitted.score(X, y) > 0.9
    assert fitted.predict(["abcd", "a"]) == ["DCBA", "A"]
    assert fitted.baseline_score_ < 0.3
    assert set(fitted.baselines_) == {
        "the most frequent target",
        "the nearest input's target",
        "the input itself",
    }


def test_the_score_counts_what_is_written_exactly(fitted: Translator) -> None:
    assert fitted.score(["abcd", "ab"], ["DCBA", "XX"]) == 0.5
    assert fitted.score(["abcd", "ab"], ["DCBA", "XX"], [3, 1]) == 0.75


def test_several_translations_come_with_scores_the_best_first(fitted: Translator) -> None:
    found = fitted.translate(["abc", "ba"], n_best=3)
    for row, best in zip(found, fitted.predict(["abc", "ba"]), strict=True):
        assert row[0].content == best
        assert len({each.content for each in row}) == 3
        assert [each.score for each in row] == sorted((each.score for each in row), reverse=True)
        assert all(each.score == each.log_p <= 0 for each in row)
    long = fitted.translate(["abc"], length_penalty=1.0)[0][0]
    assert long.score == pytest.approx(long.log_p / (9 / 6))


def test_a_log_probability_is_the_network_s(fitted: Translator) -> None:
    found = fitted.translate(["abca"])[0][0]
    batch, lengths = fitted.reading_.batch([list("abca")], torch.device("cpu"))
    symbols = fitted.writing_.encode(found.content)
    with torch.no_grad():
        logits, _ = fitted.network_(batch, torch.tensor([[2], *([s] for s in symbols)]), lengths)
    each = logits.double()
    each[..., [1, 2]] = -math.inf  # never written
    log_p = each.log_softmax(-1)
    by_hand = sum(float(log_p[t, 0, s]) for t, s in enumerate([*symbols, 0]))
    assert found.log_p == pytest.approx(by_hand, abs=1e-5)


def test_attention_says_where_each_symbol_and_the_end_looked(fitted: Translator) -> None:
    sources = ["abcd", "dcab", "ab"]
    for source, each in zip(sources, fitted.attention(sources), strict=True):
        assert each.source == list(source)
        assert each.target == [*source[::-1].upper(), ""]
        assert each.weights.shape == (len(source) + 1, len(source))
        np.testing.assert_allclose(each.weights.sum(1), 1, rtol=1e-5)
        alone = fitted.attention([source])[0]
        np.testing.assert_allclose(each.weights, alone.weights, atol=1e-5)
    # Turning round, it looks from the end of the source to its beginning.
    places = fitted.attention(["abcdab"])[0].weights @ np.arange(6)
    assert places[0] > places[5] + 2


def test_a_row_alone_is_written_as_in_a_batch(fitted: Translator) -> None:
    X, _ = reversals(30, seed=2)
    together = fitted.translate(X)
    for source, found in zip(X[:8], together, strict=False):
        alone = fitted.translate([source])[0][0]
        assert alone.content == found[0].content
        assert alone.log_p == pytest.approx(found[0].log_p, abs=1e-4)


@pytest.mark.parametrize(
    "source", ["", "xyz", "ж\u200d\U0001f600", "\ud800", "a" * 1_000_000, "a\x00b"]
)
def test_whatever_is_given_is_written_something_for(fitted: Translator, source: str) -> None:
    assert isinstance(fitted.predict([source, "ab"])[0], str)


def test_lists_of_words_on_either_side() -> None:
    X = [["go", "left"], ["go", "right"], ["stop"], ["go", "left", "left"]] * 10
    y = [["L"], ["R"], [], ["L", "L"]] * 10
    model = small(validation_fraction=0.0, epochs=20).fit(X, y)
    assert model.predict([["go", "right"], ["stop"]]) == [["R"], []]
    assert model.score(X, y) == 1.0


@pytest.mark.parametrize("tokens", ["word", "bpe"])
def test_texts_by_words_and_by_pieces(tokens: str) -> None:
    X = ["the red cat", "the dog", "a red dog", "the cat"] * 6
    y = ["le chat rouge", "le chien", "un chien rouge", "le chat"] * 6
    model = small(tokens=tokens, epochs=60, validation_fraction=0.0).fit(X, y)
    assert model.predict(["the dog", "a red dog"]) == ["le chien", "un chien rouge"]


def test_a_target_of_one_label_comes_back_as_it_was_given() -> None:
    draw = np.random.default_rng(0)
    X = draw.normal(size=(120, 5))
    for y in ((X.sum(1) > 0).astype(np.int64) * 7, X.sum(1) > 0):
        model = small(epochs=8).fit(X, y)
        made = model.predict(X)
        assert made.shape == (120,)
        assert made.dtype == y.dtype
        assert (made == y).mean() > 0.9
        assert model.score(X, y) == (made == y).mean()
    with pytest.raises(DataError, match="4 features, but Translator is expecting 5"):
        model.predict(X[:, :4])


def test_series_of_unequal_lengths_are_read() -> None:
    draw = np.random.default_rng(0)
    X = [draw.normal(size=(draw.integers(1, 6), 2)) for _ in range(120)]
    y = ["up" if x[:, 0].sum() > 0 else "down" for x in X]
    model = small(epochs=8).fit(X, y)
    assert model.score(X, y) > 0.9
    assert "the input itself" not in model.baselines_


def test_a_condition_says_what_is_wanted() -> None:
    X, y = reversals(300)
    both = [*y, *X]
    kinds = ["turn"] * len(X) + ["copy"] * len(X)
    model = small(epochs=10).fit([*X, *X], both, condition=kinds)
    assert model.predict(["abc", "abc"], condition=["turn", "copy"]) == ["CBA", "abc"]
    assert model.predict(["abc", "dd"], condition="copy") == ["abc", "dd"]
    assert model.score(X, y, condition="turn") > 0.8
    with pytest.raises(ArgumentError, match="needs a condition: one of copy, turn"):
        model.predict(["abc"])
    with pytest.raises(ArgumentError, match="'spin' was never learned; the model knows copy, turn"):
        model.predict(["abc"], condition="spin")
    with pytest.raises(ArgumentError, match="fitted without"):
        small(epochs=1).fit(*reversals(20)).predict(["a"], condition="copy")


def test_scheduled_sampling_learns_too_and_leaves_the_prediction_alone() -> None:
    always = small(epochs=2).fit(*reversals(60))
    other = small(epochs=2, teacher_forcing="linear").fit(*reversals(60))
    assert not torch.equal(next(always.network_.parameters()), next(other.network_.parameters()))
    assert other.network_.decoder.ratio == 0.0  # type: ignore[union-attr]
    assert all(math.isfinite(epoch.train_loss) for epoch in other.history_.epochs)
    assert other.predict(["abc"]) == other.predict(["abc"])


def test_vocabularies_hold_what_was_trained_on_and_no_more() -> None:
    X, y = reversals(60)
    odd, even = "ÀÁÂÃÄÅÆÇÈÉ", "ÐÑÒÓÔÕÖØÙÚ"
    model = small(epochs=1, validation_fraction=0.5).fit([*X, *odd], [*y, *even])
    known = [k for k, symbol in enumerate(odd) if symbol in model.reading_.symbols]
    assert 0 < len(known) < len(odd)
    assert known == [k for k, symbol in enumerate(even) if symbol in model.writing_.symbols]


def test_a_saved_model_writes_the_same(fitted: Translator, tmp_path: Path) -> None:
    X, _ = reversals(20, seed=3)
    fitted.save(tmp_path / "m")
    loaded = Translator.load(tmp_path / "m")
    assert loaded.predict(X) == fitted.predict(X)
    assert loaded.baselines_ == fitted.baselines_
    assert pickle.loads(pickle.dumps(fitted)).predict(X) == fitted.predict(X)
    for path in (tmp_path / "m").glob("config.json"):
        path.write_text(path.read_text().replace('"longest"', '"lonGest"'))
    with pytest.raises(ModelFileError):
        Translator.load(tmp_path / "m")


@pytest.mark.parametrize("cell", ["elman", "lstm", "s_lstm", "min_gru"])
def test_any_cell_will_do_in_one_direction_or_two(cell: str) -> None:
    for both in (False, True):
        model = small(cell=cell, epochs=1, bidirectional=both, num_layers=2)
        assert len(model.fit(*reversals(40)).predict(["ab", "c"])) == 2


def test_the_same_random_state_trains_the_same_bits() -> None:
    first, second = (small(epochs=2, dropout=0.2).fit(*reversals(60)) for _ in range(2))
    for a, b in zip(first.network_.parameters(), second.network_.parameters(), strict=True):
        assert torch.equal(a, b)


def test_longer_sources_are_cut_and_it_says_so() -> None:
    X, y = reversals(40)
    with pytest.warns(RecurraWarning, match="1 of .* inputs have more than max_length=10"):
        small(epochs=1, max_length=10, validation_fraction=0.0).fit([*X, "a" * 50], [*y, "A"])


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (["a", "b"], ["A"], "1 targets for the 2 rows"),
        (["a"], None, "requires y to be passed"),
        (["a", "b"], "AB", "y must be a list of targets, got the text 'AB'"),
        (["a", "b"], ["A", None], "y, row 1"),
        (["a", "b"], ["", ""], "are empty"),
        (["", ""], ["A", "B"], "are empty"),
        (["a", "b"], ["A", "B" * 300], "y, row 1: 300 symbols, .* max_target_length is 200"),
        (["a", "b"], [[1, 2], [3]], "not lists of numbers"),
        ([], [], "X is empty"),
    ],
)
def test_data_that_cannot_be_learned_is_refused(X: Any, y: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        small(epochs=1).fit(X, y)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"beam_size": 0}, "beam_size must be a whole number of at least 1, got 0"),
        ({"length_penalty": -1.0}, "length_penalty"),
        ({"teacher_forcing": "never"}, "teacher_forcing must be one of"),
        ({"attention_score": "cosine"}, "'cosine'"),
        ({"max_target_length": 0}, "max_target_length"),
        ({"tokens": "letters"}, "'letters'"),
    ],
)
def test_parameters_are_checked_when_they_are_used(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        small(**option).fit(*reversals(10))


def test_before_fit_it_says_so() -> None:
    for ask in (small().predict, small().translate, small().attention):
        with pytest.raises(NotFittedError, match="call fit first"):
            ask(["a"])
    with pytest.raises(NotFittedError):
        small().score(["a"], ["A"])


def test_scikit_learn_can_clone_and_search_it() -> None:
    model = small(epochs=1)
    assert clone(model).get_params() == model.get_params()
    search = GridSearchCV(model, {"hidden_size": [4, 8]}, cv=2).fit(*reversals(20))
    assert search.best_params_["hidden_size"] in (4, 8)
