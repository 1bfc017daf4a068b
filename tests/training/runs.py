"""Small trainings to be stopped and resumed, and what must then be equal."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from recurra.data.batches import LengthBatches
from recurra.data.chunks import Chunk, Chunks
from recurra.layers import Recurrent
from recurra.training import Callback, Checkpoints, Trainer
from recurra.training.schedule import warmup

EPOCHS = 3
SCHEDULES = ("none", "warmup", "step", "one cycle", "milestones", "chained")


class StoppedError(Exception):
    """What stands in for a program's sudden end."""


class StopAt(Callback):
    """Stops a run after so many of its steps."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_begin(self, trainer: Trainer) -> None:
        if trainer.steps >= self.step:
            raise StoppedError

    def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
        if trainer.steps == self.step:
            raise StoppedError


class Model(nn.Module):
    """Reads sequences with dropout, so that training draws random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = Recurrent("lstm", 2, 3, 2, dropout=0.3)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(3, 1)

    def forward(self, x: Tensor, state: Any = None, **options: Any) -> tuple[Tensor, Any]:
        out, state = self.layer(x, state, **options)
        return self.head(self.drop(out)).squeeze(-1), state


class Rows(LengthBatches[tuple[Tensor, Tensor]]):
    """Sequences (T, B, 2) of unequal length in an order drawn at each pass, some steps left out."""

    def __init__(self, n: int, batch_size: int, seed: int | None) -> None:
        draw = torch.Generator().manual_seed(n)
        lengths = torch.randint(2, 9, (n,), generator=draw).tolist()
        self.sequences = [torch.randn(T, 2, generator=draw) for T in lengths]
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        super().__init__(lengths, self.batch, batch_size=batch_size, generator=generator)

    def batch(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        x = nn.utils.rnn.pad_sequence([self.sequences[k] for k in chosen.tolist()])
        if self._generator is not None:  # making a batch draws, too
            x = x * (torch.rand(x.shape, generator=self._generator) < 0.9)
        return x, x.sum(-1)


def row_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, float]:
    x, y = batch
    found, _ = model(x)
    return (found - y).square().sum(), float(y.numel())


def chunk_loss(model: nn.Module, chunk: Chunk, state: Any) -> tuple[Tensor, float, Any]:
    found, state = model(chunk.x, state, lengths=chunk.lengths, reset=chunk.reset)
    return (found - chunk.y).square()[chunk.real].sum(), chunk.weight, state


def chunks(seed: int = 1, n: int = 40) -> Chunks:
    draw = torch.Generator().manual_seed(seed)
    starts = torch.zeros(n, dtype=torch.bool)
    starts[[5, 17]] = True
    x = torch.randn(n, 2, generator=draw)
    return Chunks(x, torch.randn(n, generator=draw), chunk=5, batch_size=2, starts=starts)


def make_schedule(kind: str, optimizer: torch.optim.Optimizer, steps: int) -> Any:
    if kind == "none":
        return None
    if kind == "warmup":
        return warmup(optimizer, steps)
    if kind == "step":
        return lr_scheduler.StepLR(optimizer, 3, 0.7)
    if kind == "milestones":
        return lr_scheduler.MultiStepLR(optimizer, [3, 7], 0.5)
    if kind == "one cycle":
        return lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=steps + 1)
    first = lr_scheduler.LinearLR(optimizer, 0.2, total_iters=4)
    then = lr_scheduler.CosineAnnealingLR(optimizer, steps)
    return lr_scheduler.SequentialLR(optimizer, [first, then], [4])


class Run:
    """A training as a fresh process would make it, the same each time.

    Its result is in `state`, to be compared by `same`.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        carry: bool = False,
        schedule: str = "warmup",
        optimizer: str = "AdamW",
        patience: int | None = None,
        stop: int | None = None,
        seed: int = 3,
        rows: int = 22,
        epochs: int = EPOCHS,
        callbacks: list[Callback] | None = None,
        **when: Any,
    ) -> None:
        torch.manual_seed(seed)
        self.train: Any = chunks() if carry else Rows(rows, 6, seed)
        self.valid: Any = chunks(2, 20) if carry else Rows(7, 4, None)
        self.epochs = epochs
        model = Model()
        made = getattr(torch.optim, optimizer)(model.parameters(), lr=0.02)
        listening = [*(callbacks or []), *([] if stop is None else [StopAt(stop)])]
        self.trainer = Trainer(
            model,
            chunk_loss if carry else row_loss,
            made,
            schedule=make_schedule(schedule, made, epochs * len(self.train)),
            clip=(0.0, 1.0),
            clip_by="layer",
            carry=carry,
            patience=patience,
            callbacks=listening,
            checkpoints=None if folder is None else Checkpoints(folder, **when),
        )

    def go(self, *, resume: bool = False) -> "Run":
        self.trainer.fit(self.train, self.valid, epochs=self.epochs, resume=resume)
        return self

    @property
    def steps(self) -> int:
        return self.epochs * len(self.train)

    @property
    def state(self) -> dict[str, Any]:
        """Return everything there is at the end, but for the seconds."""
        state = self.trainer.state_dict()
        for epoch in state["history"]["epochs"]:
            epoch["seconds"] = 0.0
        generator = getattr(self.train, "_generator", None)
        state["random"] = torch.get_rng_state(), generator and generator.get_state()
        return state


def same(a: Any, b: Any, where: str = "") -> None:
    """Fail unless two states are the same to the bit."""
    assert type(a) is type(b) or (isinstance(a, dict) and isinstance(b, dict)), where
    if isinstance(a, Tensor):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), where
        bits, wanted = (t.contiguous().flatten().view(torch.uint8) for t in (a, b))
        assert torch.equal(bits, wanted), where
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for k, (one, other) in enumerate(zip(a, b, strict=True)):
            same(one, other, f"{where}.{k}")
    else:
        assert a == b or (a != a and b != b), f"{where}: {a} {b}"
