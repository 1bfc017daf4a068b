"""The LSTM whose gates see the cell state."""

import torch
from torch import Tensor, nn

from recurra.cells.cell import Affine, Cell, State
from recurra.cells.sizes import check_number


class PeepholeLSTM(Cell):
    """The LSTM with peepholes: each gate also sees the cell state, unit by unit.

    i, f = σ(W·x_t + U·h_{t-1} + p⊙c_{t-1} + b), g = tanh(W^g·x_t + U^g·h_{t-1} + b^g),
    c_t = f⊙c_{t-1} + i⊙g, o = σ(W^o·x_t + U^o·h_{t-1} + p^o⊙c_t + b^o), h_t = o⊙tanh(c_t).

    The output gate sees the new cell state. The peepholes p start at zero, so that the cell
    starts as an `LSTM`.

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h and c.
        bias: whether the gates add biases.
        forget_bias: what b^f starts at, 0 for none; only where there are biases.

    Source: Gers, Schraudolph and Schmidhuber, "Learning precise timing with LSTM recurrent
    networks", JMLR 3 (2002).
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, forget_bias: float = 1.0
    ) -> None:
        super().__init__(input_size, {"h": hidden_size, "c": hidden_size})
        check_number("forget_bias", forget_bias)
        self.forget_bias = forget_bias
        self.gates = Affine(input_size, hidden_size, 4, bias)
        self.peepholes = nn.Parameter(torch.empty(3 * hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, set the forget bias and close the peepholes."""
        self.gates.reset_parameters()
        if self.gates.bias_ih is not None:
            nn.init.constant_(self.gates.bias_ih.chunk(4)[1], self.forget_bias)
        nn.init.zeros_(self.peepholes)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H), c (B, H) -> h (B, H), (h, c)."""
        i, f, g, o = self.gates(x, h).chunk(4, -1)
        p_i, p_f, p_o = self.peepholes.chunk(3, -1)
        i = torch.sigmoid(i + p_i * c)
        f = torch.sigmoid(f + p_f * c)
        c = f * c + i * torch.tanh(g)
        h = torch.sigmoid(o + p_o * c) * torch.tanh(c)
        return h, (h, c)
