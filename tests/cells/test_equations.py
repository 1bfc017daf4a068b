"""The cells of the literature against their papers' equations, written out in NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from recurra.cells import CELLS

INPUT, HIDDEN, BATCH = 3, 4, 5
Array = np.ndarray
Weights = dict[str, Array]
States = list[Array]


def sigmoid(v: Array) -> Array:
    return 1 / (1 + np.exp(-v))


def split(w: Weights, name: str, parts: int) -> list[Array]:
    """Return the gates' parts of a weight, or of zeros where the bias is left out."""
    return list(np.split(w[name], parts)) if name in w else [np.zeros(HIDDEN)] * parts


def affine(w: Weights, name: str, gates: int) -> list[Callable[[Array, Array], Array]]:
    """Return each gate's W·x + U·h + b as a function of x and h."""
    parts = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    each = zip(*(split(w, f"{name}.{part}", gates) for part in parts), strict=True)
    return [lambda x, h, p=p: x @ p[0].T + h @ p[1].T + p[2] + p[3] for p in each]


def peephole_lstm(w: Weights, x: Array, h: Array, c: Array) -> States:
    a_i, a_f, a_g, a_o = affine(w, "gates", 4)
    p_i, p_f, p_o = split(w, "peepholes", 3)
    i, f = sigmoid(a_i(x, h) + p_i * c), sigmoid(a_f(x, h) + p_f * c)
    new = f * c + i * np.tanh(a_g(x, h))
    return [sigmoid(a_o(x, h) + p_o * new) * np.tanh(new), new]


def layer_norm(a: Array) -> Array:
    mean = a.mean(-1, keepdims=True)
    return (a - mean) / np.sqrt(((a - mean) ** 2).mean(-1, keepdims=True) + 1e-5)


def layer_norm_lstm(w: Weights, x: Array, h: Array, c: Array) -> States:
    gates = w["norm_x.weight"] * layer_norm(x @ w["gates.weight_ih"].T)
    gates = gates + w["norm_h.weight"] * layer_norm(h @ w["gates.weight_hh"].T)
    i, f, g, o = np.split(gates + w.get("bias", 0.0), 4, -1)
    new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    normal = w["norm_c.weight"] * layer_norm(new) + w.get("norm_c.bias", 0.0)
    return [sigmoid(o) * np.tanh(normal), new]


def coupled_lstm(w: Weights, x: Array, h: Array, c: Array) -> States:
    a_i, a_g, a_o = affine(w, "gates", 3)
    i = sigmoid(a_i(x, h))
    f = 1 - i
    new = f * c + i * np.tanh(a_g(x, h))
    return [sigmoid(a_o(x, h)) * np.tanh(new), new]


def mgu(w: Weights, x: Array, h: Array) -> States:
    (a_f,), (a_n,) = affine(w, "gate", 1), affine(w, "candidate", 1)
    f = sigmoid(a_f(x, h))
    return [(1 - f) * h + f * np.tanh(a_n(x, f * h))]


def min_gru(w: Weights, x: Array, h: Array, positive: bool = True) -> States:
    (W_z, W_n), (b_z, b_n) = split(w, "gates.weight", 2), split(w, "gates.bias", 2)
    z, n = sigmoid(x @ W_z.T + b_z), x @ W_n.T + b_n
    if positive:
        n = (n >= 0) * (n + 0.5) + (n < 0) * sigmoid(n)
    return [(1 - z) * h + z * n]


def ind_rnn(w: Weights, x: Array, h: Array, activation: str = "relu") -> States:
    a = x @ w["linear.weight"].T + w["u"] * h + w.get("linear.bias", 0.0)
    return [np.tanh(a) if activation == "tanh" else a * (a > 0)]


def janet(w: Weights, x: Array, h: Array, beta: float = 1.0) -> States:
    a_s, a_g = affine(w, "gates", 2)
    s = a_s(x, h)
    return [sigmoid(s) * h + (1 - sigmoid(s - beta)) * np.tanh(a_g(x, h))]


def co_rnn(
    w: Weights,
    x: Array,
    y: Array,
    z: Array,
    dt: float = 0.042,
    gamma: float = 2.7,
    epsilon: float = 4.7,
) -> States:
    (a,) = affine(w, "affine", 1)
    drive = np.tanh(a(x, y) + z @ w["weight_zh"].T)
    new = z + dt * drive - dt * gamma * y - dt * epsilon * z
    return [y + dt * new, new]


def rhn(w: Weights, x: Array, s: Array, depth: int = 3) -> States:
    a_n, a_t = affine(w, "first", 2)
    for layer in range(depth):
        if layer == 0:
            n, t = np.tanh(a_n(x, s)), sigmoid(a_t(x, s))
        else:
            R_n, R_t = split(w, f"others.{layer - 1}.weight", 2)
            b_n, b_t = split(w, f"others.{layer - 1}.bias", 2)
            n, t = np.tanh(s @ R_n.T + b_n), sigmoid(s @ R_t.T + b_t)
        s = n * t + s * (1 - t)
    return [s]


def s_lstm(w: Weights, x: Array, h: Array, c: Array, n: Array, m: Array, heads: int = 1) -> States:
    a = x @ w["linear.weight"].T + w.get("linear.bias", 0.0)
    d = HIDDEN // heads
    for gate in range(4):
        for k in range(heads):
            R = w["weight_hh"][k][:, gate * d : (gate + 1) * d].T
            start = gate * HIDDEN + k * d
            a[:, start : start + d] += h[:, k * d : (k + 1) * d] @ R.T
    i, f, z, o = np.split(a, 4, -1)
    log_f = np.log(sigmoid(f))
    new_m = np.maximum(log_f + m, i)
    i, f = np.exp(i - new_m), np.exp(log_f + m - new_m)
    c, n = f * c + i * np.tanh(z), f * n + i
    return [sigmoid(o) * c / n, c, n, new_m]


CASES: dict[str, tuple[Callable[..., States], dict[str, object]]] = {
    "peephole_lstm": (peephole_lstm, {}),
    "layer_norm_lstm": (layer_norm_lstm, {}),
    "coupled_lstm": (coupled_lstm, {}),
    "mgu": (mgu, {}),
    "min_gru": (min_gru, {}),
    "min_gru-linear": (min_gru, {"positive": False}),
    "ind_rnn": (ind_rnn, {}),
    "ind_rnn-tanh": (ind_rnn, {"activation": "tanh"}),
    "janet": (janet, {}),
    "janet-beta-0": (janet, {"beta": 0.0}),
    "co_rnn": (co_rnn, {}),
    "co_rnn-other": (co_rnn, {"dt": 0.5, "gamma": 1.5, "epsilon": 0.25}),
    "s_lstm": (s_lstm, {}),
    "s_lstm-2-heads": (s_lstm, {"heads": 2}),
    "s_lstm-4-heads": (s_lstm, {"heads": 4}),
    "rhn": (rhn, {}),
    "rhn-1": (rhn, {"depth": 1}),
    "rhn-5": (rhn, {"depth": 5}),
}


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("case", CASES)
def test_a_step_is_the_papers_equations(case: str, bias: bool) -> None:
    step, options = CASES[case]
    cell = CELLS[case.partition("-")[0]](INPUT, HIDDEN, bias=bias, **options).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    w = {name: p.detach().numpy() for name, p in cell.named_parameters()}
    assert bias == any("bias" in name for name in w)
    x = torch.randn(BATCH, INPUT, dtype=torch.float64)
    state = {
        name: torch.randn(BATCH, HIDDEN, dtype=torch.float64) + (5 if name == "n" else 0)
        for name in cell.state_sizes
    }
    output, new = cell(x, *state.values())
    assert output is new[0]
    wanted = step(w, x.numpy(), *(s.numpy() for s in state.values()), **options)
    assert len(wanted) == len(new)
    if len(new) == 4:  # the sLSTM's paper holds for a normaliser of at least 1
        chosen = wanted[2] >= 1
        assert chosen.mean() > 0.5
        np.testing.assert_allclose(
            new[0].detach().numpy()[chosen], wanted[0][chosen], rtol=1e-10, atol=1e-12
        )
        new, wanted = new[1:], wanted[1:]
    for got, value in zip(new, wanted, strict=True):
        np.testing.assert_allclose(got.detach().numpy(), value, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("heads", [1, 2])
def test_from_zeros_the_slstm_is_the_weighted_mean_that_it_stabilises(heads: int) -> None:
    """The paper's first form, with bare exponentials and no m."""
    cell = CELLS["s_lstm"](INPUT, HIDDEN, heads=heads).double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter)
    w = {name: p.detach().numpy() for name, p in cell.named_parameters()}
    d = HIDDEN // heads
    R = np.zeros((4, HIDDEN, HIDDEN))
    for gate in range(4):
        for k in range(heads):
            rows = slice(k * d, (k + 1) * d)
            R[gate, rows, rows] = w["weight_hh"][k][:, gate * d : (gate + 1) * d].T
    h = c = n = np.zeros((BATCH, HIDDEN))
    state = [torch.zeros(BATCH, HIDDEN, dtype=torch.float64) for _ in range(4)]
    for _ in range(6):
        x = torch.randn(BATCH, INPUT, dtype=torch.float64)
        output, state = cell(x, *state)
        a = np.split(x.numpy() @ w["linear.weight"].T + w["linear.bias"], 4, -1)
        i, f, z, o = (a[gate] + h @ R[gate].T for gate in range(4))
        c = sigmoid(f) * c + np.exp(i) * np.tanh(z)
        n = sigmoid(f) * n + np.exp(i)
        h = sigmoid(o) * c / n
        np.testing.assert_allclose(output.detach().numpy(), h, rtol=1e-9, atol=1e-12)
        assert float(state[2].detach().min()) >= 1
