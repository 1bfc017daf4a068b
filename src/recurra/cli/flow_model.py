"""A saved generator and its sequences, ready for its gradients to be measured."""

import random
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.cells import CELLS
from recurra.cli.flow import Table
from recurra.data.batches import IGNORED, TokenBatch, TokenBatches
from recurra.data.sequences import check_sequences
from recurra.data.tables.table import read_table, shown_cell
from recurra.errors import ArgumentError, DataError, ModelFileError
from recurra.tasks import SequenceGenerator, load


@dataclass(frozen=True)
class Sample:
    """What `gradient_flow` takes.

    inputs, targets: (T, B); rows: how many sequences the table has.
    """

    model: nn.Module
    inputs: Tensor
    targets: Tensor
    rows: int


def sample(table: Table, batch: int, seed: int) -> Sample:
    """Return the model with up to `batch` sequences of the table, drawn by the seed.

    Raises `ArgumentError` for a model of another kind and for a table it cannot read.
    """
    if str(table.model) in CELLS and not table.model.exists():
        raise ArgumentError(
            f"MODEL {table.model}: no such model folder; for a new cell write --cell {table.model}."
        )
    generator = load(table.model)
    if not isinstance(generator, SequenceGenerator):
        raise ModelFileError(
            f"{table.model}: holds a {type(generator).__name__}; on a table the gradient flow of a "
            "SequenceGenerator can be measured."
        )
    if table.data is None:
        raise ArgumentError(
            f"DATA is missing: give the table of sequences that {table.model} is measured on."
        )
    rows, labels = _sequences(generator, table)
    chosen = random.Random(seed).sample(range(len(rows)), min(batch, len(rows)))
    # The longest first: the Jacobians are measured on the first few rows.
    chosen.sort(key=lambda k: -len(rows[k]))
    lexicon = generator.lexicon_
    tokens = TokenBatches(
        [lexicon.vocabulary.encode(rows[k]) for k in chosen],
        lexicon.numbers_of(None if labels is None else [labels[k] for k in chosen]),
        batch_size=len(chosen),
        device=next(generator.network_.parameters()).device,
    ).batch(torch.arange(len(chosen)))
    model = _NextSymbols(generator.network_, tokens)
    return Sample(model, tokens.inputs, tokens.targets, len(rows))


class _NextSymbols(nn.Module):
    """A generator's network as a model of the symbols alone, the batch's labels kept."""

    condition: Tensor | None

    def __init__(self, network: nn.Module, batch: TokenBatch) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("condition", batch.condition)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits (T, B, V) of what follows each of tokens (T, B)."""
        logits: Tensor = self.network(tokens, self.condition)[0]
        return logits


def symbol_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Return -log p of each target in nats: (T, B), 0 in padding."""
    return F.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
    ).view_as(targets)


def _sequences(
    generator: SequenceGenerator, table: Table
) -> tuple[list[list[str]], list[str] | None]:
    """Return the symbols of each sequence of a table, and the labels if the model has some."""
    assert table.data is not None
    known = generator.conditions_
    if not generator.lexicon_.text:
        raise ModelFileError(
            f"{table.model}: its sequences are lists of symbols, which no table has."
        )
    columns = [table.name_column, *([table.country_column] if known else [])]
    read = read_table(table.data, columns)
    cells = [read.texts(column) for column in columns]
    names, labels = [], []
    for k, row in enumerate(read.rows):
        name, *label = (" ".join(texts[k].split()) for texts in cells)
        if label and label[0] not in known:
            raise DataError(
                f"{read.source}, row {row}: the model knows no {shown_cell(label[0])}; it knows "
                f"{', '.join(known[:12])}{', ...' if len(known) > 12 else ''}."
            )
        if name:
            names.append(name)
            labels += label
    try:
        rows, _ = check_sequences(names, generator.max_length)
    except DataError as error:
        raise DataError(f"{read.source}: {error}") from None
    return rows, labels or None
