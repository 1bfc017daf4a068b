"""How likely a network holds a batch of sequences."""

import torch.nn.functional as F
from torch import Tensor, nn

from recurra.data.batches import IGNORED, TokenBatch


def symbol_losses(network: nn.Module, batch: TokenBatch) -> Tensor:
    """Return -log p of each target in nats: (T, B), 0 in padding."""
    logits, _ = network(batch.inputs, batch.condition)
    return F.cross_entropy(
        logits.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED, reduction="none"
    ).view_as(batch.targets)


def summed_loss(network: nn.Module, batch: TokenBatch) -> tuple[Tensor, float]:
    """Return the batch's summed loss in nats, and over how many symbols (or weights) it is."""
    losses = symbol_losses(network, batch)
    counted = (batch.targets != IGNORED).float()
    if batch.weights is not None:
        losses, counted = losses * batch.weights, counted * batch.weights
    return losses.sum(), float(counted.sum())
