import math
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from recurra.errors import ArgumentError, DivergenceError
from recurra.training import Callback, Epoch, History, Trainer, make_schedule
from recurra.training.schedule import warmup


class Points:
    """Batches of (x, y) on the line y = 2x."""

    def __init__(self, batches: int = 4) -> None:
        x = torch.linspace(-1, 1, 8 * batches).unsqueeze(1)
        self.batches = [(part, 2 * part) for part in x.chunk(batches)]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)


def squares(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, float]:
    x, y = batch
    return (model(x) - y).square().sum(), float(len(x))


def trainer(rate: float = 0.1, **options: Any) -> Trainer:
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    return Trainer(model, squares, optimizer, **options)


class Scripted(Trainer):
    """A trainer whose validation losses are given."""

    script: list[float]

    def evaluate(self, batches: Any) -> float:
        return self.script[len(self.history.epochs)]


def scripted(script: list[float], **options: Any) -> Scripted:
    model = nn.Linear(1, 1)
    made = Scripted(model, squares, torch.optim.SGD(model.parameters(), lr=0.1), **options)
    made.script = script
    return made


class Weights(Callback):
    """Keeps the weights at the end of each epoch."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Tensor]] = []

    def on_epoch_end(self, trainer: Trainer, epoch: Epoch) -> None:
        self.kept.append({k: v.clone() for k, v in trainer.model.state_dict().items()})


def test_it_learns_and_records_every_epoch_and_step() -> None:
    made = trainer()
    history = made.fit(Points(), Points(), epochs=30)
    assert [epoch.number for epoch in history.epochs] == list(range(1, 31))
    assert len(history.gradient_norms) == 30 * 4
    assert history.epochs[-1].train_loss < 0.01 * history.epochs[0].train_loss
    assert history.best is not None
    assert history.best.valid_loss == min(e.valid_loss for e in history.epochs if e.valid_loss)
    assert history.stopped == "epochs"


def test_the_mean_loss_weighs_batches_by_what_they_hold() -> None:
    made = trainer()
    batches = Points(1)
    x, y = batches.batches[0]
    batches.batches = [(x[:1], y[:1]), (x[1:], y[1:])]
    expected = float((made.model(x) - y).square().mean().detach())
    assert made.evaluate(batches) == pytest.approx(expected, rel=1e-6)


def test_the_best_epoch_s_weights_are_kept() -> None:
    listener = Weights()
    made = scripted([3.0, 1.0, 2.0, 1.5], callbacks=[listener])
    history = made.fit(Points(), Points(), epochs=4)
    assert history.best is not None
    assert history.best.number == 2
    for name, value in made.model.state_dict().items():
        assert torch.equal(value, listener.kept[1][name])
        assert not torch.equal(value, listener.kept[3][name])


def test_patience_ends_training_after_so_many_epochs_without_a_better_one() -> None:
    history = scripted([3.0, 2.0, 2.5, 2.5, 1.0], patience=2).fit(Points(), Points(), epochs=5)
    assert len(history.epochs) == 4
    assert history.stopped == "patience"


def test_without_validation_the_training_loss_decides() -> None:
    history = trainer().fit(Points(), epochs=3)
    assert [epoch.valid_loss for epoch in history.epochs] == [None] * 3
    assert history.best is not None
    assert history.best.number == 3


def test_gradients_reach_the_optimiser_inside_the_band() -> None:
    class Seen(Callback):
        norms: ClassVar[list[float]] = []

        def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
            grads = [p.grad for p in trainer.model.parameters() if p.grad is not None]
            self.norms.append(float(torch.cat([g.flatten() for g in grads]).norm()))

    seen = Seen()
    made = trainer(clip=(0.5, 0.75), callbacks=[seen])
    history = made.fit(Points(), epochs=40)
    assert all(0.5 - 1e-5 <= norm <= 0.75 + 1e-5 for norm in seen.norms)
    raised, lowered = history.clipped()
    assert raised > 0
    assert lowered > 0
    assert raised == sum(n < 0.5 for n in history.gradient_norms) / len(history.gradient_norms)
    assert history.band == (0.5, 0.75)


def test_a_loss_that_is_no_number_ends_training_with_an_error_that_says_where() -> None:
    made = trainer(rate=1e30)
    with pytest.raises(DivergenceError, match=r"epoch \d+, step \d+: lower learning_rate"):
        made.fit(Points(), epochs=20)


def test_ctrl_c_keeps_the_best_epoch_so_far() -> None:
    class Stop(Callback):
        def on_epoch_begin(self, trainer: Trainer, number: int) -> None:
            if number == 3:
                raise KeyboardInterrupt

    listener = Weights()
    made = scripted([1.0, 2.0, 0.0], callbacks=[listener, Stop()])
    history = made.fit(Points(), Points(), epochs=3)
    assert history.stopped == "interrupted"
    assert len(history.epochs) == 2
    for name, value in made.model.state_dict().items():
        assert torch.equal(value, listener.kept[0][name])


def test_ctrl_c_before_the_first_epoch_is_over_goes_through() -> None:
    class Stop(Callback):
        def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer(callbacks=[Stop()]).fit(Points(), epochs=3)


def test_callbacks_are_told_in_order() -> None:
    told: list[str] = []

    class Tell(Callback):
        def on_train_begin(self, trainer: Trainer) -> None:
            told.append("begin")

        def on_epoch_begin(self, trainer: Trainer, number: int) -> None:
            told.append(f"epoch {number}")

        def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
            told.append("batch")

        def on_epoch_end(self, trainer: Trainer, epoch: Epoch) -> None:
            told.append(f"end {epoch.number}")

        def on_train_end(self, trainer: Trainer) -> None:
            told.append("over")

    trainer(callbacks=[Tell()]).fit(Points(2), epochs=2)
    epoch = ["batch", "batch"]
    assert told == ["begin", "epoch 1", *epoch, "end 1", "epoch 2", *epoch, "end 2", "over"]


def test_the_model_is_training_on_batches_and_not_on_validation() -> None:
    modes: list[bool] = []

    def loss(model: nn.Module, batch: Any) -> tuple[Tensor, float]:
        modes.append(model.training)
        return squares(model, batch)

    made = trainer()
    made.loss = loss
    made.fit(Points(2), Points(1), epochs=2)
    assert modes == [True, True, False] * 2


def test_the_learning_rate_rises_then_falls_along_a_cosine() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    schedule = warmup(optimizer, 100, warm=10, floor=0.1)
    rates = []
    for _ in range(101):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1.0)
    assert rates[55] == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 45 / 90)))
    assert rates[100] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_short_run_warms_up_for_a_tenth_of_it() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    make_schedule("cosine", optimizer, 20)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5)


def test_a_linear_schedule_falls_along_a_line_and_a_constant_one_is_none() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = warmup(optimizer, 100, warm=10, floor=0.0, linear=True)
    for _ in range(55):
        optimizer.step()
        schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5)
    assert make_schedule("constant", optimizer, 100) is None
    with pytest.raises(ArgumentError, match="schedule='steps' is not known; there are cosine"):
        make_schedule("steps", optimizer, 100)


def test_a_history_survives_being_written_down() -> None:
    history = trainer(clip=(0.0, math.inf)).fit(Points(), Points(), epochs=2)
    assert History.from_dict(history.to_dict()) == history
    assert history.seconds == sum(epoch.seconds for epoch in history.epochs)


def test_nothing_was_clipped_without_a_band() -> None:
    assert trainer().fit(Points(), epochs=1).clipped() == (0.0, 0.0)
