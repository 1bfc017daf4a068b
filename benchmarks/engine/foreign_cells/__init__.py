"""Cells from the literature and of kinds that users write, for `benchmarks/engine/foreign.py`."""

from foreign_cells import attending, gated, matrices, physical, plain, spiking
from foreign_cells.base import CELLS

__all__ = ["CELLS", "attending", "gated", "matrices", "physical", "plain", "spiking"]
