"""Whole sequence models over any cell, how likely they hold data, how they are decoded."""

from recurra.networks.decoding import Sampling, collect, sample
from recurra.networks.generator import GeneratorNetwork
from recurra.networks.likelihood import summed_loss, symbol_losses

__all__ = ["GeneratorNetwork", "Sampling", "collect", "sample", "summed_loss", "symbol_losses"]
