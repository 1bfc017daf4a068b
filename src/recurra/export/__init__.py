"""Models for other programs: ONNX files, and weights in other libraries' layouts."""

from recurra.errors import ExportError
from recurra.export.weights_keras import keras_weights, load_keras_weights
from recurra.export.weights_torch import load_torch_weights, to_torch, torch_weights
from recurra.export.write import Exported, export_onnx

__all__ = [
    "ExportError",
    "Exported",
    "export_onnx",
    "keras_weights",
    "load_keras_weights",
    "load_torch_weights",
    "to_torch",
    "torch_weights",
]
