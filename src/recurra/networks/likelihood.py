"""How likely a network holds a batch of sequences."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.data.batches import IGNORED, LengthBatches, Made, TokenBatch
from recurra.data.chunks import Chunk


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


def carried_loss(network: nn.Module, chunk: Chunk, state: Any) -> tuple[Tensor, float, Any]:
    """Return the summed loss of a chunk of symbols in nats, over how many it is, and the state.

    `state` is what the chunk before ended in, None for the first.
    """
    logits, state = network(chunk.x, None, state)
    real = chunk.real.to(chunk.y.device)
    targets = torch.where(real, chunk.y, IGNORED).flatten()
    total = F.cross_entropy(logits.flatten(0, 1), targets, ignore_index=IGNORED, reduction="sum")
    return total, chunk.weight, state


@torch.no_grad()
def row_sums(
    network: nn.Module,
    batches: LengthBatches[Made],
    losses: Callable[[nn.Module, Made], Tensor],
) -> NDArray[np.float64]:
    """Return each row's summed loss, (n,) in the rows' own order.

    `losses` returns those of a batch's steps, (T, B).
    """
    order = batches.order()
    found = np.empty(sum(map(len, order)))
    for chosen in order:
        found[chosen.numpy()] = losses(network, batches.made(chosen)).double().sum(0).cpu().numpy()
    return found
