"""A training killed at random moments: what is lost, and does it end as if nothing had happened?

    python benchmarks/reliability/kills.py [N]

Kills N trainings (500) with SIGKILL, each at a moment drawn at random; about half are resumed and
killed again, until they come to an end. After each kill the newest checkpoint must load and be at
most one interval behind the last step made; each run must end with the bits of the unbroken one.
Prints the figures, and ends with 1 if one of them is not as it must be.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recurra.data.batches import LengthBatches
from recurra.data.chunks import Chunk, Chunks
from recurra.errors import RecurraWarning
from recurra.layers import Recurrent
from recurra.training import Callback, Checkpoints, Trainer
from recurra.training.plain import to_plain
from recurra.training.schedule import warmup

EPOCHS, INTERVAL = 3, 3  # steps between two checkpoints


class Model(nn.Module):
    """Predicts a number at each step; its dropout draws random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = Recurrent("lstm", 4, 16, 2, dropout=0.2)
        self.head = nn.Linear(16, 1)

    def forward(self, x: Tensor, state: Any = None, **options: Any) -> tuple[Tensor, Any]:
        """Return (T, B) numbers for x (T, B, 4), and the state."""
        out, state = self.layer(x, state, **options)
        return self.head(out).squeeze(-1), state


def row_loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, float]:
    """Return the summed squares, and how many there are."""
    x, y = batch
    return (model(x)[0] - y).square().sum(), float(y.numel())


def chunk_loss(model: nn.Module, chunk: Chunk, state: Any) -> tuple[Tensor, float, Any]:
    """Return the summed squares, how many there are, and the state to go on from."""
    found, state = model(chunk.x, state, lengths=chunk.lengths, reset=chunk.reset)
    return (found - chunk.y).square()[chunk.real].sum(), chunk.weight, state


def rows(n: int, draw: torch.Generator | None) -> LengthBatches[tuple[Tensor, Tensor]]:
    """Return batches of n sequences of unequal length, in an order drawn at each pass."""
    fixed = torch.Generator().manual_seed(n)
    lengths = torch.randint(3, 12, (n,), generator=fixed).tolist()
    made = [torch.randn(T, 4, generator=fixed) for T in lengths]

    def batch(chosen: Tensor) -> tuple[Tensor, Tensor]:
        x = nn.utils.rnn.pad_sequence([made[k] for k in chosen.tolist()])
        return x, x.sum(-1)

    return LengthBatches(lengths, batch, batch_size=8, generator=draw)


def pieces(n: int) -> Chunks:
    """Return one long sequence in pieces, between which the state is carried."""
    fixed = torch.Generator().manual_seed(n)
    x = torch.randn(n, 4, generator=fixed)
    return Chunks(x, x.sum(-1), chunk=8, batch_size=4)


class Telling(Callback):
    """Writes the number of each step that was made into a pipe."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
        """Write the step's number."""
        os.write(self._pipe, trainer.steps.to_bytes(4, "little"))


def train(folder: Path | None, carry: bool, pipe: int | None = None) -> str:
    """Train, or go on with it, to the end, and return the checksum of all there is then."""
    torch.manual_seed(7)
    draw = torch.Generator().manual_seed(7)
    data: Any = pieces(400) if carry else rows(96, draw)
    valid: Any = pieces(60) if carry else rows(20, None)
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    trainer = Trainer(
        model,
        chunk_loss if carry else row_loss,
        optimizer,
        schedule=warmup(optimizer, EPOCHS * len(data)),
        clip=(0.0, 1.0),
        carry=carry,
        patience=2,
        callbacks=[] if pipe is None else [Telling(pipe)],
        checkpoints=None if folder is None else Checkpoints(folder, every_steps=INTERVAL),
    )
    trainer.fit(data, valid, epochs=EPOCHS, resume=folder is not None)
    state = trainer.state_dict()
    for epoch in state["history"]["epochs"]:
        epoch["seconds"] = 0.0
    end = {"trainer": state, "random": torch.get_rng_state(), "draw": draw.get_state()}
    tensors: dict[str, Tensor] = {}
    seen = hashlib.sha256(json.dumps(to_plain(end, tensors)).encode())
    for tensor in tensors.values():
        seen.update(tensor.contiguous().flatten().view(torch.uint8).numpy())
    return seen.hexdigest()


@dataclass
class Figures:
    """What the kills came to."""

    kills: int = 0
    in_a_save: int = 0
    unreadable: int = 0
    saves_lost: int = 0
    lost: list[int] = field(default_factory=list)
    ends: int = 0
    wrong_ends: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing is as it must not be."""
        bad = self.unreadable + self.saves_lost + self.wrong_ends
        return bad == 0 and max(self.lost, default=0) <= INTERVAL


def run_and_kill(folder: Path, carry: bool, after: float, figures: Figures) -> bool:
    """Train in a process of its own, kill it `after` seconds, and return whether it was killed."""
    before = Checkpoints(folder).files()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            train(folder, carry, writing)
            os._exit(0)
        except BaseException as error:
            print(f"the training ended with {error!r}", file=sys.stderr)
            os._exit(1)
    os.close(writing)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    if not os.WIFSIGNALED(status):
        if os.waitstatus_to_exitcode(status) != 0:
            figures.wrong_ends += 1
        return False
    figures.kills += 1
    figures.in_a_save += any(folder.glob(".*"))
    try:
        newest = Checkpoints(folder).newest()
    except ValueError as error:
        print(error, file=sys.stderr)
        figures.unreadable += 1
        return True
    figures.saves_lost += len(before) > 0 and Checkpoints(folder).files()[-1] < before[-1]
    saved = 0 if newest is None else len(newest["trainer"]["history"]["gradient_norms"])
    if told:
        figures.lost.append(int.from_bytes(told[-4:], "little") - saved)
    return True


def killed(N: int, seed: int = 0) -> Figures:
    """Kill N trainings and return what that came to."""
    draw = random.Random(seed)
    figures = Figures()
    # A checkpoint that is passed over is one that cannot be read.
    warnings.simplefilter("error", RecurraWarning)
    wanted = {carry: train(None, carry) for carry in (False, True)}
    seconds: dict[bool, float] = {}
    with tempfile.TemporaryDirectory() as place:
        for carry in (False, True):
            began = time.perf_counter()
            train(Path(place) / "first", carry)
            seconds[carry] = time.perf_counter() - began
            shutil.rmtree(Path(place) / "first")
        trial = 0
        while figures.kills < N:
            trial += 1
            folder, carry = Path(place) / str(trial), trial % 2 == 0
            while figures.kills < N:
                moment = draw.uniform(0, seconds[carry])
                was_killed = run_and_kill(folder, carry, moment, figures)
                if not was_killed or draw.random() < 0.5:
                    break
            figures.ends += 1
            figures.wrong_ends += train(folder, carry) != wanted[carry]
            shutil.rmtree(folder)
    return figures


def main() -> None:
    """Kill, and print what that came to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("N", nargs="?", type=int, default=500, help="how many kills")
    N = parser.parse_args().N
    torch.set_num_threads(1)
    began = time.perf_counter()
    figures = killed(N)
    print(f"trainings killed: {figures.kills} ({figures.in_a_save} while a save was under way)")
    print(f"newest complete checkpoint not readable: {figures.unreadable}")
    print(f"complete checkpoints lost: {figures.saves_lost}")
    print(f"most steps lost: {max(figures.lost, default=0)} (interval {INTERVAL})")
    print(f"runs brought to their end: {figures.ends}, other bits than the unbroken run: ", end="")
    print(figures.wrong_ends)
    print(f"{time.perf_counter() - began:.0f} s")
    sys.exit(not figures.good)


if __name__ == "__main__":
    main()
