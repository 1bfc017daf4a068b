"""The recurrent highway network: several highway layers from one step to the next."""

import torch
from torch import Tensor, nn

from recurra.cells.cell import Affine, Cell, State
from recurra.cells.sizes import check_number, check_size


class RHN(Cell):
    """The recurrent highway network, with carry gate 1 - t.

    s_0 = h_{t-1}; for l = 1 to `depth`: s_l = n⊙t + s_{l-1}⊙(1 - t), with
    n = tanh(R^n_l·s_{l-1} + b^n_l) and t = σ(R^t_l·s_{l-1} + b^t_l); h_t = s_depth.

    The input enters the first layer only, which adds W^n·x_t and W^t·x_t inside.

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h.
        bias: whether the layers add biases.
        depth: how many highway layers lie between two steps, at most 1,000.
        transform_bias: what b^t starts at; only where there are biases. Below zero the layers
            start by carrying the state on.

    Source: Zilly et al., arXiv 1607.03474.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        depth: int = 3,
        transform_bias: float = -2.0,
    ) -> None:
        super().__init__(input_size, {"h": hidden_size})
        check_size("depth", depth, most=1000)
        check_number("transform_bias", transform_bias)
        self.depth, self.transform_bias = depth, transform_bias
        self.first = Affine(input_size, hidden_size, 2, bias)
        self.others = nn.ModuleList(
            nn.Linear(hidden_size, 2 * hidden_size, bias) for _ in range(depth - 1)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, each gate on its own, and set the transform bias."""
        self.first.reset_parameters()
        biases = [self.first.bias_ih]
        for layer in self.others:
            assert isinstance(layer, nn.Linear)
            for weight in layer.weight.chunk(2):
                nn.init.orthogonal_(weight)
            biases.append(layer.bias)
        for bias in biases:
            if bias is not None:
                nn.init.zeros_(bias)
                nn.init.constant_(bias.chunk(2)[1], self.transform_bias)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H) -> h (B, H), (h,)."""
        s = highway(self.first(x, h), h)
        for layer in self.others:
            s = highway(layer(s), s)
        return s, (s,)

    def extra_repr(self) -> str:
        """Show sizes and depth in the module's repr."""
        return f"{super().extra_repr()}, depth={self.depth}"


def highway(gates: Tensor, s: Tensor) -> Tensor:
    """Return n⊙t + s⊙(1 - t): gates (B, 2·H) before their activations, s (B, H) -> (B, H)."""
    n, t = gates.chunk(2, -1)
    t = torch.sigmoid(t)
    return torch.tanh(n) * t + s * (1 - t)
