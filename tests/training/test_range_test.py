import pytest
import torch
from torch import nn

from recurra.errors import ArgumentError
from recurra.training import Trainer
from recurra.training.range_test import Smooth, range_test


class Line:
    """Points of y = 3 x, in batches of 8."""

    def __len__(self) -> int:
        return 4

    def __iter__(self):  # type: ignore[no-untyped-def]
        generator = torch.Generator().manual_seed(0)
        for _ in range(4):
            x = torch.randn(8, 1, generator=generator)
            yield x, 3 * x


def squares(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, int]:
    x, y = batch
    return (model(x) - y).square().sum(), len(x)


def trainer() -> Trainer:
    torch.manual_seed(0)
    model = nn.Linear(1, 1)
    return Trainer(model, squares, torch.optim.SGD(model.parameters(), lr=0.123))


def test_the_suggestion_is_where_the_loss_falls_and_the_end_is_where_it_explodes() -> None:
    # Gradient descent on E[(3x - wx)²] is stable for rates below 1 / E[x²] = 1.
    found = range_test(trainer(), Line(), lowest=1e-4, highest=100.0, steps=100)
    assert 0.01 < found.suggestion < 1.0
    assert len(found.rates) < 100
    assert found.losses[-1] > 4 * min(found.losses)


def test_everything_is_afterwards_as_it_was() -> None:
    made = trainer()
    before = [p.clone() for p in made.model.parameters()]
    range_test(made, Line(), steps=20)
    assert all(map(torch.equal, before, made.model.parameters()))
    assert made.optimizer.param_groups[0]["lr"] == 0.123
    assert made.history.gradient_norms == []


def test_a_rate_at_once_too_high_is_survived() -> None:
    found = range_test(trainer(), Line(), lowest=1e20, highest=1e38, steps=20)
    assert len(found.rates) < 20


def test_the_smoothed_mean_of_a_constant_is_the_constant() -> None:
    smooth = Smooth(0.9)
    assert [smooth(2.0) for _ in range(3)] == pytest.approx([2.0, 2.0, 2.0])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lowest": 0.0}, "a range goes from above 0 upwards"),
        ({"lowest": 1.0, "highest": 0.5}, "got lowest=1.0, highest=0.5"),
        ({"steps": 5}, "steps must be at least 10, got 5"),
    ],
)
def test_a_range_that_is_none_is_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        range_test(trainer(), Line(), **settings)  # type: ignore[arg-type]
