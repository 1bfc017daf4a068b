"""The gated recurrent unit, in torch's form and in the first paper's."""

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.cells.cell import Affine, Cell, State


class Gates(Affine):
    """The gates z and n of a GRU, which its r acts within.

    They are one module, so that what hangs on it (a hook, a norm of its weights) sees each use.
    """

    def forward(  # type: ignore[override]
        self, x: Tensor, h: Tensor, reset_after: bool
    ) -> tuple[Tensor, Tensor]:
        """Return z and n, (B, H) each."""
        x_r, x_z, x_n = self.of_input(x).chunk(3, -1)
        if reset_after:
            h_r, h_z, h_n = self.of_state(h).chunk(3, -1)
            r = torch.sigmoid(x_r + h_r)
            n = torch.tanh(x_n + r * h_n)
        else:
            H = h.shape[-1]
            weight, bias = self.weight_hh, self.bias_hh
            b_rz, b_n = (None, None) if bias is None else (bias[: 2 * H], bias[2 * H :])
            h_r, h_z = F.linear(h, weight[: 2 * H], b_rz).chunk(2, -1)
            r = torch.sigmoid(x_r + h_r)
            n = torch.tanh(x_n + F.linear(r * h, weight[2 * H :], b_n))
        return torch.sigmoid(x_z + h_z), n


class GRU(Cell):
    """The gated recurrent unit: h_t = (1 - z)⊙n + z⊙h_{t-1} with r, z = σ(W·x_t + U·h_{t-1} + b).

    - `reset_after=True` (torch, cuDNN, Keras): n = tanh(W^n·x_t + b + r⊙(U^n·h_{t-1} + b_hn))
    - `reset_after=False` (the first paper):    n = tanh(W^n·x_t + b + U^n·(r⊙h_{t-1}) + b_hn)

    The paper writes 1 - z for z; the gate learns either.

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h.
        bias: whether the gates add biases.
        reset_after: whether the reset gate acts after the product with U^n, or before it.

    Source: Cho et al., arXiv 1406.1078, equations 5 to 8.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, reset_after: bool = True
    ) -> None:
        super().__init__(input_size, {"h": hidden_size})
        self.reset_after = reset_after
        self.gates = Gates(input_size, hidden_size, 3, bias)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H) -> h (B, H), (h,)."""
        z, n = self.gates(x, h, self.reset_after)
        h = (1 - z) * n + z * h
        return h, (h,)

    def torch_kernel(self) -> tuple[str, tuple[Tensor, ...]] | None:
        """Return torch's kernel for its form."""
        return ("gru", self.gates.weights()) if self.reset_after else None

    def extra_repr(self) -> str:
        """Show sizes and form in the module's repr."""
        return f"{super().extra_repr()}, reset_after={self.reset_after}"
