"""A fit that was stopped and resumed is the fit that was not, in every task."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from invented import invented_names, small_generator

from recurra.errors import ArgumentError
from recurra.tasks.loading import TASKS
from recurra.training import Callback, Checkpoints, Trainer


class StoppedError(Exception):
    """What stands in for a program's sudden end."""


class StopAt(Callback):
    """Stops a fit after so many steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
        if trainer.steps == self.step:
            raise StoppedError


def data(task: str) -> tuple[Any, Any]:
    names, countries = invented_names(n=15)
    draw = np.random.default_rng(0)
    sentences = [[name, "is", "from", land] for name, land in zip(names, countries, strict=True)]
    return {
        "BlankFiller": (sentences, None),
        "Captioner": (draw.integers(0, 255, (30, 16, 16, 3), dtype=np.uint8), names),
        "Forecaster": (draw.normal(size=(30, 12)), draw.normal(size=(30, 2))),
        "SequenceClassifier": (names, countries),
        "SequenceGenerator": (names, countries),
        "SequenceRegressor": (draw.normal(size=(30, 8)), draw.normal(size=30)),
        "SequenceTagger": (sentences, [["N", "V", "P", "N"]] * 30),
        "Translator": (names, [name[::-1] for name in names]),
    }[task]


def fitted(task: str, **options: Any) -> Any:
    if task == "Translator":
        options = {"teacher_forcing": "linear", **options}
    if task == "BlankFiller":
        options = {"choices": ["Vowland", "Consland"], **options}
    made = TASKS[task](hidden_size=6, epochs=3, batch_size=8, random_state=3, **options)
    return made.fit(*data(task))


@pytest.mark.parametrize("task", TASKS)
def test_it_ends_with_the_same_bits(task: str, tmp_path: Path) -> None:
    whole = fitted(task)
    steps = len(whole.history_.gradient_norms)
    checkpoint = Checkpoints(tmp_path, every_steps=2)
    with pytest.raises(StoppedError):
        fitted(task, checkpoint=checkpoint, callbacks=[StopAt(steps // 2 + 2)])
    assert checkpoint.files()
    again = fitted(task, checkpoint=str(tmp_path), resume=True)
    wanted = whole.network_.state_dict()
    for name, value in again.network_.state_dict().items():
        assert torch.equal(value, wanted[name]), name
    assert again.history_.gradient_norms == whole.history_.gradient_norms
    losses = [[(e.train_loss, e.valid_loss) for e in m.history_.epochs] for m in (again, whole)]
    assert losses[0] == losses[1]


def test_other_data_or_parameters_are_refused_by_name(tmp_path: Path) -> None:
    names, countries = invented_names(n=10)
    small_generator(epochs=1, checkpoint=tmp_path).fit(names, countries)
    options: dict[str, Any] = {"epochs": 1, "checkpoint": tmp_path, "resume": True}
    with pytest.raises(ArgumentError, match=r"; learning_rate: 0\.02, now 0\.5"):
        small_generator(**options, learning_rate=0.5).fit(names, countries)
    with pytest.raises(ArgumentError, match="data: "):
        small_generator(**options).fit([*names[:-1], "Kurgrimko"], countries)
    with pytest.raises(ArgumentError, match="random_state: 0, now 1"):
        small_generator(**options, random_state=1).fit(names, countries)


def test_a_checkpoint_changes_nothing_and_is_no_part_of_the_saved_model(tmp_path: Path) -> None:
    names, countries = invented_names(n=10)
    plain = small_generator(epochs=2).fit(names, countries)
    kept = small_generator(epochs=2, checkpoint=tmp_path / "c").fit(names, countries)
    for name, value in kept.network_.state_dict().items():
        assert torch.equal(value, plain.network_.state_dict()[name])
    loaded = type(kept).load(kept.save(tmp_path / "model"))
    assert loaded.checkpoint is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"checkpoint": "a", "random_state": None}, "checkpoint needs a whole number as random_"),
        ({"resume": True}, "resume=True needs checkpoint, the folder to go on from"),
        ({"checkpoint": "a", "resume": "yes"}, "resume must be True or False, got 'yes'"),
    ],
)
def test_what_cannot_be_resumed_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        small_generator(**given).fit(*invented_names(n=10))
