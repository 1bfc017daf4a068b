"""The long short-term memory, in the usual form and in the lesson's."""

import torch
from torch import Tensor, nn

from recurra.cells.cell import Affine, Cell, State
from recurra.cells.sizes import check_size
from recurra.errors import ArgumentError


class LSTM(Cell):
    """The long short-term memory.

    i, f, o = σ(W·[x_t, h_{t-1}] + b), g = tanh(W^g·[x_t, h_{t-1}] + b^g), and then

    - usual (`squash_cell=False`):       c_t = f⊙c_{t-1} + i⊙g
    - the lesson (`squash_cell=True`):   c_t = σ(f⊙c_{t-1} + i⊙g)

    and h_t = o⊙tanh(c_t). The usual update is a sum: the gradient on the path from c_t to
    c_{t-1} is f, and stays near 1 where the gate is open. The lesson's extra σ multiplies it by
    σ' ≤ ¼ at every step, so that gradients vanish as in a vanilla RNN, and keeps c_t in (0, 1).

    Args:
        input_size: I, the features of x.
        hidden_size: H, the features of c (and of h without projection).
        bias: whether the gates add biases.
        squash_cell: the lesson's form of the update.
        forget_bias: what b^f starts at, 0 for none; only where there are biases.
        proj_size: if above 0, h_t = W_hr·(o⊙tanh(c_t)) with so many features
            (Sak et al., arXiv 1402.1128).

    Sources: Hochreiter and Schmidhuber, Neural Computation 9 (1997); forget gate by Gers et al.
    (2000); its bias of 1 by Jozefowicz et al. (ICML 2015).
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        squash_cell: bool = False,
        forget_bias: float = 1.0,
        proj_size: int = 0,
    ) -> None:
        check_size("hidden_size", hidden_size)
        if proj_size:
            check_size("proj_size", proj_size)
        if proj_size >= hidden_size:
            raise ArgumentError(
                f"proj_size must be smaller than hidden_size={hidden_size}, got {proj_size}."
            )
        h_size = proj_size or hidden_size
        super().__init__(input_size, {"h": h_size, "c": hidden_size})
        self.squash_cell = squash_cell
        self.forget_bias = forget_bias
        self.gates = Affine(input_size, hidden_size, 4, bias, state_size=h_size)
        self.weight_hr = nn.Parameter(torch.empty(proj_size, hidden_size)) if proj_size else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew and set the forget bias."""
        self.gates.reset_parameters()
        if self.gates.bias_ih is not None:
            nn.init.constant_(self.gates.bias_ih.chunk(4)[1], self.forget_bias)
        if self.weight_hr is not None:
            nn.init.xavier_uniform_(self.weight_hr)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), h (B, H), c (B, H) -> h (B, H), (h, c)."""
        i, f, g, o = self.gates(x, h).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        if self.squash_cell:
            c = torch.sigmoid(c)
        h = torch.sigmoid(o) * torch.tanh(c)
        if self.weight_hr is not None:
            h = nn.functional.linear(h, self.weight_hr)
        return h, (h, c)

    def torch_kernel(self) -> tuple[str, tuple[Tensor, ...]] | None:
        """Return torch's kernel for the usual form."""
        if self.squash_cell:
            return None
        projection = () if self.weight_hr is None else (self.weight_hr,)
        return "lstm", (*self.gates.weights(), *projection)

    def extra_repr(self) -> str:
        """Show sizes and form in the module's repr."""
        return f"{super().extra_repr()}, squash_cell={self.squash_cell}"
