"""Weights to and from torch.nn's modules: the same results on both sides."""

import pytest
import torch
from torch import nn

import recurra
from recurra import Recurrent
from recurra.errors import ArgumentError, ShapeError
from recurra.export import ExportError, load_torch_weights, to_torch, torch_weights

I, H = 3, 4  # noqa: E741 - the axes' names
CELLS = {
    "lstm": ("lstm", {}),
    "lstm without biases": ("lstm", {"bias": False}),
    "lstm projected": ("lstm", {"proj_size": 2}),
    "gru": ("gru", {}),
    "tanh": ("elman", {}),
    "relu": ("elman", {"activation": "relu", "bias": False}),
}
EXACT = {"rtol": 1e-12, "atol": 1e-12}
every_cell = pytest.mark.parametrize("kind", CELLS)


def build(kind: str) -> Recurrent:
    name, options = CELLS[kind]
    layer = Recurrent(name, I, H, 2, bidirectional=True, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return layer


@every_cell
def test_torchs_own_module_gives_the_layers_results(kind: str) -> None:
    layer = build(kind)
    module = to_torch(layer)
    x = torch.randn(6, 2, I, dtype=torch.float64)
    out, last = layer(x)
    theirs, their_last = module(x)
    torch.testing.assert_close(theirs, out, **EXACT)
    theirs_last = their_last if isinstance(their_last, tuple) else (their_last,)
    torch.testing.assert_close(theirs_last, last, **EXACT)
    assert type(module).__module__.startswith("torch.nn")


@every_cell
def test_weights_go_there_and_back(kind: str) -> None:
    layer, other = build(kind), build(kind)
    module = to_torch(layer)
    assert list(torch_weights(layer)) == list(module.state_dict())
    load_torch_weights(other, module.state_dict())
    for a, b in zip(layer.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
    torch_weights(layer)["weight_ih_l0"].zero_()
    assert all(p.abs().sum() > 0 for p in layer.parameters())


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_drop_ins_and_layers_exchange_weights(kind: str) -> None:
    drop_in = getattr(recurra, kind)(I, H, 2, bidirectional=True)
    layer = Recurrent("elman" if kind == "RNN" else kind.lower(), I, H, 2, bidirectional=True)
    load_torch_weights(layer, torch_weights(drop_in))
    x = torch.randn(5, 2, I)
    torch.testing.assert_close(layer(x)[0], drop_in(x)[0])
    torch.testing.assert_close(to_torch(drop_in)(x)[0], drop_in(x)[0])
    load_torch_weights(drop_in, getattr(nn, kind)(I, H, 2, bidirectional=True).state_dict())
    assert not torch.allclose(layer(x)[0], drop_in(x)[0])


def test_bad_weights_leave_the_layer_as_it_was() -> None:
    layer = build("gru")
    before = torch_weights(layer)
    short = dict(before)
    del short["bias_hh_l1_reverse"]
    wrong = {**before, "weight_hh_l1": torch.zeros(3, 4)}
    for error, said, weights in (
        (ArgumentError, "without bias_hh_l1_reverse", short),
        (ArgumentError, "with weight_hr_l0, which", {**before, "weight_hr_l0": torch.zeros(1)}),
        (ShapeError, r"weight_hh_l1 must be of \(12, 4\), got \(3, 4\)", wrong),
    ):
        with pytest.raises(error, match=said):
            load_torch_weights(layer, {name: w + 1 for name, w in weights.items()})
    assert all(torch.equal(w, before[name]) for name, w in torch_weights(layer).items())


def test_what_torch_has_not_is_refused() -> None:
    for layer in (
        Recurrent("gru", I, H, reset_after=False),
        Recurrent("lstm", I, H, squash_cell=True),
        Recurrent("elman", I, H, activation="gelu"),
        Recurrent("mgu", I, H),
        recurra.RNN(I, H, nonlinearity="gelu"),
    ):
        with pytest.raises(ExportError, match=r"torch.nn has no cell with the equations of"):
            to_torch(layer)
    with pytest.raises(ExportError, match="no learned initial state"):
        to_torch(Recurrent("gru", I, H, learn_initial_state=True))
