"""The LSTM with one gate for both the input and the forgetting."""

import torch
from torch import Tensor, nn

from recurra.cells.cell import Affine, Cell, State
from recurra.cells.sizes import check_number


class CoupledLSTM(Cell):
    """The LSTM with coupled input and forget gate: what is written replaces what is forgotten.

    i, o = σ(W·x_t + U·h_{t-1} + b), g = tanh(W^g·x_t + U^g·h_{t-1} + b^g), f = 1 - i,
    c_t = f⊙c_{t-1} + i⊙g, h_t = o⊙tanh(c_t).

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h and c.
        bias: whether the gates add biases.
        forget_bias: b^i starts at -forget_bias, as f = σ(-(W^i·x_t + U^i·h_{t-1} + b^i)); 0 for
            none; only where there are biases.

    Source: the variant CIFG of Greff et al., arXiv 1503.04069, without its peepholes.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, forget_bias: float = 1.0
    ) -> None:
        super().__init__(input_size, {"h": hidden_size, "c": hidden_size})
        check_number("forget_bias", forget_bias)
        self.forget_bias = forget_bias
        self.gates = Affine(input_size, hidden_size, 3, bias)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew and set the forget bias."""
        self.gates.reset_parameters()
        if self.gates.bias_ih is not None:
            nn.init.constant_(self.gates.bias_ih.chunk(3)[0], -self.forget_bias)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H), c (B, H) -> h (B, H), (h, c)."""
        i, g, o = self.gates(x, h).chunk(3, -1)
        i = torch.sigmoid(i)
        c = (1 - i) * c + i * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)
