"""The LSTM with its forget gate only."""

import torch
from torch import Tensor, nn

from recurra.cells.cell import Affine, Cell, State
from recurra.cells.sizes import check_number, check_size
from recurra.errors import ArgumentError


class JANET(Cell):
    """The LSTM that keeps its forget gate and no other ("just another network").

    s = W^s·x_t + U^s·h_{t-1} + b^s, g = tanh(W^g·x_t + U^g·h_{t-1} + b^g),
    h_t = σ(s)⊙h_{t-1} + (1 - σ(s - β))⊙g.

    The paper's c_t is its h_t. With β above zero the cell takes in more than it forgets.

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h.
        bias: whether to add b^s and b^g.
        beta: β.
        longest: the longest dependency expected, in steps. Then b^s starts at log(u) with u
            uniform in [1, longest - 1], so that the units forget at rates as varied as that
            (chrono initialisation, Tallec and Ollivier, arXiv 1804.11188); at 1 if None.

    Source: van der Westhuizen and Lasenby, arXiv 1804.04849.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        beta: float = 1.0,
        longest: int | None = None,
    ) -> None:
        super().__init__(input_size, {"h": hidden_size})
        check_number("beta", beta)
        if longest is not None:
            check_size("longest", longest)
            if longest < 2:
                raise ArgumentError(f"longest must be at least 2, got {longest}.")
            if not bias:
                raise ArgumentError("longest sets where a bias starts: it needs bias=True.")
        self.beta, self.longest = beta, longest
        self.gates = Affine(input_size, hidden_size, 2, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights and the forget bias anew."""
        self.gates.reset_parameters()
        if self.gates.bias_ih is not None:
            forget = self.gates.bias_ih.chunk(2)[0]
            if self.longest is None:
                nn.init.ones_(forget)
            else:
                with torch.no_grad():
                    forget.uniform_(1, self.longest - 1).log_()

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H) -> h (B, H), (h,)."""
        s, g = self.gates(x, h).chunk(2, -1)
        h = torch.sigmoid(s) * h + (1 - torch.sigmoid(s - self.beta)) * torch.tanh(g)
        return h, (h,)

    def extra_repr(self) -> str:
        """Show sizes and β in the module's repr."""
        return f"{super().extra_repr()}, beta={self.beta}"
