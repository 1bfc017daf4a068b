"""Recording torch's normalisations and its own recurrent cells."""

from typing import Any

import torch

from recurra.program.trace_products import linear
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_reductions import mean
from recurra.program.trace_refusal import refusal
from recurra.program.trace_symbol import Row
from recurra.program.trace_table import records


def standardised(rec: Recorder, x: Row, dims: tuple[int, ...], eps: float) -> Any:
    """Return x less its mean, over its standard deviation, along some dims.

    Where the squares overflow the result is NaN, as torch's is, and not 0.
    """
    centred = rec.pointwise("sub", x, mean(rec, x, dims, True))
    spread: Any = mean(rec, rec.pointwise("mul", centred, centred), dims, True)
    known = spread.detach()
    scale: Any = rec.pointwise("rsqrt", spread + eps)
    return rec.pointwise("mul", centred, scale + (known - known))


def scaled_and_moved(rec: Recorder, x: Any, weight: Any, bias: Any) -> Row:
    """Return weight·x + bias, either of which may be absent."""
    x = x if weight is None else rec.pointwise("mul", x, weight)
    return x if bias is None else rec.pointwise("add", x, bias)


def last_dims(x: Row, shape: Any) -> tuple[int, ...]:
    """Return the dims that a normalised shape stands for, held to the row's."""
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if x.trailing[len(x.trailing) - len(sizes) :] != sizes:
        raise ValueError(f"normalized_shape {sizes} of features {x.trailing}")
    return tuple(range(-len(sizes), 0))


@records("layer_norm")
def layer_norm(
    rec: Recorder, x: Row, normalized_shape: Any, weight: Any = None, bias: Any = None,
    eps: float = 1e-5, cudnn_enable: bool = True,
) -> Row:  # fmt: skip
    """Record layer normalisation."""
    y = standardised(rec, x, last_dims(x, normalized_shape), eps)
    return scaled_and_moved(rec, y, weight, bias)


@records("rms_norm")
def rms_norm(
    rec: Recorder, x: Row, normalized_shape: Any, weight: Any = None, eps: float | None = None
) -> Row:
    """Record x over its root mean square."""
    eps = torch.finfo(rec.dtype).eps if eps is None else eps
    squares: Any = mean(rec, rec.pointwise("mul", x, x), last_dims(x, normalized_shape), True)
    y = rec.pointwise("mul", x, rec.pointwise("rsqrt", squares + eps))
    return scaled_and_moved(rec, y, weight, None)


def per_channel(x: Row, parameter: Any) -> Any:
    """Return a parameter of one number per channel, to go with (B, channels, ...)."""
    return parameter if parameter is None else parameter.reshape(-1, *[1] * (len(x.trailing) - 1))


@records("group_norm")
def group_norm(
    rec: Recorder, x: Row, num_groups: int, weight: Any = None, bias: Any = None,
    eps: float = 1e-5, cudnn_enabled: bool = True,
) -> Row:  # fmt: skip
    """Record normalisation over groups of channels."""
    grouped: Any = x
    y = standardised(rec, grouped.reshape(rec.batch, num_groups, -1), (-1,), eps)
    y = y.reshape(rec.batch, *x.trailing)
    return scaled_and_moved(rec, y, per_channel(x, weight), per_channel(x, bias))


@records("batch_norm", spaces=(torch.nn.functional,))
def batch_norm(
    rec: Recorder, x: Row, running_mean: Any, running_var: Any, weight: Any = None,
    bias: Any = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Row:  # fmt: skip
    """Record batch normalisation by running statistics; refuse that by the batch's own."""
    if training or running_mean is None:
        raise refusal("batch normalisation in training mixes rows of the batch")
    scale = torch.rsqrt(running_var + eps)
    y: Any = rec.pointwise("sub", x, per_channel(x, running_mean))
    return scaled_and_moved(rec, y * per_channel(x, scale), per_channel(x, weight),
                            per_channel(x, bias))  # fmt: skip


# torch.nn.LSTMCell, GRUCell and RNNCell


@records("lstm_cell", spaces=(torch,))
def lstm_cell(
    rec: Recorder, x: Row, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None
) -> tuple[Row, Row]:
    """Record torch.nn.LSTMCell."""
    h, c = hx
    gates: Any = linear(rec, x, w_ih, b_ih) + linear(rec, h, w_hh, b_hh)
    i, f, g, o = gates.chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c  # type: ignore[return-value]


@records("gru_cell", spaces=(torch,))
def gru_cell(
    rec: Recorder, x: Row, h: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None
) -> Row:
    """Record torch.nn.GRUCell."""
    of_x: Any = linear(rec, x, w_ih, b_ih)
    of_h: Any = linear(rec, h, w_hh, b_hh)
    (x_r, x_z, x_n), (h_r, h_z, h_n) = of_x.chunk(3, 1), of_h.chunk(3, 1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return n + z * (h - n)  # type: ignore[no-any-return]


@records("rnn_tanh_cell", spaces=(torch,))
def rnn_tanh_cell(
    rec: Recorder, x: Row, h: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None
) -> Row:
    """Record torch.nn.RNNCell with tanh."""
    return rec.pointwise(
        "tanh", rec.pointwise("add", linear(rec, x, w_ih, b_ih), linear(rec, h, w_hh, b_hh))
    )


@records("rnn_relu_cell", spaces=(torch,))
def rnn_relu_cell(
    rec: Recorder, x: Row, h: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None
) -> Row:
    """Record torch.nn.RNNCell with relu."""
    return rec.pointwise(
        "relu", rec.pointwise("add", linear(rec, x, w_ih, b_ih), linear(rec, h, w_hh, b_hh))
    )
