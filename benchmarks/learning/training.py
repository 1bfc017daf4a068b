"""The cells, the remedies, and how one cell learns one problem."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import torch
from problems import PROBLEMS, Problem
from torch import Generator, Tensor, nn

import recurra

B, H, RATE = 64, 64, 0.02
CHECK, HELD_OUT = 25, 256  # steps from one validation to the next, and its rows

# What the table calls them, and what `Recurrent` is asked for.
CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "elman:tanh": ("elman", {"activation": "tanh"}),
    "elman:relu": ("elman", {"activation": "relu"}),
    "fcn": ("fcn", {"depth": 2}),
    "lstm:squash": ("lstm", {"squash_cell": True}),
    "lstm": ("lstm", {}),
    "gru": ("gru", {}),
}


@dataclass(frozen=True)
class Remedy:
    """Options of the layer, the norm band of every step's gradients, and the cell it is for."""

    options: dict[str, Any] = field(default_factory=dict)
    band: tuple[float, float] | None = None
    only: str | None = None


NONE = "none"
REMEDIES = {
    NONE: Remedy(),
    "norm at most 1": Remedy(band=(0.0, 1.0)),
    "norm in [0.1, 1]": Remedy(band=(0.1, 1.0)),
    "clip_state_grad=0.001": Remedy({"clip_state_grad": 0.001}),
    "truncate=10": Remedy({"truncate": 10}),
    "forget_bias=0 (1 above)": Remedy({"forget_bias": 0.0}, only="lstm"),
}


class Model(nn.Module):
    """A recurrent layer and a linear head, from x (steps, B, I) to (steps, B, outputs)."""

    def __init__(self, cell: str, remedy: Remedy, problem: Problem) -> None:
        super().__init__()
        (name, options), (I, outputs) = CELLS[cell], problem.sizes  # noqa: E741 - the axis' name
        self.layer = recurra.Recurrent(name, I, H, **options, **remedy.options)
        self.head = nn.Linear(H, outputs)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.layer(x)[0])
        return out


@dataclass(frozen=True)
class Job:
    """One entry of the table: what learns what, for how long."""

    problem: str
    cell: str
    remedy: str
    T: int
    steps: int
    seed: int


def learn(job: Job) -> tuple[Job, str, float]:
    """Return the job, what came of it in words, and its seconds."""
    began = time.perf_counter()
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    generator = Generator().manual_seed(job.seed)
    problem, remedy = PROBLEMS[job.problem], REMEDIES[job.remedy]
    x, y = problem.batch(job.T, HELD_OUT, generator)
    model = Model(job.cell, remedy, problem)
    optimizer = torch.optim.Adam(model.parameters(), RATE)
    best, found = math.inf, ""
    for step in range(1, job.steps + 1):
        if not train_step(model, optimizer, remedy, problem, job.T, generator):
            found = f"diverged at {step}"
            break
        if step % CHECK == 0 or step == job.steps:
            with torch.no_grad():
                share = problem.loss(model(x), y).item() / problem.naive(job.T)
            best = min(best, share)
            if share < problem.bound:
                return job, f"**solved at {step}**", time.perf_counter() - began
    shown = f"{best:.2f}" if best < 10 else f"{best:.0e}"
    return job, f"{found or 'not solved'} ({shown})", time.perf_counter() - began


def train_step(
    model: Model,
    optimizer: torch.optim.Optimizer,
    remedy: Remedy,
    problem: Problem,
    T: int,
    generator: Generator,
) -> bool:
    """Learn from a new batch, and return whether its loss was finite."""
    x, y = problem.batch(T, B, generator)
    loss = problem.loss(model(x), y)
    if not math.isfinite(loss.item()):
        return False
    optimizer.zero_grad()
    loss.backward()
    if remedy.band:
        # A norm that is not finite is let through: the next loss says that it diverged.
        recurra.clip_grad_norm_band_(model, *remedy.band, error_if_nonfinite=False)
    optimizer.step()
    return True
