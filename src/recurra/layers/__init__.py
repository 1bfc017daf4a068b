"""Recurrent layers: `Recurrent` over any cell, the drop-ins for torch.nn's, what runs of each."""

from recurra.layers.drop_in import GRU, LSTM, RNN
from recurra.layers.explain import explain
from recurra.layers.explanation import Explanation
from recurra.layers.recurrent import Recurrent

__all__ = ["GRU", "LSTM", "RNN", "Explanation", "Recurrent", "explain"]
