"""Streams of a generator: what symbol comes next."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.data.sequences import label_text
from recurra.data.vocabulary import END, SPECIAL, START
from recurra.errors import ArgumentError, DataError
from recurra.networks import GeneratorNetwork
from recurra.tasks.generating.generator import SequenceGenerator
from recurra.tasks.generating.lexicon import check_label
from recurra.tasks.generating.symbol_sequences import SymbolSequences
from recurra.tasks.streaming.reader import Kept, State, StreamReader
from recurra.tasks.streaming.running import RunningLayer


class SymbolReader(StreamReader):
    """Reads streams of a generator of symbols."""

    def __init__(self, estimator: SequenceGenerator) -> None:
        sequences, network = estimator.sequences_, estimator.network_
        if not isinstance(sequences, SymbolSequences) or not isinstance(network, GeneratorNetwork):
            raise ArgumentError("a generator of numbers has no stream: generate from a prefix.")
        self._lexicon, self._network = sequences.lexicon, network
        self._layer = RunningLayer(network.recurrent)
        self._device = next(network.parameters()).device
        self._barred = self._bars().to(self._device)
        names = {END: "", **dict(enumerate(self._lexicon.symbols, SPECIAL))}
        self._numbers = torch.tensor(list(names), device=self._device)
        self._names = np.array([*names.values()], dtype=object)

    def _bars(self) -> Tensor:
        """Return what is added to the logits of each label: minus infinity where one never is."""
        labels: list[str | None] = [*self._lexicon.conditions] or [None]
        bars = torch.zeros(len(labels), len(self._lexicon.vocabulary), dtype=torch.float64)
        for k, label in enumerate(labels):
            bars[k, self._lexicon.never(label)] = -torch.inf
        return bars

    def start(self, condition: Any = None) -> State:
        """Return the state of a stream of which nothing was read, of a label if there are some."""
        label = None if condition is None else label_text(condition)
        check_label(label, self._lexicon.conditions)
        number = -1 if label is None else self._lexicon.conditions.index(label)
        numbers = {"begun": torch.zeros(1).long(), "label": torch.tensor([number])}
        return self._layer.start() | numbers

    def check(self, state: Mapping[str, Tensor]) -> None:
        """Raise `ArgumentError` unless a state is of the form of this reader's."""
        labels = self._lexicon.conditions
        self.check_form(self.start(labels[0] if labels else None), state)
        if not (0 <= int(state["label"]) < len(labels) if labels else int(state["label"]) == -1):
            raise ArgumentError(
                f"the state's label, {int(state['label'])}, is none of the model's."
            )

    def read(self, piece: Any) -> list[int]:
        """Return a piece's symbols' numbers; raises `DataError` for another form."""
        parts = () if isinstance(piece, str | bytes) else piece
        if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
            raise DataError(f"a piece must be a text or a list of symbols, got {piece!r}.")
        return self._lexicon.vocabulary.encode(self._lexicon.cut(piece, "a piece"))

    def takes_nothing(self, fixed: State) -> bool:
        """Return whether a stream has not begun: later all was predicted already."""
        return not fixed["begun"]

    @torch.no_grad()
    def advance(self, kept: Kept, rows: Sequence[Any], most: int | None = None) -> list[Any]:
        """Read rows on and return the probability of each symbol that may come next."""
        begun = kept.fixed["begun"][:, 0].tolist()
        tokens = [row if was else [START, *row] for was, row in zip(begun, rows, strict=True)]
        lengths = [len(row) for row in tokens]
        T = max(lengths)
        padded = torch.tensor([row + [END] * (T - len(row)) for row in tokens], device=self._device)
        label = kept.fixed["label"][:, 0].to(self._device)
        logits = self._run(padded.T, label, kept, lengths)
        kept.fixed["begun"] = torch.ones_like(kept.fixed["begun"])
        barred = self._barred[label.clamp(min=0)]
        return self._named((logits.double() + barred).softmax(-1)[:, self._numbers], most)

    def _run(self, tokens: Tensor, label: Tensor, kept: Kept, lengths: Sequence[int]) -> Tensor:
        """Return the logits (B, V) after each row's last symbol."""
        network = self._network
        x = network.symbols(tokens) * math.sqrt(network.symbols.embedding_dim)
        if network.conditions is not None:
            x = torch.cat([x, network.conditions(label).expand(len(tokens), -1, -1)], -1)
        out = self._layer.run(x, kept, lengths)
        ends = torch.tensor(lengths, device=out.device) - 1
        features = network.project(out[ends, torch.arange(len(lengths), device=out.device)])
        return F.linear(features, network.symbols.weight, network.bias)

    def _named(self, p: Tensor, most: int | None) -> list[dict[str, float]]:
        """Return the probabilities by symbol, likeliest first; "" is the end."""
        most = p.shape[1] if most is None else min(most, p.shape[1])
        best = p.sort(dim=-1, descending=True, stable=True)
        names = self._names[best.indices[:, :most].cpu().numpy()].tolist()
        values = best.values[:, :most].cpu()
        there = (values > 0).sum(1).tolist()
        return [
            dict(zip(named[:n], row[:n], strict=True))
            for named, row, n in zip(names, values.tolist(), there, strict=True)
        ]
