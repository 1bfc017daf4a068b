"""What checkpoints cost: an epoch of the name generator at its default size, saved once.

    python benchmarks/reliability/saving.py

Prints a table in Markdown, a row a width H; the folder is a temporary one, so that its disk is the
one measured.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch

from recurra.data.batches import TokenBatches
from recurra.data.sources.names import load_names
from recurra.data.vocabulary import Vocabulary
from recurra.layers import Recurrent
from recurra.networks import GeneratorNetwork, summed_loss
from recurra.training import Checkpoints, Trainer
from recurra.training.checkpoint import unpack


class Timed(Checkpoints):
    """Keeps how long each save took, in seconds."""

    saves: ClassVar[list[float]] = []

    def write(self, state: Mapping[str, Any], step: int) -> Path:
        """Save, and keep how long it took."""
        began = time.perf_counter()
        file = super().write(state, step)
        self.saves.append(time.perf_counter() - began)
        return file


def measure(H: int) -> str:
    """Train a generator of width H for one epoch, saved at its end, and return a row."""
    names = load_names().names
    vocabulary = Vocabulary.of(names)
    torch.manual_seed(0)
    batches = TokenBatches(
        [vocabulary.encode(name) for name in names],
        batch_size=64,
        generator=torch.Generator().manual_seed(0),
    )
    layer = Recurrent("lstm", 128, H)
    model = GeneratorNetwork(len(vocabulary), 0, 128, layer, dropout=0.15)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    Timed.saves.clear()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(model, summed_loss, optimizer, checkpoints=Timed(folder))
        all_of_it = timed(lambda: trainer.fit(batches, epochs=1))
        file = Checkpoints(folder).files()[-1]
        size = file.stat().st_size / 1e6
        reading = timed(lambda: unpack(file.read_bytes(), file))
    epoch, saves = trainer.history.seconds, sum(Timed.saves)
    parts = [
        f"{H}",
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f}",
        f"{size:.1f}",
        f"{epoch:.1f}",
        f"{saves * 1e3:.0f}",
        f"{saves / epoch:.2%}",
        f"{(all_of_it - epoch - saves) * 1e3:.0f}",
        f"{reading * 1e3:.0f}",
    ]
    return f"| {' | '.join(parts)} |"


def timed(call: Callable[[], Any]) -> float:
    """Return how long a call takes, in seconds."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    print(
        "| H | numbers learned (10⁶) | checkpoint (MB) | epoch (s) | save (ms) | share of the "
        "epoch | all else, once (ms) | read (ms) |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    for H in (256, 512):
        print(measure(H), flush=True)


if __name__ == "__main__":
    main()
