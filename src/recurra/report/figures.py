"""Figures on a training run, as matplotlib figures that need neither display nor pyplot."""

from recurra.report.bars import score_bars
from recurra.report.losses import loss_curves
from recurra.report.norms import gradient_norms

__all__ = ["gradient_norms", "loss_curves", "score_bars"]
