"""Weights given to Keras itself, on torch, and taken from it: both compute the same."""

import os
from typing import Any

import numpy as np
import pytest
import torch

import recurra
from recurra.export import keras_weights, load_keras_weights

os.environ.setdefault("KERAS_BACKEND", "torch")
keras: Any = pytest.importorskip("keras")
# Of Keras's variables on torch, as NumPy sees them.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

draw = np.random.default_rng(0)
X = draw.normal(size=(3, 11, 5)).astype(np.float32)
H = 7


def stack(kind: str, both: bool, options: dict[str, Any]) -> tuple[list[Any], recurra.Recurrent]:
    """Return two layers of Keras's and two of ours."""
    makes = {"elman": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
    theirs, width = [], X.shape[-1]
    named = {"use_bias" if name == "bias" else name: value for name, value in options.items()}
    for _ in range(2):
        layer = makes[kind](H, return_sequences=True, **named)
        theirs.append(keras.layers.Bidirectional(layer) if both else layer)
        theirs[-1].build((None, None, width))
        width = 2 * H if both else H
    ours = recurra.Recurrent(
        kind, X.shape[-1], H, num_layers=2, bidirectional=both, batch_first=True, **options
    )
    return theirs, ours


def check_same(theirs: list[Any], ours: recurra.Recurrent) -> None:
    out = X
    for layer in theirs:
        out = keras.ops.convert_to_numpy(layer(out))
    wanted = ours(torch.from_numpy(X))[0].detach().numpy()
    np.testing.assert_allclose(out, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("lstm", {}),
        ("lstm", {"bias": False}),
        ("gru", {"reset_after": True}),
        ("gru", {"reset_after": False}),
        ("elman", {"activation": "tanh"}),
        ("elman", {"activation": "relu"}),
    ],
)
def test_keras_computes_what_we_do(kind: str, options: dict[str, Any], both: bool) -> None:
    theirs, ours = stack(kind, both, options)
    for layer, weights in zip(theirs, keras_weights(ours), strict=True):
        layer.set_weights(weights)
    check_same(theirs, ours)
    for layer in theirs:
        for variable in layer.weights:
            variable.assign(0.3 * draw.normal(size=variable.shape))
    load_keras_weights(ours, [layer.get_weights() for layer in theirs])
    check_same(theirs, ours)
