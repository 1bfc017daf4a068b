"""The vanilla recurrent network with a fully connected network in place of each matrix."""

from itertools import pairwise

from torch import Tensor, nn

from recurra.cells.activations import Activation, activation_name, resolve_activation
from recurra.cells.cell import Cell, State
from recurra.cells.sizes import check_size


class FullyConnected(nn.Module):
    """A fully connected network: `depth` linear layers with φ between them.

    Args:
        input_size: features in.
        output_size: features out.
        depth: how many linear layers; 1 is a single matrix.
        width: features between the layers.
        activation: φ, a function of a tensor.
        bias: whether the layers add a bias.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        depth: int,
        width: int,
        activation: Activation,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.phi = activation
        sizes = [input_size, *[width] * (depth - 1), output_size]
        self.layers = nn.ModuleList(nn.Linear(m, n, bias) for m, n in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., input_size) to (..., output_size)."""
        first, *others = self.layers
        x = first(x)
        for layer in others:
            x = layer(self.phi(x))
        return x


class FCN(Cell):
    """The vanilla RNN whose matrices are fully connected networks N.

    h_t = φ(N_hh(h_{t-1}) + N_xh(x_t)), ŷ_t = N_hy(h_t): the lesson's "replace each W with FCN".

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h.
        bias: whether the networks' layers add a bias.
        depth: linear layers in each network, at most 1,000; with 1 this is `Elman`.
        width: features between those layers; H if None.
        activation: φ, outside and between the layers: a name or any function of a tensor.
        output_size: the features of ŷ; without it there is no N_hy and the output is h_t.

    Source: the deep-transition RNN of Pascanu et al., arXiv 1312.6026, is its nearest relative.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        depth: int = 2,
        width: int | None = None,
        activation: str | Activation = "tanh",
        output_size: int | None = None,
    ) -> None:
        super().__init__(input_size, {"h": hidden_size}, output_size)
        width = hidden_size if width is None else width
        check_size("depth", depth, most=1000)
        check_size("width", width)
        self.depth, self.width = depth, width
        self.activation = activation
        self.phi = resolve_activation(activation)
        shape = (depth, width, self.phi, bias)
        self.net_xh = FullyConnected(input_size, hidden_size, *shape)
        self.net_hh = FullyConnected(hidden_size, hidden_size, *shape)
        self.net_hy = (
            None if output_size is None else FullyConnected(hidden_size, output_size, *shape)
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew: orthogonal on the path from h to h, Glorot elsewhere."""
        recurrent = set(self.net_hh.modules())
        for module in self.modules():
            if isinstance(module, nn.Linear):
                draw = nn.init.orthogonal_ if module in recurrent else nn.init.xavier_uniform_
                draw(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H) -> output (B, H or output_size), (h,)."""
        h = self.phi(self.net_hh(h) + self.net_xh(x))
        y = h if self.net_hy is None else self.net_hy(h)
        return y, (h,)

    def extra_repr(self) -> str:
        """Show sizes, depth, width and activation in the module's repr."""
        name = activation_name(self.activation)
        return f"{super().extra_repr()}, depth={self.depth}, width={self.width}, activation={name}"
