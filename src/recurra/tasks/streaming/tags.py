"""Streams of a tagger: a distribution of tags for each step as it comes."""

from collections.abc import Sequence
from typing import Any

import torch

from recurra.networks.tagger import TaggerNetwork
from recurra.tasks.streaming.encoded import EncoderReader
from recurra.tasks.streaming.reader import Kept
from recurra.tasks.tagging.tagger import SequenceTagger


class TagReader(EncoderReader):
    """Reads streams of a tagger."""

    by_step = True

    def __init__(self, estimator: SequenceTagger) -> None:
        network = estimator.network_
        assert isinstance(network, TaggerNetwork)
        super().__init__(estimator, network.encoder)
        self._network = network
        self._is_of_words = is_of_words(self._vocabulary.symbols)

    def read(self, piece: Any) -> Any:
        """Return a piece as a row of steps: a text's are its characters, or its words."""
        if isinstance(piece, str):
            return piece.split() if self._is_of_words else list(piece)
        return super().read(piece)

    @torch.no_grad()
    def advance(self, kept: Kept, rows: Sequence[Any], most: int | None = None) -> list[Any]:
        """Read rows on and return the probabilities of their steps."""
        out, lengths = self._run(kept, rows)
        p = self._network.scores(out).softmax(-1).transpose(0, 1).cpu().numpy()
        return [row[:steps] for row, steps in zip(p, lengths, strict=True)]


def is_of_words(symbols: Sequence[str]) -> bool:
    """Return whether a tagger's steps are words: one of its symbols has several characters."""
    return any(len(symbol) > 1 for symbol in symbols)
