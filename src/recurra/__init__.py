"""Recurrent networks on PyTorch: write a cell as its equations, train it, see its gradients."""

from importlib import import_module
from typing import TYPE_CHECKING

from recurra.version import __version__

if TYPE_CHECKING:
    from recurra import cells, errors
    from recurra.backends import use_backend
    from recurra.cells import Affine, Cell
    from recurra.errors import RecurraError
    from recurra.export import export_onnx
    from recurra.gradients import (
        GradientFlow,
        LyapunovSpectrum,
        clip_grad_norm_band_,
        clip_norm_band,
        gradient_flow,
        lyapunov_spectrum,
    )
    from recurra.layers import GRU, LSTM, RNN, Explanation, Recurrent
    from recurra.layers.explain import explain
    from recurra.tasks import (
        BlankFiller,
        Captioner,
        Forecaster,
        SequenceClassifier,
        SequenceGenerator,
        SequenceRegressor,
        SequenceTagger,
        Translator,
        load,
    )

# Where each public name lives. They are imported when they are first asked for, so that
# `recurra --help` does not wait for torch, nor a layer for scikit-learn.
_HOMES = {
    "Affine": "recurra.cells",
    "BlankFiller": "recurra.tasks",
    "Captioner": "recurra.tasks",
    "Cell": "recurra.cells",
    "Explanation": "recurra.layers",
    "Forecaster": "recurra.tasks",
    "GRU": "recurra.layers",
    "GradientFlow": "recurra.gradients",
    "LSTM": "recurra.layers",
    "LyapunovSpectrum": "recurra.gradients",
    "RNN": "recurra.layers",
    "RecurraError": "recurra.errors",
    "Recurrent": "recurra.layers",
    "SequenceClassifier": "recurra.tasks",
    "SequenceGenerator": "recurra.tasks",
    "SequenceRegressor": "recurra.tasks",
    "SequenceTagger": "recurra.tasks",
    "Translator": "recurra.tasks",
    "clip_grad_norm_band_": "recurra.gradients",
    "clip_norm_band": "recurra.gradients",
    "explain": "recurra.layers",
    "export_onnx": "recurra.export",
    "gradient_flow": "recurra.gradients",
    "load": "recurra.tasks",
    "lyapunov_spectrum": "recurra.gradients",
    "use_backend": "recurra.backends",
}
_ROOMS = ("cells", "errors")

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Affine",
    "BlankFiller",
    "Captioner",
    "Cell",
    "Explanation",
    "Forecaster",
    "GradientFlow",
    "LyapunovSpectrum",
    "RecurraError",
    "Recurrent",
    "SequenceClassifier",
    "SequenceGenerator",
    "SequenceRegressor",
    "SequenceTagger",
    "Translator",
    "__version__",
    "cells",
    "clip_grad_norm_band_",
    "clip_norm_band",
    "errors",
    "explain",
    "export_onnx",
    "gradient_flow",
    "load",
    "lyapunov_spectrum",
    "use_backend",
]


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return import_module(f"recurra.{name}")
    if name in _HOMES:
        try:
            found: object = getattr(import_module(_HOMES[name]), name)
        except ModuleNotFoundError as error:
            if _HOMES[name] != "recurra.tasks":
                raise
            raise import_module("recurra.errors").MissingDependencyError(
                f"recurra.{name} needs the package {error.name}: pip install 'recurra[tasks]'."
            ) from error
        globals()[name] = found
        return found
    raise AttributeError(f"module 'recurra' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
