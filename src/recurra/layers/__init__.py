"""Recurrent layers: `Recurrent` over any cell, and the drop-ins for torch.nn's."""

from recurra.layers.drop_in import GRU, LSTM, RNN
from recurra.layers.recurrent import Recurrent

__all__ = ["GRU", "LSTM", "RNN", "Recurrent"]
