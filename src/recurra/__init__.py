"""Recurrent networks on PyTorch: write a cell as its equations, train it, see its gradients."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from recurra import cells, errors
from recurra.backends import use_backend
from recurra.cells import Affine, Cell
from recurra.errors import RecurraError
from recurra.gradients import clip_grad_norm_band_, clip_norm_band
from recurra.layers import GRU, LSTM, RNN, Recurrent

if TYPE_CHECKING:
    from recurra.tasks import SequenceGenerator, load

__version__ = version("recurra")

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Affine",
    "Cell",
    "RecurraError",
    "Recurrent",
    "SequenceGenerator",
    "cells",
    "clip_grad_norm_band_",
    "clip_norm_band",
    "errors",
    "load",
    "use_backend",
]

# Estimators bring scikit-learn with them: imported when they are first asked for.
_LAZY = {"SequenceGenerator": "recurra.tasks", "load": "recurra.tasks"}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'recurra' has no attribute {name!r}")
