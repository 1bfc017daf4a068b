"""The coupled oscillatory network: units that swing, driven by the input and one another."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.cells.cell import Affine, Cell, State
from recurra.cells.sizes import check_number


class CoRNN(Cell):
    """The coupled oscillatory RNN: h″ = tanh(V·x + W·h + W^z·h′ + b) - γ·h - ε·h′, in steps of Δt.

    z_t = z_{t-1} + Δt·(tanh(V·x_t + W·h_{t-1} + W^z·z_{t-1} + b) - γ·h_{t-1} - ε·z_{t-1}),
    h_t = h_{t-1} + Δt·z_t.

    h is the paper's y, z its velocity. The damping ε acts on z_{t-1}, the explicit of the paper's
    two forms.

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h and z.
        bias: whether to add b.
        dt: Δt, above 0.
        gamma: γ, how strongly a unit is pulled back, above 0.
        epsilon: ε, how strongly it is damped, above 0.

    Source: Rusch and Mishra, arXiv 2010.00951, equation 3; the defaults are those of their
    published code for sequential MNIST.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        dt: float = 0.042,
        gamma: float = 2.7,
        epsilon: float = 4.7,
    ) -> None:
        super().__init__(input_size, {"h": hidden_size, "z": hidden_size})
        for name, value in (("dt", dt), ("gamma", gamma), ("epsilon", epsilon)):
            check_number(name, value, above=0)
        self.dt, self.gamma, self.epsilon = dt, gamma, epsilon
        self.affine = Affine(input_size, hidden_size, 1, bias)
        self.weight_zh = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        self.affine.reset_parameters()
        nn.init.orthogonal_(self.weight_zh)

    def forward(self, x: Tensor, h: Tensor, z: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H), z (B, H) -> h (B, H), (h, z)."""
        drive = torch.tanh(self.affine(x, h) + F.linear(z, self.weight_zh))
        z = z + self.dt * (drive - self.gamma * h - self.epsilon * z)
        h = h + self.dt * z
        return h, (h, z)

    def extra_repr(self) -> str:
        """Show sizes and constants in the module's repr."""
        constants = f"dt={self.dt}, gamma={self.gamma}, epsilon={self.epsilon}"
        return f"{super().extra_repr()}, {constants}"
