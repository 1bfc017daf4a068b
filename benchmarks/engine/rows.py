"""What is measured: the shapes, the cells, and one pass of each as torch runs it."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import recurra
from recurra.errors import ArgumentError

TRAIN, INFER = "forward + backward", "inference"
PASSES = (TRAIN, INFER)
# One run. It returns what is compared: the output, and x's gradient where it was computed.
Pass = Callable[[], Sequence[Any]]


class Shape(NamedTuple):
    B: int
    T: int
    I: int  # noqa: E741
    H: int

    def __str__(self) -> str:
        return f"{self.B}, {self.T}, {self.I}, {self.H}"


SHAPES = [
    Shape(1, 100, 64, 128),
    Shape(32, 100, 64, 128),
    Shape(64, 100, 128, 256),
    Shape(64, 50, 512, 512),
    Shape(16, 500, 32, 64),
    Shape(128, 20, 64, 128),
]
QUICK = [Shape(1, 5, 4, 8), Shape(3, 6, 8, 16)]


class UsersLSTM(nn.Module):
    """An LSTM as somebody writes it who has never heard of Recurra."""

    state_sizes = ("h", "c")

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 3 * hidden_size)
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, c = state
        z = torch.cat([x, h], dim=-1)
        i, f, o = torch.sigmoid(self.gates(z)).chunk(3, dim=-1)
        c = f * c + i * torch.tanh(self.candidate(z))
        return o * torch.tanh(c), c


@dataclass(frozen=True)
class Row:
    """A cell. `torchs` is torch.nn's layer of the same equations; without one it is the loop.

    `wanted`: how many times as fast as a peer ours is to be, forward and backward together, in the
    geometric mean over the shapes.
    """

    key: str
    title: str
    ours: Callable[[int, int], nn.Module]
    torchs: type[nn.RNNBase] | None
    wanted: dict[str, float]

    def layer(self, shape: Shape) -> nn.Module:
        torch.manual_seed(0)
        return self.ours(shape.I, shape.H)

    def twin(self, layer: nn.Module, shape: Shape) -> nn.Module:
        """Return torch.nn's layer with `layer`'s weights."""
        assert self.torchs is not None
        other = self.torchs(shape.I, shape.H)
        other.load_state_dict(layer.state_dict())
        return other


def _cell(cell: str | type[nn.Module], **options: object) -> Callable[[int, int], nn.Module]:
    return lambda I, H: recurra.Recurrent(cell, I, H, **options)  # noqa: E741


NN, LOOP = "torch.nn", "eager loop"
COMPILED, COMPILED_STEP = "torch.compile, whole loop", "torch.compile, one step"
JAX, ONNX = "JAX scan", "onnxruntime"
_FREE = {LOOP: 4.0, COMPILED: 2.0, JAX: 2.0}

ROWS = [
    Row("lstm", "LSTM", recurra.LSTM, nn.LSTM, {NN: 1.3}),
    Row("gru", "GRU", recurra.GRU, nn.GRU, {NN: 2.5}),
    Row("rnn", "tanh RNN", recurra.RNN, nn.RNN, {NN: 2.5}),
    Row("squash", "the lesson's LSTM", _cell("lstm", squash_cell=True), None, _FREE),
    Row("fcn", "FCN, depth 2", _cell("fcn"), None, _FREE),
    Row("norm", "layer-norm LSTM", _cell("layer_norm_lstm"), None, _FREE),
    Row("user", "a user's LSTM cell", _cell(UsersLSTM), None, _FREE),
]


def flops(layer: nn.Module, shape: Shape, which: str) -> int:
    """Count a pass's floating-point operations in matrix products, the pointwise ones left out.

    Each weight w of a matrix is one multiply and one add for each row and step: 2·T·B·P, where P
    is 4·H·(I + H) for an LSTM, 3·H·(I + H) for a GRU, H·(I + H) for an RNN, I·H + 3·H² for the
    FCN. Backward has twice as many: one product for the gradient of what was multiplied, one for
    the weights'.
    """
    weights = sum(p.numel() for p in layer.parameters() if p.dim() == 2)
    return 2 * shape.T * shape.B * weights * (3 if which == TRAIN else 1)


def native() -> str:
    """Return the backend that ours is measured on."""
    try:
        with recurra.use_backend("native"):
            return "native"
    except ArgumentError:
        return "auto"


def inputs(shape: Shape) -> tuple[Tensor, Tensor]:
    """Return x (T, B, I) and the gradient that out (T, B, H) is given."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(shape.T, shape.B, shape.I, generator=generator)
    return x, torch.randn(shape.T, shape.B, shape.H, generator=generator)


def torch_pass(
    forward: Callable[[Tensor], Tensor],
    parameters: Sequence[nn.Parameter],
    shape: Shape,
    which: str,
    backend: str | None = None,
) -> Pass:
    """Return one pass of `forward`, x (T, B, I) -> out (T, B, H), and its gradients if asked."""
    x, upstream = inputs(shape)

    def infer() -> Sequence[Any]:
        with torch.inference_mode(), recurra.use_backend(backend) if backend else nullcontext():
            return (forward(x),)

    def train() -> Sequence[Any]:
        with recurra.use_backend(backend) if backend else nullcontext():
            out = forward(x)
            return out.detach(), torch.autograd.grad(out, [x, *parameters], upstream)[0]

    if which == TRAIN:
        x.requires_grad_()
    return train if which == TRAIN else infer


def layer_pass(layer: nn.Module, shape: Shape, which: str, backend: str | None = None) -> Pass:
    parameters = list(layer.parameters())
    return torch_pass(lambda x: layer(x)[0], parameters, shape, which, backend)


def loop(cell: Callable[..., Any]) -> Callable[..., Tensor]:
    """Return the plain loop of a cell, `cell(x, *state) -> (output, state)`, over time."""

    def run(x: Tensor, *state: Tensor) -> Tensor:
        outputs = []
        for x_t in x.unbind(0):
            output, state = cell(x_t, *state)
            outputs.append(output)
        return torch.stack(outputs)

    return run
