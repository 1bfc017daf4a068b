"""A save over a model killed at random moments: is there always a model, the old or the new?

    python benchmarks/reliability/model_kills.py [N] [--two-renames]

Kills N programs (500) with SIGKILL, each while it saves two models in turn over one folder. After
each kill the folder must load as one of the two, and at the end no more than what the last kill
left may lie beside it. With --two-renames as where the system cannot swap two folders in one step.
Prints the figures, and ends with 1 if one of them is not as it must be.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from recurra import SequenceGenerator, durable, load

LONGEST = 0.15  # seconds that a program lives


@dataclass
class Figures:
    """What the kills came to."""

    kills: int = 0
    in_a_save: int = 0
    aside: int = 0
    unreadable: int = 0
    saves: int = 0
    beside: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing is as it must not be."""
        return self.unreadable == 0 and self.beside == 0 and self.saves > 0


def made(hidden_size: int) -> SequenceGenerator:
    """Return a model that is told by its size."""
    names = ["anna", "otto", "karla", "krok"]
    settings = {"epochs": 1, "embedding_size": 4, "random_state": 0}
    return SequenceGenerator(hidden_size=hidden_size, **settings).fit(names)  # type: ignore[arg-type]


def save_on(models: list[SequenceGenerator], folder: Path, pipe: int) -> None:
    """Save the models in turn, without end, and write a byte for each save that is done."""
    while True:
        for model in models:
            model.save(folder)
            os.write(pipe, b".")


def killed(N: int, two_renames: bool, seed: int = 0) -> Figures:
    """Kill N programs and return what that came to."""
    if two_renames:
        durable._exchange = lambda a, b: False
    draw, figures = random.Random(seed), Figures()
    models = [made(3), made(5)]
    with tempfile.TemporaryDirectory() as place:
        folder = models[0].save(Path(place) / "model")
        reading, writing = os.pipe()
        while figures.kills < N:
            child = os.fork()
            if child == 0:
                save_on(models, folder, writing)
            time.sleep(draw.uniform(0, LONGEST))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            figures.kills += 1
            figures.in_a_save += any(Path(place).glob(".*.new"))
            figures.aside += not folder.exists()
            try:
                figures.unreadable += load(folder).hidden_size not in (3, 5)  # type: ignore[attr-defined]
            except ValueError as error:
                print(error, file=sys.stderr)
                figures.unreadable += 1
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            figures.saves = len(pipe.read())
        models[0].save(folder)
        # A folder in which nothing was written yet may be another program's: it is left alone.
        figures.beside = sum(any(rest.iterdir()) for rest in Path(place).glob(".*"))
    return figures


def main() -> None:
    """Kill, and print what that came to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("N", nargs="?", type=int, default=500, help="how many kills")
    parser.add_argument("--two-renames", action="store_true", help="do not swap in one step")
    given = parser.parse_args()
    torch.set_num_threads(1)
    began = time.perf_counter()
    figures = killed(given.N, given.two_renames)
    print(f"programs killed: {figures.kills} ({figures.in_a_save} while a save was under way)")
    print(f"with the model aside, between two renames: {figures.aside}")
    print(f"saves that were done: {figures.saves}")
    print(f"neither the old model nor the new one: {figures.unreadable}")
    print(f"left beside after the next save: {figures.beside}")
    print(f"{time.perf_counter() - began:.0f} s")
    sys.exit(not figures.good)


if __name__ == "__main__":
    main()
