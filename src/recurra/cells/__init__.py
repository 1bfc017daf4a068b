"""The cells: one family a file, each as its equations."""

from recurra.cells.activations import ACTIVATIONS
from recurra.cells.build import CELLS, as_cell, build_cell
from recurra.cells.cell import Affine, Cell
from recurra.cells.co_rnn import CoRNN
from recurra.cells.coupled import CoupledLSTM
from recurra.cells.elman import Elman
from recurra.cells.fcn import FCN
from recurra.cells.gru import GRU
from recurra.cells.ind_rnn import IndRNN
from recurra.cells.janet import JANET
from recurra.cells.layer_norm import LayerNormLSTM
from recurra.cells.lstm import LSTM
from recurra.cells.mgu import MGU
from recurra.cells.min_gru import MinGRU
from recurra.cells.peephole import PeepholeLSTM
from recurra.cells.rhn import RHN
from recurra.cells.s_lstm import SLSTM

__all__ = [
    "ACTIVATIONS",
    "CELLS",
    "FCN",
    "GRU",
    "JANET",
    "LSTM",
    "MGU",
    "RHN",
    "SLSTM",
    "Affine",
    "Cell",
    "CoRNN",
    "CoupledLSTM",
    "Elman",
    "IndRNN",
    "LayerNormLSTM",
    "MinGRU",
    "PeepholeLSTM",
    "as_cell",
    "build_cell",
]
