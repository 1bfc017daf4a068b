"""Streams of the drop-ins: torch.nn's form of state, and the bits of the whole."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, spectral_norm

import recurra
from every_kind import needs_core, same_bits
from recurra.errors import ArgumentError, ArgumentTypeError, ShapeError

T, B, I, H = 20, 3, 4, 8  # noqa: E741 - the axes' names

LAYERS: dict[str, Callable[[], nn.RNNBase]] = {
    "lstm": lambda: recurra.LSTM(I, H),
    "lstm, stacked": lambda: recurra.LSTM(I, H, 3, batch_first=True),
    "lstm, projected": lambda: recurra.LSTM(I, H, 2, proj_size=5),
    "lstm, dropout": lambda: recurra.LSTM(I, H, 2, dropout=0.5),
    "gru": lambda: recurra.GRU(I, H, 2, bias=False),
    "rnn": lambda: recurra.RNN(I, H, nonlinearity="relu"),
    "rnn of a function": lambda: recurra.RNN(I, H, 2, torch.nn.functional.gelu),
    "double": lambda: recurra.GRU(I, H).double(),
}


def values(result: tuple[Tensor, object]) -> list[Tensor]:
    out, last = result
    return [out, last] if isinstance(last, Tensor) else [out, *last]


@needs_core
@pytest.mark.parametrize("rows", [B, 20])
@pytest.mark.parametrize("name", LAYERS)
def test_pieces_give_the_bits_of_the_whole(name: str, rows: int) -> None:
    layer = LAYERS[name]()
    x = torch.randn(T, rows, I, dtype=layer.weight_ih_l0.dtype)
    axis = 1 if layer.batch_first else 0
    x = x.transpose(0, 1) if axis else x
    layer.eval()
    with torch.no_grad():
        wanted = layer(x)
    layer.train()
    stream = layer.stream(rows)
    pieces = [stream.push(piece) for piece in x.split([1, 7, 12], axis)]
    assert same_bits(values((torch.cat(pieces, axis), stream.state)), values(wanted))
    assert isinstance(stream.state, type(wanted[1]))
    stream.reset()
    steps = [stream.push(step) for step in x.unbind(axis)]
    assert same_bits(values((torch.stack(steps, axis), stream.state)), values(wanted))


def test_the_state_is_taken_as_torch_nn_takes_it() -> None:
    for layer in (recurra.GRU(I, H, 2), recurra.LSTM(I, H, 2)):
        stream, x = layer.stream(B), torch.randn(T, B, I)
        stream.push(x)
        kept = stream.state
        out = stream.push(x)
        stream.state = kept
        assert same_bits([stream.push(x)], [out])
        with torch.no_grad():
            torch.testing.assert_close(layer(x, kept)[0], out)
        for wrong in (None, torch.zeros(2, B + 1, H), "h", (kept, kept)):
            with pytest.raises(ShapeError, match=r"Expected h|must be \d tensors"):
                stream.state = wrong


def test_layers_without_a_stream_are_refused() -> None:
    with pytest.raises(ArgumentError, match="bidirectional layer needs the end"):
        recurra.LSTM(I, H, bidirectional=True).stream()
    for size, error in ((0, ArgumentError), (1.0, ArgumentTypeError)):
        with pytest.raises(error, match="batch_size"):
            recurra.GRU(I, H).stream(size)


def mul_by_data(layer: nn.Module) -> None:
    layer.weight_hh_l0.data.mul_(2)


def replace(layer: nn.Module) -> None:
    layer.weight_hh_l1 = nn.Parameter(torch.randn_like(layer.weight_hh_l1))


def switch(layer: nn.Module) -> None:
    layer.nonlinearity = "relu"


CHANGES: dict[str, Callable[[nn.Module], object]] = {
    "data": mul_by_data,
    "a parameter replaced": replace,
    "another nonlinearity": switch,
    "weight norm": lambda layer: parametrizations.weight_norm(layer, "weight_hh_l0"),
    "prune": lambda layer: prune.l1_unstructured(layer, "weight_hh_l0", 0.5),
    "the old spectral norm": lambda layer: spectral_norm(layer, "weight_hh_l0").eval(),
    "a hook": lambda layer: layer.register_forward_hook(
        lambda *given: (2 * given[2][0], given[2][1])
    ),
}


@pytest.mark.filterwarnings("ignore:.*spectral_norm.*:FutureWarning")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_the_next_push_computes_with_the_layer_as_it_is(change: str, kind: str) -> None:
    layer = getattr(recurra, kind)(I, H, 2).eval()
    stream, x = layer.stream(B), torch.randn(T, B, I)
    stream.push(x)
    CHANGES[change](layer)
    for _ in range(2):
        kept = stream.state
        with torch.no_grad():
            wanted = layer(x, kept)
        torch.testing.assert_close(
            values((stream.push(x), stream.state)), values(wanted), rtol=1e-5, atol=1e-6
        )
        with torch.no_grad():  # what the change stands on changes, too
            for p in layer.parameters():
                p.data.mul_(1.5)


def test_a_copy_goes_its_own_way() -> None:
    stream, x = recurra.GRU(I, H).stream(B), torch.randn(T, B, I)
    stream.push(x)
    other, kept = copy.deepcopy(stream), stream.state
    out = other.push(x)
    assert same_bits([stream.state], [kept])
    assert same_bits([stream.push(x)], [out])
