"""The name generator's figures, as the README quotes them: `make bench-names`.

1. Held-out loss and training time beside a hand-written plain-PyTorch LSTM. The two train in
   turn, an epoch each, so that a busy moment of the machine falls on both.
2. Whether generated names begin as asked, fit their country in the eyes of an independent judge,
   and are new.
3. The cells beside one another on the same data.
"""

import argparse
import platform
import statistics
import sys
from dataclasses import dataclass
from typing import Any

import torch

import recurra
from judge import Judge
from plain_lstm import PlainLSTM
from recurra.data.sources.names import NameTable, load_names
from recurra.data.splits import group_key, split_by_group
from recurra.tasks import SequenceGenerator, mean_losses, score_labels
from recurra.training import Callback, Epoch, Trainer

CELLS: list[tuple[str, str, dict[str, Any]]] = [
    ("Elman, tanh", "elman", {"activation": "tanh"}),
    ("Elman, relu", "elman", {"activation": "relu"}),
    ("FCN, depth 2, tanh", "fcn", {"depth": 2}),
    ("LSTM", "lstm", {}),
    ("LSTM, squashed cell", "lstm", {"squash_cell": True}),
    ("GRU", "gru", {}),
]


@dataclass
class Data:
    learned: NameTable
    held_out: NameTable


def load() -> Data:
    table = load_names()
    parts = split_by_group([group_key(name) for name in table.names], (0.9, 0.1))
    learned, held_out = map(table.select, parts)
    print(
        f"{len(table):,} names of {len(set(table.countries))} countries, "
        f"{len(set(table.names)):,} of them different; {len(held_out):,} held out by unique name."
    )
    return Data(learned, held_out)


def generator(**options: Any) -> SequenceGenerator:
    return SequenceGenerator(random_state=0, validation_fraction=1 / 9, patience=None, **options)


class PeerBeside(Callback):
    """Trains the peer for an epoch after each of ours."""

    def __init__(self, peer: PlainLSTM) -> None:
        self.peer = peer
        self.seconds: list[float] = []
        self.ours: list[float] = []

    def on_epoch_end(self, trainer: Trainer, epoch: Epoch) -> None:
        self.ours.append(epoch.seconds)
        self.seconds.append(self.peer.epoch())
        print(
            f"  epoch {epoch.number}: ours {epoch.seconds:.1f} s, peer {self.seconds[-1]:.1f} s",
            file=sys.stderr,
            flush=True,
        )


def beside_plain_pytorch(data: Data, epochs: int) -> SequenceGenerator:
    ours = generator(epochs=epochs)
    # Ours holds a ninth of its names out to choose the epoch; the peer trains on as many as ours.
    groups = [group_key(name) for name in data.learned.names]
    same = data.learned.select(split_by_group(groups, (8 / 9, 1 / 9))[0])
    peer = PlainLSTM(
        list(zip(same.names, same.countries, strict=True)),
        batch=ours.batch_size,
        hidden=ours.hidden_size,
        embedding=ours.embedding_size,
        rate=ours.learning_rate,
        epochs=epochs,
    )
    beside = PeerBeside(peer)
    ours.callbacks = [beside]
    ours.fit(data.learned.names, data.learned.countries)
    held_out = list(zip(data.held_out.names, data.held_out.countries, strict=True))
    loss, baseline = mean_losses(
        score_labels(ours, data.held_out.names, data.held_out.countries, data.learned.names)
    )
    ratios = [a / b for a, b in zip(beside.ours, beside.seconds, strict=True)]
    print("\n## Held-out names\n")
    print("| model | held-out loss, nats a character | training, s | s an epoch, median |")
    print("|---|---|---|---|")
    print(f"| character pairs, counted (baseline) | {baseline:.3f} | | |")
    print(
        f"| torch.nn.LSTM by hand, {epochs} epochs | {peer.evaluate(held_out):.3f} | "
        f"{sum(beside.seconds):.0f} | {statistics.median(beside.seconds):.1f} |"
    )
    print(
        f"| Recurra, {epochs} epochs | {loss:.3f} | {sum(beside.ours):.0f} | "
        f"{statistics.median(beside.ours):.1f} |"
    )
    print(
        f"\nTime of an epoch, ours / by hand: median {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}); ours includes judging the validation names."
    )
    return ours


def judge_generated(model: SequenceGenerator, data: Data, most: int) -> None:
    judge = Judge(data.learned.names, data.learned.countries)
    known = set(data.learned.names)
    pairs = [
        (name, country)
        for name, country in zip(data.held_out.names, data.held_out.countries, strict=True)
        if name[0] in model.starts_.get(country, {})
    ]
    step = max(1, len(pairs) // most)
    pairs = pairs[::step]
    real = [name for name, _ in pairs]
    countries = [country for _, country in pairs]
    made = [
        model.generate(name[0], country, random_state=k)[0]
        for k, (name, country) in enumerate(pairs)
    ]
    begin = sum(new[0] == name[0] for new, name in zip(made, real, strict=True)) / len(made)
    novel = [k for k, name in enumerate(made) if name not in known]
    top_real, top_made = judge.top(real, countries), judge.top(made, countries)
    top_novel = judge.top([made[k] for k in novel], [countries[k] for k in novel])
    print(f"\n## Generated names ({len(made):,}, temperature 1, one for each held-out name)\n")
    print(f"- begin with the letter asked for: {begin:.1%}")
    print(
        f"- the judge has the country in its top five: {top_made:.3f}, for held-out real names "
        f"{top_real:.3f}: {top_made / top_real:.3f} times as often; for the new ones alone "
        f"{top_novel:.3f}, {top_novel / top_real:.3f} times"
    )
    print(f"- not among the training names: {len(novel) / len(made):.1%}")


def compare_cells(data: Data, epochs: int) -> None:
    print(f"\n## Cells, {epochs} epochs each, the same data, sizes and seed\n")
    print("| cell | layers | held-out loss, nats a character | parameters | s an epoch |")
    print("|---|---|---|---|---|", flush=True)
    for layers in (1, 2):
        for name, cell, options in CELLS:
            model = generator(cell=cell, cell_options=options, num_layers=layers, epochs=epochs)
            try:
                model.fit(data.learned.names, data.learned.countries)
                loss = f"{-model.score(data.held_out.names, data.held_out.countries):.3f}"
                seconds = statistics.median(e.seconds for e in model.history_.epochs)
            except recurra.errors.DivergenceError as error:
                loss, seconds = f"diverged: {error}", float("nan")
            print(
                f"| {name} | {layers} | {loss} | {model.parameter_count_:,} | {seconds:.1f} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10, help="of the main run")
    parser.add_argument("--cell-epochs", type=int, default=4, help="of each cell in the table")
    parser.add_argument("--generated", type=int, default=4000, help="names to judge, at most")
    parser.add_argument("--no-cells", action="store_true", help="leave the table of cells out")
    given = parser.parse_args()
    print(
        f"Recurra {recurra.__version__}, torch {torch.__version__}, Python "
        f"{platform.python_version()}, {torch.get_num_threads()} threads, {platform.machine()}."
    )
    data = load()
    model = beside_plain_pytorch(data, given.epochs)
    judge_generated(model, data, given.generated)
    if not given.no_cells:
        compare_cells(data, given.cell_epochs)


if __name__ == "__main__":
    main()
