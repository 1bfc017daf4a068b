"""The sLSTM: an LSTM with exponential gates, a normaliser and heads."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.cells.cell import Cell, State
from recurra.cells.sizes import check_number, check_size
from recurra.errors import ArgumentError


class SLSTM(Cell):
    """The sLSTM: h_t is a mean of past inputs, weighted by gates without an upper bound.

    With ĩ, f̃, z̃, õ = W·x_t + R·h_{t-1} + b:

    m_t = max(ĩ, m_{t-1} + log σ(f̃)), i = exp(ĩ - m_t), f = exp(m_{t-1} + log σ(f̃) - m_t),
    c_t = f⊙c_{t-1} + i⊙tanh(z̃), n_t = f⊙n_{t-1} + i, h_t = σ(õ)⊙c_t/n_t.

    m cancels in c_t/n_t: it only keeps the exponentials in range. Each head sees its own part of
    h_{t-1} alone. From zeros, i = 1 at the first step, and n_t ≥ 1 ever after, since either i or
    f is 1; where a state of another kind is given or learned, h_t = σ(õ)⊙c_t/max(n_t, 1).

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h, c, n and m.
        bias: whether to add b.
        heads: N, the blocks on R's diagonal; it divides H.
        forget_bias: what b^f starts at, 0 for none; only where there are biases.

    Source: Beck et al., arXiv 2405.04517, equations 8 to 17, with σ for the forget gate.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        heads: int = 1,
        forget_bias: float = 1.0,
    ) -> None:
        super().__init__(input_size, dict.fromkeys("hcnm", hidden_size))
        check_size("heads", heads)
        check_number("forget_bias", forget_bias)
        if hidden_size % heads:
            raise ArgumentError(f"heads must divide hidden_size={hidden_size}, got {heads}.")
        self.heads, self.forget_bias = heads, forget_bias
        d = hidden_size // heads
        self.linear = nn.Linear(input_size, 4 * hidden_size, bias)
        self.weight_hh = nn.Parameter(torch.empty(heads, d, 4 * d))  # from, to: a gate's d columns
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, each gate and head on its own, and set the forget bias."""
        for weight in self.linear.weight.chunk(4):
            nn.init.xavier_uniform_(weight)
        for head in self.weight_hh.detach():
            for weight in head.chunk(4, -1):
                nn.init.orthogonal_(weight)
        if self.linear.bias is not None:
            nn.init.zeros_(self.linear.bias)
            nn.init.constant_(self.linear.bias.chunk(4)[1], self.forget_bias)

    def forward(
        self, x: Tensor, h: Tensor, c: Tensor, n: Tensor, m: Tensor
    ) -> tuple[Tensor, State]:
        """Step once: x (B, I), states (B, H) each -> h (B, H), (h, c, n, m)."""
        of_heads = h.view(h.shape[0], self.heads, h.shape[1] // self.heads)
        of_state = torch.einsum("bhd,hde->bhe", of_heads, self.weight_hh).chunk(4, -1)
        of_input = self.linear(x).chunk(4, -1)
        i, f, z, o = (a + b.reshape(h.shape) for a, b in zip(of_input, of_state, strict=True))
        # A memory that is empty (n = 0) has no scale yet: it takes the input's, so that i = 1.
        past = torch.where(n == 0, i, m + F.logsigmoid(f))
        m = torch.maximum(i, past)
        i, f = torch.exp(i - m), torch.exp(past - m)
        c = f * c + i * torch.tanh(z)
        n = f * n + i
        h = torch.sigmoid(o) * c / torch.where(n < 1, 1.0, n)
        return h, (h, c, n, m)

    def extra_repr(self) -> str:
        """Show sizes and heads in the module's repr."""
        return f"{super().extra_repr()}, heads={self.heads}"
