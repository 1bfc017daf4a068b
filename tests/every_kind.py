"""Every cell in its forms, and all that a layer of it gives: for the tests of what runs them."""

from collections.abc import Callable, Sequence
from importlib import import_module

import pytest
import torch
from torch import Tensor, nn

from recurra import Recurrent, use_backend
from recurra.cells import CELLS

State = tuple[Tensor, ...]
# Without the core, pieces and batches of several sizes agree to rounding only.
needs_core = pytest.mark.skipif(
    import_module("recurra.backends.choose").native is None, reason="there is no core"
)

KINDS: dict[str, tuple[str, dict[str, object]]] = {name: (name, {}) for name in CELLS} | {
    "elman-relu": ("elman", {"activation": "relu"}),
    "elman-read-out": ("elman", {"activation": "gelu", "output_size": 3}),
    "gru-before": ("gru", {"reset_after": False}),
    "ind_rnn-tanh": ("ind_rnn", {"activation": "tanh"}),
    "lstm-lesson": ("lstm", {"squash_cell": True}),
    "lstm-projected": ("lstm", {"proj_size": 2}),
    "lstm-no-bias": ("lstm", {"bias": False}),
    "min_gru-linear": ("min_gru", {"positive": False}),
    "rhn-1": ("rhn", {"depth": 1}),
}


def build(
    kind: str,
    input_size: int,
    hidden_size: int,
    dtype: torch.dtype = torch.float32,
    **layer_options: object,
) -> Recurrent:
    """Return a layer of a kind; its weights are drawn, none of them at a value of its own."""
    name, options = KINDS[kind]
    layer = Recurrent(name, input_size, hidden_size, **layer_options, **options).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return layer


def random_state(layer: Recurrent, B: int) -> State:
    like = next(layer.parameters())
    return tuple(
        # of one sign: the sLSTM's normaliser is a sum of positive terms
        like.new_empty(len(layer.cells), B, n).uniform_(0.5, 1).requires_grad_()
        for n in layer.state_sizes.values()
    )


def everything(
    layer: nn.Module, x: Tensor, state: Sequence[Tensor] | None = None, **options: object
) -> list[Tensor]:
    """Return the outputs, the last states and every gradient of a fixed mixture of them."""
    out, last = layer(x, state, **options)
    values = [out, *last]
    generator = torch.Generator().manual_seed(5)
    incoming = [
        torch.randn(v.shape, generator=generator, dtype=torch.float64).to(v) for v in values
    ]
    wanted = [x, *(state or ()), *layer.parameters()]
    wanted = [t for t in wanted if t.requires_grad]
    gradients = torch.autograd.grad(
        values, wanted, incoming, allow_unused=True, materialize_grads=True
    )
    return [v.detach() for v in (*values, *gradients)]


def on(
    backend: str, layer: nn.Module, x: Tensor, state: Sequence[Tensor] | None = None, **options
) -> list[Tensor]:
    """Return `everything` on a backend."""
    with use_backend(backend):
        return everything(layer, x, state, **options)


def same_bits(a: Sequence[Tensor], b: Sequence[Tensor]) -> bool:
    """Return whether all bits are the same, those of NaN too."""
    pairs = list(zip(a, b, strict=True))
    whole = {torch.float32: torch.int32, torch.float64: torch.int64}
    return len(pairs) > 0 and all(
        x.shape == y.shape
        and x.dtype == y.dtype
        and torch.equal(x.contiguous().view(whole[x.dtype]), y.contiguous().view(whole[y.dtype]))
        for x, y in pairs
    )


class Applied(nn.Module):
    """A cell that gives a function of its input."""

    state_sizes = ("h",)

    def __init__(self, input_size: int, _: int, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        return self.function(x), (h,)
