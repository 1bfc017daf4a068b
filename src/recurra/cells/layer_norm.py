"""The LSTM with layer normalisation."""

import torch
from torch import Tensor, nn

from recurra.cells.cell import Apart, Cell, State
from recurra.cells.sizes import check_number


class LayerNormLSTM(Cell):
    """The LSTM whose summed inputs and cell state are normalised, row by row.

    i, f, g, o = LN(W·x_t; α_x) + LN(U·h_{t-1}; α_h) + b,
    c_t = σ(f)⊙c_{t-1} + σ(i)⊙tanh(g), h_t = σ(o)⊙tanh(LN(c_t; α_c, β_c)).

    LN(a; α, β) = α⊙(a - mean(a)) / √(var(a) + 1e-5) + β over all features of a: the 4·H of the
    gates together, the H of c. The paper's β of the first two add up with b, and are left out.

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h and c.
        bias: whether to add b and β_c.
        forget_bias: what b^f starts at, 0 for none; only where there are biases.

    Source: Ba, Kiros and Hinton, arXiv 1607.06450, equations 20 to 22.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, forget_bias: float = 1.0
    ) -> None:
        super().__init__(input_size, {"h": hidden_size, "c": hidden_size})
        check_number("forget_bias", forget_bias)
        self.forget_bias = forget_bias
        self.gates = Apart(input_size, hidden_size, 4, bias=False)
        self.bias = nn.Parameter(torch.empty(4 * hidden_size)) if bias else None
        self.norm_x = nn.LayerNorm(4 * hidden_size, bias=False)
        self.norm_h = nn.LayerNorm(4 * hidden_size, bias=False)
        self.norm_c = nn.LayerNorm(hidden_size, bias=bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, set the forget bias, and each gain to 1."""
        self.gates.reset_parameters()
        for norm in (self.norm_x, self.norm_h, self.norm_c):
            norm.reset_parameters()
        if self.bias is not None:
            nn.init.zeros_(self.bias)
            nn.init.constant_(self.bias.chunk(4)[1], self.forget_bias)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H), c (B, H) -> h (B, H), (h, c)."""
        of_x, of_h = self.gates(x, h)
        gates = self.norm_x(of_x) + self.norm_h(of_h)
        if self.bias is not None:
            gates = gates + self.bias
        i, f, g, o = gates.chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(self.norm_c(c))
        return h, (h, c)
