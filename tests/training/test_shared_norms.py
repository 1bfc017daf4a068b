"""Batch normalisation in several processes is that of one, rows or no rows."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from together import together
from torch import Tensor, nn

from recurra.data.batches import LengthBatches
from recurra.errors import ArgumentError
from recurra.training import Trainer
from recurra.training.processes import Processes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")

ROWS = 13  # in batches of four: the last has one, and two of three processes none


class Pictures(nn.Module):
    """Convolutions and norms of every kind, one of them frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(),
            nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4, momentum=None), nn.ReLU(),
            nn.BatchNorm2d(4, affine=False),
            nn.BatchNorm2d(4, track_running_stats=False),
            nn.BatchNorm2d(4),
        )  # fmt: skip
        self.head = nn.Linear(4, 1)
        self.double()

    def train(self, mode: bool = True) -> "Pictures":
        super().train(mode)
        self.blocks[-1].eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.blocks(x).mean((2, 3))).squeeze(-1)
        return out


class Vectors(nn.Module):
    """A norm of (B, C), of which no batch may have one row."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(nn.Linear(2, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 1))
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.blocks(x.mean((2, 3))).squeeze(-1)
        return out


class Twice(Vectors):
    """Calls the same norm twice a step."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + super().forward(2 * x)


class Backwards(Pictures):
    """Calls its norms in another order than its modules stand in."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.blocks[0](x)[:, :2] + self.blocks[4](self.blocks[0](x))[:, :2])


def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, float]:
    x, y = batch
    return (model(x) - y).square().sum(), float(len(y))


def trained(kind: Callable[[], nn.Module], rows: int = ROWS) -> dict[str, Any]:
    """Return what a training comes to: weights, running means, losses."""
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(rows, 2, 6, 6, generator=draw, dtype=torch.float64)
    y = torch.randn(rows, generator=draw, dtype=torch.float64)

    def batches(seed: int | None) -> Any:
        order = None if seed is None else torch.Generator().manual_seed(seed)
        return LengthBatches([1] * rows, lambda k: (x[k], y[k]), batch_size=4, generator=order)

    torch.manual_seed(0)
    model = kind()
    trainer = Trainer(model, loss, torch.optim.SGD(model.parameters(), 0.1))
    history = trainer.fit(batches(7), batches(None), epochs=3)
    assert "forward" not in vars(next(m for m in model.modules() if hasattr(m, "eps")))
    return {
        "losses": torch.tensor([(e.train_loss, e.valid_loss) for e in history.epochs]),
        **model.state_dict(),
    }


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize(("kind", "rows"), [(Pictures, ROWS), (Vectors, 14)])
def test_several_processes_normalise_as_one(
    world: int, kind: Callable[[], nn.Module], rows: int
) -> None:
    alone = trained(kind, rows)
    each = together(world, lambda _: trained(kind, rows))
    for found in each:
        assert found.keys() == alone.keys(), found
        for name, wanted in alone.items():
            torch.testing.assert_close(found[name], wanted, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("kind", [Twice, Backwards])
def test_norms_whose_order_others_could_not_know_are_refused(kind: Callable[[], Any]) -> None:
    def work(_: Processes) -> None:
        trained(kind, 14)

    for error in together(2, work):
        assert isinstance(error, ArgumentError), error
        assert "once for a loss, in the order of its modules" in str(error)
