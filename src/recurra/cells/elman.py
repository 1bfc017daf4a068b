"""The vanilla recurrent network (Elman, 1990)."""

from torch import Tensor, nn

from recurra.cells.activations import Activation, activation_name, resolve_activation
from recurra.cells.cell import Affine, Cell, State


class Elman(Cell):
    """The vanilla RNN: h_t = φ(W_hh·h_{t-1} + W_xh·x_t + b), ŷ_t = W_hy·h_t.

    With `bias=False` this is the lesson's formula to the letter.

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of h.
        bias: whether to add the biases b (and one to ŷ).
        activation: φ, by name ("tanh", "relu", "sigmoid", ...) or any function of a tensor.
        output_size: the features of ŷ; without it the output is h_t itself.

    Source: J. L. Elman, "Finding structure in time", Cognitive Science 14 (1990).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        activation: str | Activation = "tanh",
        output_size: int | None = None,
    ) -> None:
        super().__init__(input_size, {"h": hidden_size}, output_size)
        resolve_activation(activation)
        self.activation = activation
        self.affine = Affine(input_size, hidden_size, 1, bias)
        self.readout = None if output_size is None else nn.Linear(hidden_size, output_size, bias)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H) -> output (B, H or output_size), (h,)."""
        h = resolve_activation(self.activation)(self.affine(x, h))
        y = h if self.readout is None else self.readout(h)
        return y, (h,)

    def torch_kernel(self) -> tuple[str, tuple[Tensor, ...]] | None:
        """Return torch's kernel for tanh and relu without a read-out."""
        if self.readout is None and self.activation in ("tanh", "relu"):
            return f"rnn_{self.activation}", self.affine.weights()
        return None

    def extra_repr(self) -> str:
        """Show sizes and activation in the module's repr."""
        return f"{super().extra_repr()}, activation={activation_name(self.activation)}"
