"""The independently recurrent network: no unit sees another one's past."""

import torch
from torch import Tensor, nn

from recurra.cells.activations import Activation, activation_name, resolve_activation
from recurra.cells.cell import Cell, State


class IndRNN(Cell):
    """The independently recurrent network: h_t = φ(W·x_t + u⊙h_{t-1} + b), with a vector u.

    Over n steps a unit's gradient is u^n times the slopes of φ, so that u alone says how long it
    remembers. u starts uniform in [0, 1). The paper also clips |u| after each update, to about
    the n-th root of a small constant for sequences of n steps; that is left to the training.

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h.
        bias: whether to add b.
        activation: φ, by name ("relu", "tanh", ...) or any function of a tensor.

    Source: Li et al., arXiv 1803.04831.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        activation: str | Activation = "relu",
    ) -> None:
        super().__init__(input_size, {"h": hidden_size})
        self.activation = activation
        self.phi = resolve_activation(activation)
        self.linear = nn.Linear(input_size, hidden_size, bias)
        self.u = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew."""
        nn.init.xavier_uniform_(self.linear.weight)
        if self.linear.bias is not None:
            nn.init.zeros_(self.linear.bias)
        nn.init.uniform_(self.u)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H) -> h (B, H), (h,)."""
        h = self.phi(self.linear(x) + self.u * h)
        return h, (h,)

    def extra_repr(self) -> str:
        """Show sizes and activation in the module's repr."""
        return f"{super().extra_repr()}, activation={activation_name(self.activation)}"
