"""The card says what a model is, how good it is beside what is naive, and how to use it."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
from invented import invented_names, small_generator
from torch import Tensor, nn

import recurra
from recurra import SequenceClassifier
from recurra.tasks.loading import TASKS
from recurra.tasks.saving import card_text
from recurra.tasks.saving.card import write_card
from recurra.tasks.saving.card_text import code, counted, table
from recurra.tasks.saving.config import Judgement

TEXTS = [f"{word} {k}" for k in range(12) for word in ("good", "bad")]
LABELS = ["yes", "no"] * 12
SMALL: dict[str, Any] = {"hidden_size": 4, "epochs": 1, "random_state": 0, "tokens": "char"}


class Leak(nn.Module):
    """A cell whose equations cannot be traced: what it does depends on the numbers."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.state_sizes = {"h": hidden_size}
        self.read = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        h = self.read(x).tanh() + (h if float(h.detach().sum()) < math.inf else 0)
        return h, (h,)


def classifier(**options: Any) -> SequenceClassifier:
    return SequenceClassifier(**{**SMALL, **options}).fit(TEXTS, LABELS)


def sections(card: str) -> dict[str, str]:
    """Return the text under each heading."""
    parts = re.split(r"^#+ (.*)\n", card, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_task_has_its_words() -> None:
    assert card_text.TASKS.keys() == TASKS.keys()


def test_a_card_has_all_its_sections_in_order() -> None:
    card = write_card(classifier(), "reviews")
    assert list(sections(card)) == [
        "reviews",
        "What it was trained on",
        "How good it is",
        "The cell's equations",
        "How to load it",
        "What it should not be used for",
    ]
    assert card.endswith("\n")
    assert "\n\n\n" not in card


def test_it_says_what_it_is_and_what_it_learned_from() -> None:
    model = classifier(num_layers=2)
    model.about_ = model.about_.model_copy(
        update={"data": "reviews.csv", "digest": "a" * 64, "columns": {"label": "mood"}}
    )
    parts = sections(write_card(model, "m"))
    assert "| Cell | `lstm`, 4 units, 2 layers, both directions |" in parts["m"]
    assert f"| Parameters | {model.parameter_count_:,} |" in parts["m"]
    assert f"cut into characters; {len(model.reading_.symbols)} characters known" in parts["m"]
    assert "| Answers | 2 classes: `no`, `yes` |" in parts["m"]
    trained = parts["What it was trained on"]
    assert f"the table `reviews.csv` (SHA-256 `{'a' * 64}`)" in trained
    assert "its columns: label `mood`" in trained
    assert "22 different sequences; 2 more chose the best epoch" in trained
    assert re.search(r"1 epoch in \d+ s; epoch 1 was the best", trained)
    assert "it saw only 22 sequences" in parts["What it should not be used for"]


def test_the_loss_stands_beside_what_knows_only_the_classes() -> None:
    model = classifier()
    said = sections(write_card(model, "m"))["How good it is"]
    assert "knowing only how frequent each class is it is 0.693" in said
    model.history_.epochs[-1].valid_loss = 0.7
    assert (
        "as good or better: the network adds nothing"
        in sections(write_card(model, "m"))["How good it is"]
    )
    model.history_.epochs[-1].valid_loss = 0.1
    said = sections(write_card(model, "m"))["How good it is"]
    assert "the loss was 0.100 nats an example;" in said
    assert "adds nothing" not in said
    assert "the most frequent class 0.500" in said


def test_without_a_part_held_out_it_says_so() -> None:
    said = write_card(classifier(validation_fraction=0.0), "m")
    assert "No part was held out to choose the epoch" in said
    assert "24 different sequences\n" in said


def test_after_parts_that_were_not_counted_it_says_so() -> None:
    model = SequenceClassifier(**SMALL).partial_fit(TEXTS, LABELS)
    assert "how many examples it saw was not counted" in write_card(model, "m")


@pytest.mark.parametrize("ahead", [True, False])
def test_scores_on_the_part_held_out_come_first_with_their_verdict(
    ahead: bool, tmp_path: Path
) -> None:
    score = {
        "name": "accuracy", "value": 0.8, "examples": 50, "noun": "texts", "ahead": ahead,
        "baselines": {"TF-IDF": 0.9, "a|b": 0.5}, "verdict": "TF-IDF wins, 0.9 against 0.8.",
    }  # fmt: skip
    folder = classifier().save(tmp_path / "m", about={"scores": [score]})
    parts = sections((folder / "README.md").read_text())
    assert "| accuracy, 50 texts | 0.800 | TF-IDF 0.900, a\\|b 0.500 |" in parts["How good it is"]
    assert "TF-IDF wins, 0.9 against 0.8." in parts["How good it is"]
    limits = parts["What it should not be used for"]
    assert ("naive model does as well or better" in limits) is not ahead


def test_the_equations_are_those_of_the_cell() -> None:
    lstm = sections(write_card(classifier(), "m"))["The cell's equations"]
    assert "c' = t" in lstm
    assert "weight_hh · h" in lstm
    assert "adjoint" not in lstm
    elman = sections(write_card(classifier(cell="elman"), "m"))["The cell's equations"]
    assert "h' = tanh(" in elman
    assert "sigmoid" not in elman


def test_a_cell_that_cannot_be_written_down_is_named_and_must_be_passed() -> None:
    parts = sections(write_card(classifier(cell=Leak), "m"))
    assert "cannot write them down: see the class `Leak`" in parts["The cell's equations"]
    assert 'recurra.load("m", cell=Leak)' in parts["How to load it"]
    assert "must be passed" in parts["How to load it"]
    assert "```console" not in parts["How to load it"]


def test_what_it_says_of_loading_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = small_generator(epochs=1).fit(*invented_names(n=10))
    for saved in (model, classifier()):
        card = (saved.save(tmp_path / "of this") / "README.md").read_text()
        python = re.search(r"```python\n(.*?)```", card, re.DOTALL)
        assert python is not None
        exec(python[1], {})
        (line,) = re.findall(r"^recurra .*", card, re.MULTILINE)
        assert "'of this'" in line


@pytest.mark.parametrize("name", ["a`b", "$(reboot)", "a\nb", "-x", ""])
def test_a_folder_whose_name_is_a_riddle_is_called_model(name: str) -> None:
    card = write_card(classifier(), name)
    assert card.startswith("# MODEL\n")
    assert 'recurra.load("MODEL")' in card


def test_labels_are_text_whatever_they_hold() -> None:
    odd = ["`x` | <b>\n# head", "*y*"]
    model = SequenceClassifier(**SMALL).fit(TEXTS, [odd[k % 2] for k in range(24)])
    (line,) = [line for line in write_card(model, "m").splitlines() if "Answers" in line]
    assert line == "| Answers | 2 classes: `*y*`, `` `x` \\| <b> # head `` |"


def test_code_and_tables_hold_any_text() -> None:
    assert code("a") == "`a`"
    assert code("`") == "`` ` ``"
    assert code("a``b|\x1b\n c") == "```a``b\\| c```"
    assert code("") == "` `"
    assert counted(range(14), 2) == "`0`, `1`, … (14 in all)"
    assert table(("a", "b"), [("1", "2")], (1,)) == "| a | b |\n| --- | --: |\n| 1 | 2 |"


def test_a_forecaster_of_rows_is_asked_with_rows() -> None:
    import numpy as np

    rows = np.arange(60.0).reshape(12, 5) % 7
    model = recurra.Forecaster(hidden_size=4, epochs=1, random_state=0).fit(rows, rows[:, 0])
    card = write_card(model, "m")
    assert "model.predict(rows)" in card
    assert "recurra forecast" not in card
    assert "| naive |" in card


def test_scores_of_a_forecaster_are_said_to_be_those_of_a_copy() -> None:
    model = recurra.Forecaster(hidden_size=4, epochs=1, window=4, random_state=0)
    model.fit({"a": [float(k % 5) for k in range(40)]})
    score = Judgement(name="error", value=1.0, examples=4, noun="forecasts")
    model.about_ = model.about_.model_copy(update={"scores": [score]})
    said = sections(write_card(model, "m"))["How good it is"]
    assert "| On the end of the series, by a copy that had not seen it |" in said
    assert "it never saw" not in said
