"""The cells: one family a file, each as its equations."""

from recurra.cells.activations import ACTIVATIONS
from recurra.cells.build import CELLS, as_cell, build_cell
from recurra.cells.cell import Affine, Cell
from recurra.cells.elman import Elman
from recurra.cells.fcn import FCN
from recurra.cells.gru import GRU
from recurra.cells.lstm import LSTM

__all__ = [
    "ACTIVATIONS",
    "CELLS",
    "FCN",
    "GRU",
    "LSTM",
    "Affine",
    "Cell",
    "Elman",
    "as_cell",
    "build_cell",
]
