"""A whole sequence read: features, the recurrent layer, dropout around it."""

from typing import Any

from torch import Tensor, nn

from recurra.layers import Recurrent
from recurra.networks.embedding import drop_features

State = tuple[Tensor, ...]


class Encoder(nn.Module):
    """Reads sequences and returns the recurrent layer's outputs.

    Args:
        reader: turns a batch into features (T, B, I).
        recurrent: the layer, with input_size I.
        dropout: the probability of a feature's being zeroed before and after the layer.
    """

    def __init__(self, reader: nn.Module, recurrent: Recurrent, dropout: float = 0.0) -> None:
        super().__init__()
        self.reader, self.recurrent, self.dropout = reader, recurrent, dropout
        self.output_size = recurrent.output_size

    def forward(self, batch: Any, lengths: Tensor) -> tuple[Tensor, State]:
        """Return the outputs (T, B, D·O), zero past a row's end, and the last state."""
        rate = self.dropout if self.training else 0.0
        out, state = self.recurrent(drop_features(self.reader(batch), rate), lengths=lengths)
        return drop_features(out, rate), state
