import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from invented import invented_names, small_generator
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from recurra import SequenceGenerator, cells
from recurra.data.examples import Examples
from recurra.errors import ArgumentError, DataError, NotFittedError, RecurraWarning
from recurra.tasks.generating.symbol_sequences import SymbolSequences
from recurra.training import Callback, Epoch, Trainer


def test_it_learns_more_than_pairs_of_characters_tell(fitted: SequenceGenerator) -> None:
    names, countries = invented_names(seed=1)
    assert -fitted.score(names, countries) < fitted.baseline_loss_
    history = fitted.history_
    assert history.epochs[-1].train_loss < 0.6 * history.epochs[0].train_loss


def test_every_generated_sequence_starts_with_the_prefix(fitted: SequenceGenerator) -> None:
    for prefix, country in (("A", "Vowland"), ("K", "Consland"), ("Ala", "Vowland")):
        made = fitted.generate(prefix, country, 30)
        assert len(made) == 30
        assert all(name.startswith(prefix) for name in made)


def test_the_label_decides_what_is_generated(fitted: SequenceGenerator) -> None:
    for country, heads in (("Vowland", "AO"), ("Consland", "KR")):
        made = fitted.generate("", country, 60)
        assert sum(name[0] in heads for name in made) > 50


def test_only_the_label_s_own_symbols_are_drawn(fitted: SequenceGenerator) -> None:
    names, countries = invented_names()
    for country in ("Vowland", "Consland"):
        own = {s for name, c in zip(names, countries, strict=True) if c == country for s in name}
        drawn = set("".join(fitted.generate("", country, 300, temperature=50.0)))
        assert drawn <= own
        assert len(drawn) > 5


def test_without_a_prefix_no_sequence_is_empty(fitted: SequenceGenerator) -> None:
    assert all(fitted.generate("", "Vowland", 200, temperature=3.0))


def test_the_same_random_state_generates_the_same(fitted: SequenceGenerator) -> None:
    first = fitted.generate("", "Vowland", 10, random_state=5)
    assert first == fitted.generate("", "Vowland", 10, random_state=5)
    assert first != fitted.generate("", "Vowland", 10, random_state=6)


def test_unique_leaves_out_repeats(fitted: SequenceGenerator) -> None:
    made = fitted.generate("A", "Vowland", 15, unique=True)
    assert len(set(made)) == len(made) == 15


def test_unique_says_when_there_are_too_few(fitted: SequenceGenerator) -> None:
    with pytest.warns(RecurraWarning, match=r"only \d+ different"):
        made = fitted.generate("A", "Vowland", 50, unique=True, top_k=1)
    assert len(made) == 1


def test_a_low_temperature_repeats_itself_more(fitted: SequenceGenerator) -> None:
    cold = fitted.generate("A", "Vowland", 100, temperature=0.2)
    warm = fitted.generate("A", "Vowland", 100, temperature=2.0)
    assert len(set(cold)) < len(set(warm))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"condition": "Vowlant"}, "did you mean 'Vowland'"),
        ({"condition": None}, "needs a condition: one of Consland, Vowland"),
        ({"prefix": "K"}, "no sequence of 'Vowland' starts with 'K'; they start with A, O"),
        ({"prefix": "Až"}, "never learned 'ž'"),
        ({"prefix": "A" * 300}, "300 symbols"),
        ({"n": 0}, "n must be"),
        ({"n": 2.5}, "n must be"),
        ({"temperature": 0}, "temperature"),
        ({"temperature": -1.0}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
    ],
)
def test_what_cannot_be_generated_is_an_error_that_says_why(
    fitted: SequenceGenerator, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        fitted.generate(**{"condition": "Vowland", **arguments})


def test_a_score_is_the_mean_log_likelihood_of_a_symbol_and_the_end(
    fitted: SequenceGenerator,
) -> None:
    names, countries = invented_names(seed=2, n=5)
    samples = fitted.score_samples(names, countries)
    assert fitted.score(names, countries) == pytest.approx(
        samples.sum() / sum(len(name) + 1 for name in names)
    )
    vocabulary = fitted.lexicon_.vocabulary
    tokens = torch.tensor([[2], *[[n] for n in vocabulary.encode(names[0])]])
    label = torch.tensor([fitted.conditions_.index(countries[0])])
    with torch.no_grad():
        log_p = fitted.network_(tokens, label)[0].log_softmax(-1)
    by_hand = sum(float(log_p[t, 0, n]) for t, n in enumerate([*vocabulary.encode(names[0]), 0]))
    assert samples[0] == pytest.approx(by_hand, rel=1e-5)


def test_scores_stand_in_the_order_of_their_sequences(fitted: SequenceGenerator) -> None:
    names, countries = invented_names(seed=2, n=40)
    together = fitted.score_samples(names, countries)
    alone = [
        fitted.score_samples([name], [country])[0]
        for name, country in zip(names[:10], countries[:10], strict=True)
    ]
    np.testing.assert_allclose(together[:10], alone, rtol=1e-5)


def test_an_unknown_symbol_is_scored_and_not_free(fitted: SequenceGenerator) -> None:
    known, unknown = fitted.score_samples(["Ala", "Alж"], ["Vowland", "Vowland"])
    assert math.isfinite(unknown)
    assert unknown < known


def test_the_same_random_state_trains_the_same_bits() -> None:
    first, second = (small_generator(epochs=2).fit(*invented_names()) for _ in range(2))
    for a, b in zip(first.network_.parameters(), second.network_.parameters(), strict=True):
        assert torch.equal(a, b)
    assert first.history_.gradient_norms == second.history_.gradient_norms


def test_fitting_leaves_torch_s_random_numbers_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    small_generator(epochs=1).fit(*invented_names(n=10))
    assert torch.equal(torch.rand(3), expected)


def test_validation_names_are_never_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    names, countries = invented_names(n=100)
    parts: list[set[str]] = []
    batches = SymbolSequences.batches

    def listen(self: SymbolSequences, network: object, examples: Examples, *rest: object) -> object:
        parts.append({"".join(row).casefold() for row in examples.inputs})
        return batches(self, network, examples, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(SymbolSequences, "batches", listen)
    shouted = [*names, *(name.upper() for name in names)]
    SequenceGenerator(
        hidden_size=4, embedding_size=4, epochs=1, random_state=0, validation_fraction=0.3
    ).fit(shouted, countries * 2)
    learned, held = parts
    assert not learned & held
    assert learned | held == {name.casefold() for name in names}


def test_batches_of_nothing_but_weight_0_do_no_harm() -> None:
    names, countries = invented_names(n=20)
    long = ["Z" * 40] * 64
    model = small_generator(epochs=2, validation_fraction=0.3)
    model.fit([*names, *long], [*countries, *["Vowland"] * 64], [1.0] * 40 + [0.0] * 64)
    assert all(math.isfinite(epoch.train_loss) for epoch in model.history_.epochs)


def test_a_weight_of_0_makes_a_sequence_unseen() -> None:
    names, countries = invented_names()
    odd = [*names, *["Zzzzzz"] * 60]  # more than a batch: some hold nothing else
    labels = [*countries, *["Vowland"] * 60]
    weights = [1.0] * len(names) + [0.0] * 60
    options = {"validation_fraction": 0.0, "epochs": 8}
    without = small_generator(**options).fit(odd, labels, weights)
    with_them = small_generator(**options).fit(odd, labels)
    probe = (["Zzzzzz"], ["Vowland"])
    assert with_them.score(*probe) > without.score(*probe) + 1


@pytest.mark.parametrize("cell", ["elman", "fcn", "gru", "lstm", cells.GRU])
def test_it_runs_on_any_cell_and_depth(cell: Any) -> None:
    model = small_generator(cell=cell, num_layers=2, epochs=1).fit(*invented_names(n=20))
    assert model.generate("A", "Vowland", 2)


def test_a_cell_s_options_reach_it() -> None:
    model = small_generator(cell_options={"squash_cell": True}, epochs=1)
    model.fit(*invented_names(n=10))
    assert any(getattr(m, "squash_cell", False) for m in model.network_.modules())


def test_sequences_may_be_lists_and_need_no_labels() -> None:
    steps = [["go", "left"], ["go", "right"], ["stop"], ["go", "left", "stop"]] * 8
    model = small_generator(epochs=2).fit(steps)
    made = model.generate(["go"], n=5)
    assert all(isinstance(row, list) and row[0] == "go" for row in made)
    assert model.conditions_ == []
    with pytest.raises(ArgumentError, match="without labels"):
        model.generate(["go"], "Vowland")


@pytest.mark.parametrize(
    ("names", "countries", "message"),
    [
        ([], [], "X is empty"),
        (["Ala", "Kork"], ["Vowland", "Vowland"], "'Vowland' in every row"),
        (["Ala", "Kork"], ["Vowland"], "1 labels for 2 sequences"),
        (["Ala", "x" * 10_000], ["Vowland", "Consland"], "row 1: 10000 symbols"),
        (["Ala", None], ["Vowland", "Consland"], "row 1"),
    ],
)
def test_data_that_cannot_be_learned_is_refused(names: Any, countries: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        small_generator().fit(names, countries)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be a whole number of at least 1, got 0"),
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"dropout": 1.0}, "dropout"),
        ({"clip": (2.0, 1.0)}, "0 <= L <= U"),
        ({"cell": "lstn"}, "'lstm'"),
        ({"cell_options": {"squash": True}}, "squash_cell"),
        ({"device": "gpuu"}, "gpuu"),
        ({"random_state": "x"}, "random_state"),
    ],
)
def test_parameters_are_checked_when_they_are_used(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        small_generator(**option).fit(*invented_names(n=10))


def test_before_fit_it_says_so() -> None:
    with pytest.raises(NotFittedError, match="call fit first"):
        small_generator().generate("A", "Vowland")
    with pytest.raises(NotFittedError):
        small_generator().score(["Ala"], ["Vowland"])
    with pytest.raises(NotFittedError):
        small_generator().save("nowhere")


def test_the_norm_band_and_callbacks_reach_the_loop() -> None:
    epochs: list[int] = []

    class Count(Callback):
        def on_epoch_end(self, trainer: Trainer, epoch: Epoch) -> None:
            epochs.append(epoch.number)

    model = small_generator(clip=(0.3, 0.4), callbacks=[Count()]).fit(*invented_names(n=20))
    assert model.history_.band == (0.3, 0.4)
    assert epochs == [1, 2, 3, 4]


def test_scikit_learn_can_clone_and_search_it() -> None:
    model = small_generator(epochs=1)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    names, _ = invented_names(n=20)
    search = GridSearchCV(model, {"hidden_size": [4, 8]}, cv=2).fit(names)
    assert search.best_params_["hidden_size"] in (4, 8)


def test_the_repr_shows_what_is_not_the_default() -> None:
    assert repr(SequenceGenerator(hidden_size=8)) == "SequenceGenerator(hidden_size=8)"


def test_pickling_a_fitted_generator_keeps_its_predictions(fitted: SequenceGenerator) -> None:
    copy = pickle.loads(pickle.dumps(fitted))
    assert copy.generate("A", "Vowland", 5, random_state=1) == fitted.generate(
        "A", "Vowland", 5, random_state=1
    )
