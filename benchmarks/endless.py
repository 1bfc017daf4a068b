"""Training on a text larger than memory, in memory that does not grow: `make bench-endless`.

A seeded text of `--gigabytes` is written to a temporary folder: a Markov chain of order 2 over 16
characters whose entropy is known exactly. A generator reads it once, with the state carried on;
printed are the process' memory as the text goes by, and the loss on the held-out end beside the
chain's entropy and beside counted pairs of characters.
"""

import argparse
import multiprocessing
import os
import platform
import resource
import tempfile
import time
from collections import deque
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import recurra
from recurra import SequenceGenerator
from recurra.training import Callback, Trainer

ALPHABET = np.frombuffer(b"etaoinshrdlu ,.\n", np.uint8)
V = len(ALPHABET)
CHAINS, STEPS = 512, 2**16  # a block is 32 MB; two characters in each 65,536 follow from no others
HELD_OUT = 0.01


def transitions(seed: int = 0) -> NDArray[np.uint8]:
    """Return (V * V, 256): for each pair of symbols the next one, by a random byte."""
    draw = np.random.default_rng(seed)
    shares = draw.dirichlet(np.full(V, 0.2), V * V)
    counts = np.floor(shares * (256 - V)).astype(int) + 1  # each symbol may follow each pair
    counts[np.arange(V * V), shares.argmax(1)] += 256 - counts.sum(1)
    return np.stack([np.repeat(np.arange(V, dtype=np.uint8), row) for row in counts])


def entropy(table: NDArray[np.uint8]) -> float:
    """Return the chain's entropy in nats a character: that of each pair's next, by its share."""
    p = np.stack([np.bincount(row, minlength=V) for row in table]) / 256
    pairs = np.full(V * V, 1 / V**2)
    for _ in range(2000):  # (a, b) -> (b, c)
        pairs = (pairs[:, None] * p).reshape(V, V, V).sum(0).reshape(-1)
    return float(-(pairs[:, None] * p * np.log(p)).sum())


def write(path: Path, size: int, seed: int = 1) -> None:
    """Write `size` bytes of the chain, made by many side by side."""
    table, draw = transitions().reshape(-1), np.random.default_rng(seed)
    pair = draw.integers(V * V, size=CHAINS)
    made = np.empty((STEPS, CHAINS), np.uint8)
    with path.open("wb") as file:
        for written in range(0, size, made.size):
            by = draw.integers(256, size=made.shape, dtype=np.uint8)
            for step in range(STEPS):
                made[step] = table[pair * 256 + by[step]]
                pair = pair % V * V + made[step]
            file.write(np.ascontiguousarray(ALPHABET[made].T).tobytes()[: size - written])


def resident() -> float:
    """Return this process' resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Watch(Callback):
    """Prints memory and loss as the text goes by, at every doubling.

    size: bytes trained on.
    """

    def __init__(self, size: float) -> None:
        self._size, self._next = size, 25e6
        self._losses: deque[float] = deque(maxlen=200)
        self.memory: list[tuple[float, float]] = []  # bytes that had gone by, MB

    def on_train_begin(self, trainer: Trainer) -> None:
        self._began = time.perf_counter()
        print(f"{trainer.batches_per_epoch:,} chunks; before the first {resident():.0f} MB\n")
        print("  read, MB   memory, MB   loss of late   M characters/s", flush=True)

    def on_batch_end(self, trainer: Trainer, loss: float, gradient_norm: float) -> None:
        done = len(trainer.history.gradient_norms)
        self._losses.append(loss)
        read = done / trainer.batches_per_epoch * self._size
        if read >= self._next or done == trainer.batches_per_epoch:
            self._next *= 2
            self.memory.append((read, resident()))
            speed = read / (time.perf_counter() - self._began) / 1e6
            print(
                f"{read / 1e6:10,.0f} {resident():12.0f} {np.mean(self._losses):14.3f} "
                f"{speed:16.2f}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--cell", default="gru")
    parser.add_argument("--hidden-size", type=int, default=32)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--chunk", type=int, default=256)
    options = parser.parse_args()
    size = round(options.gigabytes * 1e9)
    print(
        f"Recurra {recurra.__version__}, PyTorch {torch.__version__}, Python "
        f"{platform.python_version()}; {torch.get_num_threads()} threads\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.txt"
        began = time.perf_counter()
        # In a process of its own, so that its memory is not counted.
        writer = multiprocessing.get_context("spawn").Process(target=write, args=(path, size))
        writer.start()
        writer.join()
        if writer.exitcode:
            raise SystemExit("the text could not be written")
        print(f"{path.stat().st_size:,} bytes written in {time.perf_counter() - began:.0f} s")
        learn(path, options)


def learn(path: Path, options: argparse.Namespace) -> None:
    """Train on the text and print what came of it."""
    size = path.stat().st_size * (1 - HELD_OUT)
    watch = Watch(size)
    model = SequenceGenerator(
        chunk=options.chunk,
        cell=options.cell,
        hidden_size=options.hidden_size,
        embedding_size=16,
        batch_size=options.rows,
        epochs=1,
        learning_rate=1e-2,
        dropout=0.0,
        weight_decay=0.0,
        validation_fraction=HELD_OUT,
        random_state=0,
        callbacks=[watch],
    )
    began = time.perf_counter()
    model.fit(path)
    (epoch,) = model.history_.epochs
    print(
        f"\ncounted, learned and judged in {time.perf_counter() - began:.0f} s, of which learned "
        f"in {epoch.seconds:.0f} s\n"
        f"held-out loss         {epoch.valid_loss:.4f} nats a character\n"
        f"the chain's entropy   {entropy(transitions()):.4f}\n"
        f"counted pairs         {model.baseline_loss_:.4f}"
    )
    read, early = next(pair for pair in watch.memory if pair[0] >= min(1e8, size / 2))
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(
        f"\nmemory after {read / 1e6:,.0f} MB of text {early:.0f} MB, after all of it "
        f"{watch.memory[-1][1]:.0f} MB; never more than {most:.0f} MB"
    )


if __name__ == "__main__":
    main()
