"""`Translator`: many to many, from one sequence to another of another length."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.networks.decoder import Encoded
from recurra.networks.translator import TranslatorNetwork
from recurra.tasks.writing.naive import Index, by_distance, by_runs
from recurra.tasks.writing.writer import SequenceWriter, Written


@dataclass(frozen=True)
class Alignment:
    """Where a translation looked.

    source: the S symbols read (numbers as text); target: the T symbols written, then "" for the
    end; weights: (T + 1, S), row t is where the symbol t looked, and sums to 1.
    """

    source: list[str]
    target: list[str]
    weights: NDArray[np.float64]


@dataclass(eq=False, repr=False)
class Translator(SequenceWriter):
    """Learns to turn a sequence into another: a date as people write it into ISO 8601.

    An encoder reads the source; a decoder writes the target symbol by symbol and looks back at
    the source for each. Either side may be texts or lists of strings, the source may be series of
    numbers, the target one label. A symbol of a source that was never learned is read as unknown.

    Args, beside those of `SequenceWriter`:
        tokens: as `SupervisedEstimator` has it, here "char" unless said.

    Fitted: network_, history_, reading_ (of the sources), writing_ (of the targets), baselines_
    (the share of targets that copying the source, the nearest training source and the most
    frequent target write exactly, on the validation part; on the training part without one; on
    1,000 examples at most; none after `partial_fit`), baseline_score_ (the best of them, or NaN),
    n_features_in_ for numbers.
    """

    _: KW_ONLY
    bidirectional: bool = True
    tokens: str = "char"

    def translate(
        self,
        X: Any,
        condition: Any = None,
        *,
        n_best: int = 1,
        beam_size: int | None = None,
        length_penalty: float | None = None,
    ) -> list[list[Written]]:
        """Return for each source its `n_best` translations with their scores, the best first.

        Args:
            X: n sources.
            condition: n labels, or one for all, where the model was fitted with a condition.
            n_best: how many, at most the beam size.
            beam_size, length_penalty: instead of the estimator's.

        Raises `ArgumentError` for numbers that cannot be used.
        """
        return self._written(X, condition, self._beam(beam_size, length_penalty), n_best)

    def attention(self, X: Any, condition: Any = None) -> list[Alignment]:
        """Return for each source where its best translation looked."""
        looked = self._looked_at(X, condition)
        sources = self._rows(X)
        return [
            Alignment([str(step) for step in source], [*symbols, ""], weights)
            for source, (symbols, weights) in zip(sources, looked, strict=True)
        ]

    def _build(self) -> nn.Module:
        encoder = self._encoder()
        return TranslatorNetwork(encoder, self._new_decoder(encoder.output_size))

    def _encode(self, batch: Any, lengths: Tensor) -> Encoded:
        assert isinstance(self.network_, TranslatorNetwork)
        return self.network_.encode(batch, lengths)

    def _index(self) -> Index:
        return by_distance if self.reading_.kind == "numbers" else by_runs
