"""What a cell is: the equations of one step, and the sizes of the state they carry."""

import copy
import math
from collections.abc import Mapping
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recurra.cells.sizes import check_flag, check_size
from recurra.cells.states import StateKind, StateSize, read_states
from recurra.program.programs import Programs

State = tuple[Tensor, ...]
M = TypeVar("M", bound=nn.Module)


class Cell(nn.Module):
    """One step of a recurrent network.

    A subclass writes its equations as `forward(x, *state) -> (output, new_state)` with
    x: (B, I); each state: (B, size), in the order of `state`; output: (B, output_size);
    new_state: a tuple of the states' new values, in the same order.

    A state of another shape, as {"S": (4, 4)}, enters and leaves `forward` as (B, 4, 4); one of
    complex numbers, as {"s": (16, torch.complex64)}, as a complex tensor (complex128 beside x of
    float64). `Recurrent` takes and returns them so, too.

    Args:
        input_size: I, the features of x.
        state: the name and size of each state the cell carries, for example
            {"h": hidden_size, "c": hidden_size}; a shape, or either with a complex dtype at its
            end, where a state is no vector of real numbers.
        output_size: the features of the output; the first state's size if None.

    `state_sizes` then has how many real numbers each state is, `state_kinds` what it is whole.
    Raises `ArgumentError` when a size is not a positive whole number.
    """

    # What x and the states are like where parameters differ in dtype: the name of one, or a dtype.
    computes_like: str | torch.dtype | None = None
    _kinds: dict[str, StateKind] | None = None  # where a state is no vector of real numbers

    def __init__(
        self, input_size: int, state: Mapping[str, StateSize], output_size: int | None = None
    ) -> None:
        super().__init__()
        self.programs = Programs()
        kinds = read_states("state", state)
        self.input_size = check_size("input_size", input_size)
        self.state_sizes = {name: kind.size for name, kind in kinds.items()}
        if not all(kind.is_plain for kind in kinds.values()):
            self._kinds = kinds
        if output_size is None:
            output_size = math.prod(next(iter(kinds.values())).shape)
        self.output_size = check_size("output_size", output_size)

    @property
    def state_kinds(self) -> dict[str, StateKind]:
        """What each state is, as `forward` takes it."""
        return self._kinds or {name: StateKind((n,)) for name, n in self.state_sizes.items()}

    def torch_kernel(self) -> tuple[str, tuple[Tensor, ...]] | None:
        """Return the name and weights of torch's own kernel for exactly these equations.

        The name is that of the function in `torch._VF` ("lstm", "gru", "rnn_tanh", "rnn_relu"),
        the weights are in the order it takes them. None, as here, where torch has none.
        """
        return None

    def extra_repr(self) -> str:
        """Show the sizes in the module's repr."""
        states = ", ".join(f"{name}: {kind}" for name, kind in self.state_kinds.items())
        return f"{self.input_size} -> {self.output_size}, state {{{states}}}"


class Affine(nn.Module):
    """The affine maps of a cell's gates: W_ih·x + b_ih + W_hh·h + b_hh.

    The gates lie one after the other along the last axis: take them apart with `.chunk(G, -1)`.
    Parameters have `torch.nn.LSTMCell`'s names and shapes: weight_ih (G·H, I),
    weight_hh (G·H, state_size), bias_ih and bias_hh (G·H,).
    They start as the field has found best: Glorot-uniform W_ih, orthogonal W_hh (each gate on
    its own; Saxe et al., 2014), zero biases.

    Args:
        input_size: I, the features of x.
        hidden_size: H, the units of one gate.
        gates: G.
        bias: whether to add b_ih and b_hh.
        state_size: the features of h, if not H.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        gates: int = 1,
        bias: bool = True,
        state_size: int | None = None,
    ) -> None:
        super().__init__()
        input_size = check_size("input_size", input_size)
        hidden_size = check_size("hidden_size", hidden_size)
        self.gates = gates = check_size("gates", gates)
        bias = check_flag("bias", bias)
        rows = gates * hidden_size
        columns = hidden_size if state_size is None else state_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, columns))
        self.bias_ih = nn.Parameter(torch.empty(rows)) if bias else None
        self.bias_hh = nn.Parameter(torch.empty(rows)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, each gate on its own."""
        for weight in self.weight_ih.chunk(self.gates):
            nn.init.xavier_uniform_(weight)
        for weight in self.weight_hh.chunk(self.gates):
            nn.init.orthogonal_(weight)
        for bias in (self.bias_ih, self.bias_hh):
            if bias is not None:
                nn.init.zeros_(bias)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """Return W_ih·x + b_ih + W_hh·h + b_hh: (B, G·H)."""
        return self.of_input(x) + self.of_state(h)

    def of_input(self, x: Tensor) -> Tensor:
        """Return W_ih·x + b_ih: (B, G·H)."""
        return F.linear(x, self.weight_ih, self.bias_ih)

    def of_state(self, h: Tensor) -> Tensor:
        """Return W_hh·h + b_hh: (B, G·H)."""
        return F.linear(h, self.weight_hh, self.bias_hh)

    def weights(self) -> tuple[Tensor, ...]:
        """Return the parameters in torch's order, without the biases that are absent."""
        every = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return tuple(weight for weight in every if weight is not None)

    def extra_repr(self) -> str:
        """Show the sizes in the module's repr."""
        rows, columns = self.weight_ih.shape
        return f"{columns} -> {self.gates} x {rows // self.gates}, bias={self.bias_ih is not None}"


class Apart(Affine):
    """Affine maps whose two parts are not added up: W_ih·x + b_ih and W_hh·h + b_hh."""

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        """Return W_ih·x + b_ih and W_hh·h + b_hh: (B, G·H) each."""
        return self.of_input(x), self.of_state(h)


def bind(module: M, tensors: Mapping[str, Tensor]) -> M:
    """Return a light copy of `module` that computes with `tensors` for its parameters.

    `tensors` has the names of `module.named_parameters()`. Nothing is written to `module`, so
    threads may bind one module at the same time.
    """
    bound = copy.copy(module)
    own = {
        name: None if parameter is None else tensors[name]
        for name, parameter in module._parameters.items()
    }
    object.__setattr__(bound, "_parameters", own)
    children = {}
    for name, child in module._modules.items():
        prefix = f"{name}."
        inner = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        children[name] = None if child is None else bind(child, inner)
    object.__setattr__(bound, "_modules", children)
    return bound
