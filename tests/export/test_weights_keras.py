"""Weights to and from Keras's layouts, beside Keras's equations in NumPy."""

import numpy as np
import pytest
import torch

import recurra
from recurra import Recurrent
from recurra.errors import ArgumentError, ShapeError
from recurra.export import ExportError, keras_weights, load_keras_weights

I, H = 3, 4  # noqa: E741 - the axes' names
CELLS = {
    "rnn": ("elman", {}),
    "lstm": ("lstm", {}),
    "gru after": ("gru", {"reset_after": True}),
    "gru before": ("gru", {"reset_after": False}),
}
FORMS = [(kind, bias) for kind in CELLS for bias in (True, False)]
every_form = pytest.mark.parametrize(("kind", "bias"), FORMS)
Weights = list[np.ndarray]


def build(kind: str, bias: bool, layers: int = 2) -> Recurrent:
    name, options = CELLS[kind]
    layer = Recurrent(name, I, H, layers, bidirectional=True, bias=bias, **options).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return layer


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# One step as Keras 3 documents it: kernel (I, G·H), recurrent_kernel (H, G·H), bias.


def keras_rnn(x: np.ndarray, h: np.ndarray, c: np.ndarray, w: Weights) -> tuple:
    kernel, recurrent, *bias = w
    h = np.tanh(x @ kernel + h @ recurrent + (bias[0] if bias else 0))
    return h, c


def keras_lstm(x: np.ndarray, h: np.ndarray, c: np.ndarray, w: Weights) -> tuple:
    kernel, recurrent, *bias = w
    i, f, g, o = np.split(x @ kernel + h @ recurrent + (bias[0] if bias else 0), 4, -1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def keras_gru_after(x: np.ndarray, h: np.ndarray, c: np.ndarray, w: Weights) -> tuple:
    kernel, recurrent, *bias = w
    x_bias, h_bias = bias[0] if bias else (0, 0)
    x_z, x_r, x_h = np.split(x @ kernel + x_bias, 3, -1)
    h_z, h_r, h_h = np.split(h @ recurrent + h_bias, 3, -1)
    z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
    return z * h + (1 - z) * np.tanh(x_h + r * h_h), c


def keras_gru_before(x: np.ndarray, h: np.ndarray, c: np.ndarray, w: Weights) -> tuple:
    kernel, recurrent, *bias = w
    x_z, x_r, x_h = np.split(x @ kernel + (bias[0] if bias else 0), 3, -1)
    u_z, u_r, u_h = np.split(recurrent, 3, -1)
    z, r = sigmoid(x_z + h @ u_z), sigmoid(x_r + h @ u_r)
    return z * h + (1 - z) * np.tanh(x_h + (r * h) @ u_h), c


STEPS = {
    "rnn": keras_rnn,
    "lstm": keras_lstm,
    "gru after": keras_gru_after,
    "gru before": keras_gru_before,
}


def keras_run(kind: str, x: np.ndarray, weights: list[Weights]) -> np.ndarray:
    """Run `Bidirectional` layers over x (T, B, I): forward's weights, then backward's."""
    for arrays in weights:
        half = len(arrays) // 2
        outputs = []
        for direction, own in enumerate((arrays[:half], arrays[half:])):
            h = c = np.zeros((x.shape[1], H))
            made = []
            for x_t in x[::-1] if direction else x:
                h, c = STEPS[kind](x_t, h, c, own)
                made.append(h)
            outputs.append(np.stack(made[::-1] if direction else made))
        x = np.concatenate(outputs, -1)
    return x


@every_form
def test_keras_computes_the_same_with_our_weights(kind: str, bias: bool) -> None:
    layer = build(kind, bias)
    x = torch.randn(6, 2, I, dtype=torch.float64)
    found = keras_run(kind, x.numpy(), keras_weights(layer))
    np.testing.assert_allclose(found, layer(x)[0].detach(), rtol=1e-11, atol=1e-12)


@every_form
def test_we_compute_the_same_with_keras_weights(kind: str, bias: bool) -> None:
    layer = build(kind, bias)
    rng = np.random.default_rng(0)
    weights = [[rng.normal(size=a.shape) for a in arrays] for arrays in keras_weights(layer)]
    load_keras_weights(layer, weights)
    x = torch.randn(6, 2, I, dtype=torch.float64)
    found = layer(x)[0].detach()
    np.testing.assert_allclose(found, keras_run(kind, x.numpy(), weights), rtol=1e-11, atol=1e-12)
    for mine, theirs in zip(keras_weights(layer), weights, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_shapes_are_those_keras_documents() -> None:
    gates = {"rnn": 1, "lstm": 4, "gru after": 3, "gru before": 3}
    for kind, G in gates.items():
        bias = (2, 3 * H) if kind == "gru after" else (G * H,)
        shapes = [array.shape for array in keras_weights(build(kind, True, 1))[0]]
        assert shapes == [(I, G * H), (H, G * H), bias] * 2


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_drop_in_takes_and_gives_them_too(kind: str) -> None:
    layer, other = (getattr(recurra, kind)(I, H, 2) for _ in range(2))
    x = torch.randn(5, 2, I)
    assert not torch.allclose(other(x)[0], layer(x)[0])
    load_keras_weights(other, keras_weights(layer))
    torch.testing.assert_close(other(x)[0], layer(x)[0])


def test_bad_weights_leave_the_layer_as_it_was() -> None:
    layer = build("lstm", True)
    before = keras_weights(layer)
    wrong = [before[0], [*before[1][:5], np.zeros(3)]]
    for error, said, weights in (
        (ArgumentError, "of 1 layers, where 2 are wanted", before[:1]),
        (ArgumentError, "layer 1 has 3 arrays, where 6 are wanted", [before[0], before[1][:3]]),
        (ShapeError, r"cell 3: bias must be of \(16,\), got \(3,\)", wrong),
    ):
        with pytest.raises(error, match=said):
            load_keras_weights(layer, [[a + 1 for a in arrays] for arrays in weights])
    for mine, theirs in zip(keras_weights(layer), before, strict=True):
        assert all(map(np.array_equal, mine, theirs))


def test_what_keras_has_not_is_refused() -> None:
    for layer in (
        Recurrent("lstm", I, H, squash_cell=True),
        Recurrent("lstm", I, H, proj_size=2),
        Recurrent("elman", I, H, output_size=2),
        Recurrent("mgu", I, H),
    ):
        with pytest.raises(ExportError, match="Keras has no cell with the equations of"):
            keras_weights(layer)
