"""The minimal gated unit: a GRU with one gate."""

import torch
from torch import Tensor

from recurra.cells.cell import Affine, Cell, State


class MGU(Cell):
    """The minimal gated unit: the GRU whose update gate is its reset gate, too.

    f = σ(W^f·x_t + U^f·h_{t-1} + b^f), n = tanh(W^n·x_t + U^n·(f⊙h_{t-1}) + b^n),
    h_t = (1 - f)⊙h_{t-1} + f⊙n.

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h.
        bias: whether to add b^f and b^n.

    Source: Zhou et al., arXiv 1603.09420.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__(input_size, {"h": hidden_size})
        self.gate = Affine(input_size, hidden_size, 1, bias)
        self.candidate = Affine(input_size, hidden_size, 1, bias)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H) -> h (B, H), (h,)."""
        f = torch.sigmoid(self.gate(x, h))
        n = torch.tanh(self.candidate(x, f * h))
        h = (1 - f) * h + f * n
        return h, (h,)
