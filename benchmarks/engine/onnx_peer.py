"""onnxruntime's own LSTM, GRU and RNN, for inference."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from rows import Pass, Row, Shape, inputs
from timing import THREADS

# Where each of ONNX's gates lies among torch's, and the operator's attributes.
OPERATORS: dict[str, tuple[str, list[int], dict[str, Any]]] = {
    "lstm": ("LSTM", [0, 3, 1, 2], {}),
    "gru": ("GRU", [1, 0, 2], {"linear_before_reset": 1}),
    "rnn": ("RNN", [0], {}),
}


def session(row: Row, layer: nn.Module, shape: Shape) -> onnxruntime.InferenceSession:
    """Return onnxruntime ready to run the layer: inputs x and the states, outputs Y and states."""
    name, order, attributes = OPERATORS[row.key]
    w, u, b, c = (p.detach().numpy() for p in layer.parameters())
    H = shape.H

    def sorted_gates(a: np.ndarray) -> np.ndarray:
        return np.concatenate([a[g * H : (g + 1) * H] for g in order])

    weights = {
        "W": sorted_gates(w)[None],
        "R": sorted_gates(u)[None],
        "b": np.concatenate([sorted_gates(b), sorted_gates(c)])[None],
    }
    states = ["h", "c"] if name == "LSTM" else ["h"]
    sizes = [1, shape.B, H]
    node = helper.make_node(
        name,
        ["x", "W", "R", "b", "", *states],
        ["Y", *(f"{state}_new" for state in states)],
        hidden_size=H,
        **attributes,
    )
    graph = helper.make_graph(
        [node],
        "recurrent",
        [_tensor("x", [shape.T, shape.B, shape.I]), *(_tensor(s, sizes) for s in states)],
        [
            _tensor("Y", [shape.T, 1, shape.B, H]),
            *(_tensor(f"{s}_new", sizes) for s in states),
        ],
        [numpy_helper.from_array(value, key) for key, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _tensor(name: str, sizes: list[int]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes)


def _zeros(running: onnxruntime.InferenceSession, shape: Shape) -> dict[str, np.ndarray]:
    names = [each.name for each in running.get_inputs()][1:]
    return {name: np.zeros((1, shape.B, shape.H), np.float32) for name in names}


def onnx_pass(row: Row, layer: nn.Module, shape: Shape) -> Pass:
    """Return one pass over the whole sequence."""
    running = session(row, layer, shape)
    feed = {"x": inputs(shape)[0].numpy(), **_zeros(running, shape)}
    return lambda: (running.run(["Y"], feed)[0][:, 0],)


def onnx_step(row: Row, layer: nn.Module, shape: Shape) -> Callable[[], Any]:
    """Return one step that goes on from where the last one ended."""
    running = session(row, layer, shape)
    feed = {"x": inputs(shape)[0].numpy(), **_zeros(running, shape)}
    names = [name for name in feed if name != "x"]

    def step() -> Any:
        y, *new = running.run(None, feed)
        feed.update(zip(names, new, strict=True))
        return y

    return step
