"""Resumed, a run ends with the bits of the unbroken one: weights, optimiser, log, all of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from runs import SCHEDULES, Run, StoppedError, same
from torch.utils.data import DataLoader, TensorDataset

from recurra.errors import ArgumentError, DataError
from recurra.training import Callback, Checkpoints, Trainer


def stopped(folder: Path, step: int, **options: Any) -> None:
    with pytest.raises(StoppedError):
        Run(folder, stop=step, **options).go()


@pytest.mark.parametrize("carry", [False, True])
def test_stopped_after_any_batch_it_ends_as_the_unbroken_run(tmp_path: Path, carry: bool) -> None:
    whole = Run(carry=carry).go()
    wanted = whole.state
    for step in range(1, whole.steps + 1):
        folder = tmp_path / str(step)
        stopped(folder, step, carry=carry, every_steps=1)
        same(Run(folder, carry=carry).go(resume=True).state, wanted)


@pytest.mark.parametrize("every_steps", [2, 3, None])
def test_stopped_between_two_checkpoints_it_repeats_the_steps_since(
    tmp_path: Path, every_steps: int | None
) -> None:
    wanted = Run().go().state
    for step in (3, 4, 5, 7, 11):
        folder = tmp_path / str(step)
        stopped(folder, step, every_steps=every_steps)
        same(Run(folder, every_steps=every_steps).go(resume=True).state, wanted)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_goes_on(tmp_path: Path, schedule: str) -> None:
    wanted = Run(schedule=schedule).go().state
    stopped(tmp_path, 10, schedule=schedule, every_steps=3)
    same(Run(tmp_path, schedule=schedule, every_steps=3).go(resume=True).state, wanted)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop", "Adagrad", "NAdam", "Adadelta"])
def test_every_optimizer_goes_on(tmp_path: Path, optimizer: str) -> None:
    wanted = Run(optimizer=optimizer).go().state
    stopped(tmp_path, 10, optimizer=optimizer, every_steps=3)
    same(Run(tmp_path, optimizer=optimizer, every_steps=3).go(resume=True).state, wanted)


def test_early_stopping_and_the_best_weights_survive(tmp_path: Path) -> None:
    options = {"patience": 2, "epochs": 12, "seed": 5, "schedule": "none"}
    whole = Run(**options).go()
    assert whole.trainer.history.stopped == "patience"
    best = whole.trainer.history.best
    assert best is not None
    assert best.number < len(whole.trainer.history.epochs)
    for step in (best.number * 4 + 3, whole.trainer.steps - 1, whole.trainer.steps):
        folder = tmp_path / str(step)
        stopped(folder, step, **options)
        same(Run(folder, **options).go(resume=True).state, whole.state)


def test_stopped_several_times_it_ends_as_the_unbroken_run(tmp_path: Path) -> None:
    wanted = Run().go().state
    for step in (2, 5, 6, 8, 11):
        with pytest.raises(StoppedError):
            Run(tmp_path, stop=step, every_steps=2).go(resume=True)
    same(Run(tmp_path, every_steps=2).go(resume=True).state, wanted)


def test_saving_changes_no_random_number(tmp_path: Path) -> None:
    same(Run(tmp_path, every_steps=1).go().state, Run().go().state)


def test_an_ended_run_is_taken_as_it_ended(tmp_path: Path) -> None:
    whole = Run(tmp_path, every_steps=None, every_epochs=None, every_minutes=None).go()
    assert len(Checkpoints(tmp_path).files()) == 1
    again = Run(tmp_path, every_steps=None, every_epochs=None, every_minutes=None)
    made: list[float] = []

    class Steps(Callback):
        def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
            made.append(loss)

    again.trainer.callbacks.append(Steps())
    same(again.go(resume=True).state, whole.state)
    assert made == []


def test_what_the_callbacks_draw_between_epochs_does_not_disturb(tmp_path: Path) -> None:
    class Drawing(Callback):
        def on_epoch_begin(self, trainer: Trainer, number: int) -> None:
            torch.rand(number)

        on_epoch_end = on_epoch_begin  # type: ignore[assignment]

        def on_train_begin(self, trainer: Trainer) -> None:
            torch.rand(1)

    class Quiet(Drawing):
        def on_epoch_end(self, trainer: Trainer, epoch: Any) -> None:
            torch.rand(epoch.number)

    wanted = Run(callbacks=[Quiet()]).go().state
    for step in (3, 5, 8, 10):
        stopped(tmp_path / str(step), step, callbacks=[Quiet()], every_steps=3)
        again = Run(tmp_path / str(step), callbacks=[Quiet()], every_steps=3)
        same(again.go(resume=True).state, wanted)


def test_a_callback_keeps_its_state(tmp_path: Path) -> None:
    class Counting(Callback):
        def __init__(self) -> None:
            self.seen: list[float] = []

        def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
            self.seen.append(loss)

        def state_dict(self) -> dict[str, Any]:
            return {"seen": list(self.seen)}

        def load_state_dict(self, state: Mapping[str, Any]) -> None:
            self.seen = list(state["seen"])

    whole, again = Counting(), Counting()
    Run(callbacks=[whole]).go()
    stopped(tmp_path, 9, callbacks=[Counting()], every_steps=2)
    Run(tmp_path, callbacks=[again], every_steps=2).go(resume=True)
    assert again.seen == whole.seen


@pytest.mark.parametrize("own", [True, False])
def test_the_order_may_come_from_a_loader_of_torchs_own(tmp_path: Path, own: bool) -> None:
    def run(folder: Path | None = None, stop: int | None = None) -> Run:
        made = Run(folder, stop=stop, every_steps=1)
        x = torch.randn(16, 5, 2, generator=torch.Generator().manual_seed(0))
        made.train = DataLoader(
            TensorDataset(x, x.sum(-1)),
            batch_size=4,
            shuffle=True,
            generator=torch.Generator().manual_seed(1) if own else None,
        )
        return made

    wanted = run().go().state
    for step in (3, 5, 7):
        with pytest.raises(StoppedError):
            run(tmp_path / str(step), step).go()
        same(run(tmp_path / str(step)).go(resume=True).state, wanted)


def test_with_nothing_to_resume_it_begins(tmp_path: Path) -> None:
    same(Run(tmp_path / "new").go(resume=True).state, Run().go().state)


def test_without_checkpoints_there_is_nothing_to_resume() -> None:
    with pytest.raises(ArgumentError, match="resume=True needs checkpoints"):
        Run().go(resume=True)


def test_an_earlier_run_is_not_written_over(tmp_path: Path) -> None:
    stopped(tmp_path, 8)
    before = [file.read_bytes() for file in Checkpoints(tmp_path).files()]
    with pytest.raises(ArgumentError, match=r"of an earlier run: go on with it \(resume=True"):
        Run(tmp_path).go()
    assert [file.read_bytes() for file in Checkpoints(tmp_path).files()] == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rows": 21}, r"\(data: [0-9a-f]+, now [0-9a-f]+\)"),
        ({"rows": 30}, r"\(batches of an epoch: 4, now 5; data"),
        ({"epochs": 5, "schedule": "none"}, r"\(schedule: LambdaLR, now None; epochs: 3, now 5"),
        ({"patience": 4}, r"\(patience: None, now 4\)"),
        ({"optimizer": "SGD"}, r"\(optimizer: AdamW, now SGD"),
        ({"carry": True}, r"carry: False, now True"),
        ({"schedule": "one cycle"}, r"\(schedule: LambdaLR, now OneCycleLR"),
    ],
)
def test_another_setting_or_other_data_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    stopped(tmp_path, 8)
    with pytest.raises(ArgumentError, match=told):
        Run(tmp_path, **change).go(resume=True)


def test_a_setting_of_the_callers_own_is_compared(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.trainer.settings = {"language": "fi"}
    run.go()
    other = Run(tmp_path)
    other.trainer.settings = {"language": "sv"}
    with pytest.raises(ArgumentError, match=r"\(language: fi, now sv\)"):
        other.go(resume=True)


def test_another_model_is_refused_by_its_weights(tmp_path: Path) -> None:
    stopped(tmp_path, 8)
    other = Run(tmp_path)
    other.trainer.model.head = torch.nn.Linear(3, 2)
    with pytest.raises(ArgumentError, match=r"weights head.weight: float32 \(1, 3\), now float32"):
        other.go(resume=True)


def test_another_seed_resumes_the_run_that_was(tmp_path: Path) -> None:
    wanted = Run().go().state
    stopped(tmp_path, 8)
    torch.manual_seed(99)
    again = Run(tmp_path)
    torch.manual_seed(99)
    again.train._generator.manual_seed(99)
    same(again.go(resume=True).state, wanted)


def test_fewer_batches_than_were_done_are_told(tmp_path: Path) -> None:
    stopped(tmp_path, 4, every_steps=1)
    again = Run(tmp_path, every_steps=1)
    kept = again.train.order
    passes = 0

    def order() -> Any:  # the first pass is the look at the data
        nonlocal passes
        passes += 1
        return kept() if passes == 1 else kept()[:2]

    again.train.order = order
    with pytest.raises(DataError, match="3 batches were trained on, and there are only 2"):
        again.go(resume=True)


def test_batches_with_other_generators_are_refused(tmp_path: Path) -> None:
    stopped(tmp_path, 8)
    again = Run(tmp_path)
    again.train.second = torch.Generator()
    told = r"generators of the batches: \[_generator\], now \[_generator, second\]"
    with pytest.raises(ArgumentError, match=told):
        again.go(resume=True)
