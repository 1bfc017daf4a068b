"""Tensors that the core cannot read: the loop runs them, or an error says what they are."""

import warnings
from collections.abc import Callable
from contextlib import suppress

import pytest
import torch
from odd_tensors import ODD, Doubled, Named, Wrapped, cut, resized
from torch import Tensor, nn

import recurra
from recurra import Recurrent, explain, use_backend
from recurra.errors import BackendError, RecurraError, ShapeError

pytest.importorskip("recurra._core")

LAYERS = {"recurrent": lambda: Recurrent("lstm", 4, 6), "drop_in": lambda: recurra.LSTM(4, 6)}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
every_odd = pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())


def put(layer: nn.Module, weight: Tensor) -> None:
    """Put a tensor in the place of the first weight."""
    owner = next(m for m in layer.modules() if m._parameters)
    owner._parameters[next(iter(owner._parameters))] = weight  # type: ignore[assignment]


def first(layer: nn.Module) -> Tensor:
    return next(layer.parameters())


def made(odd: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls many of these a prototype
        try:
            return odd(tensor)
        except (RuntimeError, IndexError):
            pytest.skip("torch has no such tensor of these axes")


def right_or_ours(call: Callable[[], Tensor], wanted: Tensor | None = None) -> None:
    """Check that a call is refused in our words, or gives what the eager loop gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = call()
        except RecurraError:
            return
        if wanted is None:
            with use_backend("eager"):
                wanted = call()
        torch.testing.assert_close(found, wanted)


@every_layer
@every_odd
def test_an_odd_weight(make: Callable[[], nn.Module], odd: Callable[[Tensor], Tensor]) -> None:
    layer, x = make(), torch.randn(5, 3, 4)
    layer(x)  # traced while it was ordinary
    put(layer, made(odd, first(layer).detach()))
    right_or_ours(lambda: layer(x)[0])
    right_or_ours(lambda: layer(x.requires_grad_())[0].sum())


@every_layer
@every_odd
def test_an_odd_input_state_and_gradient(
    make: Callable[[], nn.Module], odd: Callable[[Tensor], Tensor]
) -> None:
    layer, x, state = make(), torch.randn(5, 3, 4), (torch.randn(1, 3, 6), torch.randn(1, 3, 6))
    wanted = None if odd is Doubled else layer(x, state)[0]
    right_or_ours(lambda: layer(made(odd, x), state)[0], wanted)
    right_or_ours(lambda: layer(x, (state[0], made(odd, state[1])))[0], wanted)

    def back(d: Tensor) -> Tensor:
        x.requires_grad_()
        return torch.autograd.grad(layer(x, state)[0], x, d)[0]

    d = torch.randn(5, 3, 6)
    if odd in (Wrapped, resized, cut, ODD["functional"], ODD["sparse"]):  # torch refuses others
        right_or_ours(lambda: back(made(odd, d)), back(d))


@every_odd
def test_odd_lengths_and_resets(odd: Callable[[Tensor], Tensor]) -> None:
    layer, x = Recurrent("gru", 4, 6), torch.randn(5, 3, 4)
    lengths, reset = torch.tensor([2, 5, 0]), torch.rand(5, 3) < 0.4
    right_or_ours(lambda: layer(x, lengths=made(odd, lengths))[0], layer(x, lengths=lengths)[0])
    right_or_ours(lambda: layer(x, reset=made(odd, reset))[0], layer(x, reset=reset)[0])


@every_odd
def test_an_odd_piece_of_a_stream(odd: Callable[[Tensor], Tensor]) -> None:
    layer, x = Recurrent("gru", 4, 6), torch.randn(5, 3, 4)
    wanted = None if odd is Doubled else layer(x)[0].detach()
    right_or_ours(lambda: layer.stream(3).push(made(odd, x)), wanted)
    wanted = None if wanted is None else wanted[0]
    right_or_ours(lambda: layer.stream(3).push(made(odd, x[0])), wanted)


@every_odd
def test_an_odd_weight_of_a_stream(odd: Callable[[Tensor], Tensor]) -> None:
    layer, x = Recurrent("gru", 4, 6), torch.randn(5, 3, 4)
    stream = layer.stream(3)
    stream.push(x)
    put(layer, made(odd, first(layer).detach()))
    right_or_ours(lambda: layer.stream(3).push(x))
    with suppress(RecurraError):  # or what torch makes of it, but no signal
        assert stream.push(x).shape == (5, 3, 6)


@every_layer
def test_memory_taken_away_is_said_with_the_weight(make: Callable[[], nn.Module]) -> None:
    for backend in ("auto", "native", "eager", "torch"):
        layer, x = make(), torch.randn(5, 3, 4)
        put(layer, resized(first(layer)))
        with use_backend(backend), pytest.raises(ShapeError, match=r"weight_ih.*0 bytes: its"):
            layer(x)


@every_layer
def test_memory_taken_away_between_the_passes(make: Callable[[], nn.Module]) -> None:
    layer, x = make(), torch.randn(5, 3, 4, requires_grad=True)
    out = layer(x)[0].sum()
    first(layer).untyped_storage().resize_(0)
    with pytest.raises(ShapeError, match="its storage was resized"):
        out.backward()


def test_a_parameter_with_operations_of_its_own_runs_as_they_say() -> None:
    layer, x = Recurrent("lstm", 4, 6), torch.randn(5, 3, 4)
    plain = layer(x)[0]
    put(layer, Doubled(first(layer).detach()))
    found = layer(x)[0]
    assert not torch.allclose(found, plain)
    with use_backend("eager"):
        assert torch.equal(found, layer(x)[0])
    report = explain(layer)
    assert report.cells[0].backend == "eager"
    assert "'gates.weight_ih' is a Doubled" in report.cells[0].reason
    with use_backend("native"), pytest.raises(BackendError, match="is a Doubled"):
        layer(x)


def test_a_parameter_that_has_only_a_name_runs_natively() -> None:
    layer, x = Recurrent("lstm", 4, 6), torch.randn(5, 3, 4)
    wanted = layer(x)[0]
    put(layer, Named(first(layer).detach()))
    with use_backend("native"):
        assert torch.equal(layer(x)[0], wanted)


def test_a_hook_that_changes_what_was_saved_is_found_out() -> None:
    layer, x = Recurrent("lstm", 4, 6), torch.randn(5, 3, 4, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.double(), lambda t: t.float()):
        out = layer(x)[0].sum()
    with pytest.raises(BackendError, match="saved_tensors_hooks"):
        out.backward()
    with torch.autograd.graph.save_on_cpu():
        out = layer(x)[0].sum()
    out.backward()


def test_a_tensor_that_a_cell_only_holds_is_looked_at_too() -> None:
    class Holding(nn.Module):
        state_sizes = ("h",)

        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__()
            self.inner = nn.Linear(input_size, hidden_size)
            self.held = torch.randn(hidden_size)

        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
            h = torch.tanh(self.inner(x) + h * self.held)
            return h, (h,)

    layer, x = Recurrent(Holding, 3, 4), torch.randn(5, 2, 3)
    layer(x)
    (module,) = (m for m in layer.modules() if isinstance(m, Holding))
    module.held.untyped_storage().resize_(0)
    with pytest.raises(ShapeError, match=r"held.*0 bytes"):
        layer(x)
