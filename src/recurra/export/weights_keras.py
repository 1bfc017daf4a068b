"""Weights in the layout of Keras's `SimpleRNN`, `LSTM` and `GRU`.

Keras keeps kernel (I, G·H), recurrent kernel (H, G·H) and bias, the transposes of ours. Its gates
are i, f, c, o (as here) and z, r, h (here r, z, n); its biases are one, (G·H,), but for a GRU with
`reset_after`, which has (2, G·H), that of the input first. Sources: `call` of Keras 3's
`SimpleRNNCell`, `LSTMCell` and `GRUCell`.
"""

from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra import cells
from recurra.cells.cell import Affine, Cell
from recurra.errors import ArgumentError, ExportError
from recurra.export.stack import Layer, cells_of
from recurra.export.weights_torch import check_shape

Array = NDArray[np.floating]
_ZRH = (1, 0, 2)  # from r, z, n to z, r, h, and back


def keras_weights(layer: Layer) -> list[list[Array]]:
    """Return what `set_weights` of Keras's layers takes, a list for each layer of the stack.

    A list is [kernel, recurrent_kernel, bias] (no bias where there is none); for two directions,
    `Bidirectional` (merge_mode="concat"), those of the backward one follow. Where Keras has one
    bias it is the sum of ours. The Keras layer must be of the same form: `SimpleRNN` with the
    activation of the Elman cell, `LSTM`, `GRU` with the same `reset_after`, `use_bias` as here,
    and `return_sequences=True` below another.

    Raises `ExportError` for any other cell.
    """
    directions = 2 if layer.bidirectional else 1
    every = [_arrays(cell) for cell in cells_of(layer)]
    layers = [every[k : k + directions] for k in range(0, len(every), directions)]
    return [list(chain(*arrays)) for arrays in layers]


def load_keras_weights(layer: Layer, weights: Sequence[Sequence[Array]]) -> None:
    """Copy what `get_weights` of Keras's layers gives into a layer of the same form.

    Where Keras has one bias it becomes that of the input, and that of the state zero.

    Args:
        layer: as `keras_weights` takes it.
        weights: a list for each layer of the stack, as `keras_weights` returns it.

    Raises `ArgumentError` for another number of layers or arrays, `ShapeError` for another shape;
    the layer then is as it was.
    """
    every = cells_of(layer)
    directions = 2 if layer.bidirectional else 1
    if len(weights) != len(every) // directions:
        raise ArgumentError(
            f"there are weights of {len(weights)} layers, where {len(every) // directions} are "
            "wanted: give a list of arrays for each."
        )
    flat = []
    for k, arrays in enumerate(weights):
        count = directions * len(_arrays(every[k * directions]))
        if len(arrays) != count:
            raise ArgumentError(f"layer {k} has {len(arrays)} arrays, where {count} are wanted.")
        each = count // directions
        flat += [list(arrays[d * each : (d + 1) * each]) for d in range(directions)]
    changes = [c for k, cell in enumerate(every) for c in _changes(cell, flat[k], f"cell {k}")]
    with torch.no_grad():
        for tensor, array in changes:
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def _affine(cell: Cell) -> tuple[Affine, tuple[int, ...]]:
    """Return a cell's weights, and which of its gates is each of Keras's."""
    usual = isinstance(cell, cells.LSTM) and not cell.squash_cell and cell.weight_hr is None
    if type(cell) is cells.LSTM and usual:
        return cell.gates, (0, 1, 2, 3)
    if type(cell) is cells.GRU:
        return cell.gates, _ZRH
    if type(cell) is cells.Elman and cell.readout is None:
        return cell.affine, (0,)
    raise ExportError(
        f"Keras has no cell with the equations of {type(cell).__name__}({cell.extra_repr()}); "
        "those that it has are LSTM, GRU, and Elman without a read-out."
    )


def _arrays(cell: Cell) -> list[Array]:
    affine, order = _affine(cell)
    weights = [affine.weight_ih, affine.weight_hh]
    arrays = [np.ascontiguousarray(_ordered(_array(w), order).T) for w in weights]
    if affine.bias_ih is None or affine.bias_hh is None:
        return arrays
    biases = [_ordered(_array(b), order) for b in (affine.bias_ih, affine.bias_hh)]
    return [*arrays, np.stack(biases) if _two_biases(cell) else biases[0] + biases[1]]


def _changes(cell: Cell, arrays: Sequence[Array], name: str) -> list[tuple[Tensor, Array]]:
    """Return what is to be copied into the cell's tensors, checked."""
    parts = ("kernel", "recurrent_kernel", "bias")
    for part, given, own in zip(parts, arrays, _arrays(cell), strict=False):
        check_shape(f"{name}: {part}", np.shape(given), own.shape)
    affine, order = _affine(cell)
    kernel, recurrent, *bias = (np.asarray(array) for array in arrays)
    changes: list[tuple[Tensor, Array]] = [
        (affine.weight_ih, _ordered(kernel.T, order)),
        (affine.weight_hh, _ordered(recurrent.T, order)),
    ]
    if affine.bias_ih is not None and affine.bias_hh is not None:
        both = bias[0] if _two_biases(cell) else np.stack([bias[0], np.zeros_like(bias[0])])
        changes += [
            (affine.bias_ih, _ordered(both[0], order)),
            (affine.bias_hh, _ordered(both[1], order)),
        ]
    return changes


def _ordered(array: Array, order: Sequence[int]) -> Array:
    """Return an array (G·H, ...) with its gates in another order."""
    gates = np.split(array, len(order))
    return np.concatenate([gates[k] for k in order])


def _two_biases(cell: Cell) -> bool:
    return isinstance(cell, cells.GRU) and cell.reset_after


def _array(tensor: Tensor) -> Array:
    array: Array = tensor.detach().cpu().numpy()
    return array
