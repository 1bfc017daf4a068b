"""`Captioner`: one to many, a picture told in words."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data.examples import Examples
from recurra.data.inputs import Inputs
from recurra.errors import ArgumentError
from recurra.networks.captioner import CaptionerNetwork
from recurra.networks.convolution import ConvolutionalEncoder
from recurra.networks.decoder import Encoded
from recurra.tasks.reading import Reading
from recurra.tasks.writing.naive import Index, by_distance
from recurra.tasks.writing.seeing import Seeing, read_pictures
from recurra.tasks.writing.writer import SequenceWriter, Written


@dataclass(frozen=True)
class Glances:
    """Where a captioner looked.

    words: the T symbols written, then "" for the end; weights: (T + 1, rows, columns), for each
    how much it looked at each cell of a grid laid over the picture; each sums to 1.
    """

    words: list[str]
    weights: NDArray[np.float64]


@dataclass(eq=False, repr=False)
class Captioner(SequenceWriter):
    """Learns to say what a picture shows.

    A small convolutional network reads pictures (n, H, W) or (n, H, W, C), all of one size, at
    least 8 x 8 pixels, of whole numbers or not; a decoder writes the caption and looks at the
    picture for each word. A table (n, M) holds vectors instead of pictures.

    Args, beside those of `SequenceWriter`:
        tokens: how captions are cut: here "word" unless said.

    Nothing is read in order: `bidirectional` must be False; lower, max_length and forget have no
    meaning here.

    Fitted: network_, history_, reading_ (of the pictures), writing_ (of the captions), baselines_
    (the share of captions that the nearest training picture, pixel by pixel, and the most
    frequent caption write exactly, on the validation part; on the training part without one; on
    1,000 examples at most; none after `partial_fit`), baseline_score_ (the best of them, or NaN),
    n_features_in_ for vectors.
    """

    _: KW_ONLY
    batch_size: int = 32
    tokens: str = "word"

    _nouns = ("captions", "pictures")
    _reading_class = Seeing

    def caption(
        self,
        X: Any,
        condition: Any = None,
        *,
        n_best: int = 1,
        beam_size: int | None = None,
        length_penalty: float | None = None,
    ) -> list[list[Written]]:
        """Return for each picture its `n_best` captions with their scores, the best first.

        Args:
            X: n pictures.
            condition: n labels, or one for all, where the model was fitted with a condition.
            n_best: how many, at most the beam size.
            beam_size, length_penalty: instead of the estimator's.

        Raises `ArgumentError` for numbers that cannot be used.
        """
        return self._written(X, condition, self._beam(beam_size, length_penalty), n_best)

    def attention(self, X: Any, condition: Any = None) -> list[Glances]:
        """Return for each picture where its best caption looked; a vector is a grid of 1 x 1."""
        looked = self._looked_at(X, condition)
        assert isinstance(self.network_, CaptionerNetwork)
        encoder = self.network_.encoder
        grid = (1, 1) if encoder is None else encoder.grid
        return [Glances([*words, ""], weights.reshape(-1, *grid)) for words, weights in looked]

    def _build(self) -> nn.Module:
        assert isinstance(self.reading_, Seeing)
        shape = self.reading_.shape
        if len(shape) == 1:
            return CaptionerNetwork(None, shape[0], self._new_decoder(shape[0]))
        size = max(8, self.hidden_size // 8 * 8)
        encoder = ConvolutionalEncoder(shape[1], shape[2], shape[0], size)
        return CaptionerNetwork(encoder, size, self._new_decoder(size), dropout=self.dropout)

    def _encode(self, batch: Any, lengths: Tensor) -> Encoded:
        assert isinstance(self.network_, CaptionerNetwork)
        return self.network_.encode(batch)

    def _read_inputs(self, X: Any) -> Inputs:
        return read_pictures(X)

    def _new_reading(self, inputs: Inputs, train: Examples) -> Reading:
        return Seeing.see(train.inputs, train.weights)

    def _weight(self, row: Any) -> int:
        return max(1, int(row[0].size) // 16)

    def _index(self) -> Index:
        return by_distance

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.bidirectional:
            raise ArgumentError(
                "bidirectional=True: a captioner sees a picture as a whole, and cannot read words "
                "that it has not written yet: leave it False."
            )
