"""The minimal GRU, whose gates do not see the state."""

import torch
from torch import Tensor, nn

from recurra.cells.cell import Cell, State


class MinGRU(Cell):
    """The minimal GRU: h_t = (1 - z)⊙h_{t-1} + z⊙n, with z and n of the input alone.

    z = σ(W^z·x_t + b^z), and then

    - `positive=True` (the paper's form for logarithms):   n = g(W^n·x_t + b^n)
    - `positive=False` (the paper's first form):           n = W^n·x_t + b^n

    where g(v) = v + ½ for v ≥ 0 and σ(v) below, which is above zero and continuous.

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h.
        bias: whether to add b^z and b^n.
        positive: whether g keeps n above zero.

    Source: Feng et al., arXiv 2410.01201, section 3.1; g in appendix B.3.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, positive: bool = True
    ) -> None:
        super().__init__(input_size, {"h": hidden_size})
        self.positive = positive
        self.gates = nn.Linear(input_size, 2 * hidden_size, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, each gate on its own."""
        for weight in self.gates.weight.chunk(2):
            nn.init.xavier_uniform_(weight)
        if self.gates.bias is not None:
            nn.init.zeros_(self.gates.bias)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H) -> h (B, H), (h,)."""
        z, n = self.gates(x).chunk(2, -1)
        z = torch.sigmoid(z)
        if self.positive:
            n = torch.where(n >= 0, n + 0.5, torch.sigmoid(n))
        h = (1 - z) * h + z * n
        return h, (h,)

    def extra_repr(self) -> str:
        """Show sizes and form in the module's repr."""
        return f"{super().extra_repr()}, positive={self.positive}"
