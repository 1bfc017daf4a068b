"""Many to one: a sequence to one vector, and from that to scores or numbers."""

from typing import Any

from torch import Tensor, nn

from recurra.networks.encoder import Encoder
from recurra.networks.linear import linear_like
from recurra.networks.pooling import Pooling


class PooledNetwork(nn.Module):
    """Reads a sequence, pools over time, and maps that to O outputs.

    Args:
        encoder: reads the sequence.
        pooling: "last", "mean", "max", "attention" or "mix", as `Pooling` has it.
        outputs: O.
    """

    def __init__(self, encoder: Encoder, pooling: str, outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = Pooling(pooling, encoder.output_size, encoder.recurrent.directions)
        self.head = nn.Linear(self.pooling.output_size, outputs)

    def forward(self, batch: Any, lengths: Tensor) -> Tensor:
        """Return (B, O); float64 when not training, so that a row is the same in any batch."""
        out, _ = self.encoder(batch, lengths)
        return linear_like(self.head, self.pooling(out, lengths))
