"""The same cells in JAX: `lax.scan` over time, jitted, gradients by `value_and_grad`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.nn import sigmoid
from torch import nn

from rows import TRAIN, Pass, Row, Shape, inputs

Parameters = dict[str, Any]
Step = Callable[[Parameters, Any, Any], tuple[Any, Any]]  # p, x, state -> state, output


def affine(p: Parameters, x: Any, h: Any) -> Any:
    return x @ p["weight_ih"].T + p["bias_ih"] + h @ p["weight_hh"].T + p["bias_hh"]


def update(gates: Any, c: Any) -> tuple[Any, Any]:
    i, f, g, o = jnp.split(gates, 4, -1)
    return sigmoid(f) * c + sigmoid(i) * jnp.tanh(g), sigmoid(o)


def lstm(p: Parameters, x: Any, state: Any) -> tuple[Any, Any]:
    c, o = update(affine(p, x, state[0]), state[1])
    h = o * jnp.tanh(c)
    return (h, c), h


def squash(p: Parameters, x: Any, state: Any) -> tuple[Any, Any]:
    c, o = update(affine(p, x, state[0]), state[1])
    c = sigmoid(c)
    h = o * jnp.tanh(c)
    return (h, c), h


def gru(p: Parameters, x: Any, state: Any) -> tuple[Any, Any]:
    (h,) = state
    x_r, x_z, x_n = jnp.split(x @ p["weight_ih"].T + p["bias_ih"], 3, -1)
    h_r, h_z, h_n = jnp.split(h @ p["weight_hh"].T + p["bias_hh"], 3, -1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    h = (1 - z) * jnp.tanh(x_n + r * h_n) + z * h
    return (h,), h


def rnn(p: Parameters, x: Any, state: Any) -> tuple[Any, Any]:
    h = jnp.tanh(affine(p, x, state[0]))
    return (h,), h


def fcn(p: Parameters, x: Any, state: Any) -> tuple[Any, Any]:
    def net(name: str, v: Any) -> Any:
        v = jnp.tanh(v @ p[f"{name}.layers.0.weight"].T + p[f"{name}.layers.0.bias"])
        return v @ p[f"{name}.layers.1.weight"].T + p[f"{name}.layers.1.bias"]

    h = jnp.tanh(net("net_hh", state[0]) + net("net_xh", x))
    return (h,), h


def normalise(a: Any, weight: Any) -> Any:
    centred = a - a.mean(-1, keepdims=True)
    return weight * centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def norm(p: Parameters, x: Any, state: Any) -> tuple[Any, Any]:
    of_x = normalise(x @ p["weight_ih"].T, p["norm_x.weight"])
    of_h = normalise(state[0] @ p["weight_hh"].T, p["norm_h.weight"])
    c, o = update(of_x + of_h + p["bias"], state[1])
    h = o * jnp.tanh(normalise(c, p["norm_c.weight"]) + p["norm_c.bias"])
    return (h, c), h


def user(p: Parameters, x: Any, state: Any) -> tuple[Any, Any]:
    z = jnp.concatenate([x, state[0]], -1)
    i, f, o = jnp.split(sigmoid(z @ p["gates.weight"].T + p["gates.bias"]), 3, -1)
    c = f * state[1] + i * jnp.tanh(z @ p["candidate.weight"].T + p["candidate.bias"])
    h = o * jnp.tanh(c)
    return (h, c), h


STEPS: dict[str, Step] = {
    "lstm": lstm,
    "gru": gru,
    "rnn": rnn,
    "squash": squash,
    "fcn": fcn,
    "norm": norm,
    "user": user,
}


def parameters(row: Row, layer: nn.Module) -> Parameters:
    """Return the layer's parameters by the names that the steps above use."""
    found = {}
    for name, value in layer.named_parameters():
        short = name.removeprefix("cells.0.").removeprefix("module.").removesuffix("_l0")
        if row.key != "user":
            short = short.removeprefix("gates.")
        found[short] = jnp.asarray(value.detach().numpy())
    return found


def jax_pass(row: Row, layer: nn.Module, shape: Shape, which: str) -> Pass:
    """Return one pass over the inputs and weights that torch's have."""
    step, p = STEPS[row.key], parameters(row, layer)
    states = 2 if row.key in ("lstm", "squash", "norm", "user") else 1
    x, upstream = (jnp.asarray(each.numpy()) for each in inputs(shape))

    def run(p: Parameters, x: Any) -> Any:
        state = tuple(jnp.zeros((shape.B, shape.H)) for _ in range(states))
        return lax.scan(lambda s, x_t: step(p, x_t, s), state, x)[1]

    def loss(p: Parameters, x: Any, upstream: Any) -> tuple[Any, Any]:
        out = run(p, x)
        return (out * upstream).sum(), out

    if which != TRAIN:
        compiled = jax.jit(run)
        return lambda: (compiled(p, x).block_until_ready(),)
    gradients = jax.jit(jax.value_and_grad(loss, argnums=(0, 1), has_aux=True))

    def train() -> tuple[Any, Any]:
        (_, out), (_, dx) = jax.block_until_ready(gradients(p, x, upstream))
        return out, dx

    return train
