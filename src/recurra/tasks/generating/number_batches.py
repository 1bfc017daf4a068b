"""A batch of series to be predicted a step at a time, and how likely a network holds it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from recurra.data.batches import LengthBatches
from recurra.networks.number_generator import NumberGenerator

Series = NDArray[np.float64]


@dataclass(frozen=True)
class NumberBatch:
    """Series to be predicted a step at a time.

    before: (T, B, F + 1), what `NumberGenerator` reads; targets: (T, B, F), in standard units;
    real, ends: (T, B) bool, where there is a step and where, after the last, none; condition:
    (B,) or None; weights: (B,).
    """

    before: Tensor
    targets: Tensor
    real: Tensor
    ends: Tensor
    condition: Tensor | None
    weights: Tensor


def make_batch(
    network: NumberGenerator,
    rows: Sequence[Series],
    labels: Sequence[int] | None,
    weights: Sequence[float],
    *,
    fixed: bool,
) -> NumberBatch:
    """Return series as a batch; with a `fixed` number of steps there is no end to predict."""
    device = network.head.weight.device
    lengths = torch.tensor([len(row) for row in rows], device=device)
    x = pad_sequence([torch.from_numpy(np.array(row)) for row in rows]).to(device)
    z = network.standard(x)
    T = len(z) + (not fixed)
    targets = F.pad(z, (0, 0, 0, 0, 0, T - len(z)))
    step = torch.arange(T, device=device).unsqueeze(1)
    real = step < lengths
    shown = F.pad(torch.cat([z, torch.ones_like(z[..., :1])], -1), (0, 0, 0, 0, 1, 0))[:T]
    ends = (step == lengths) & (not fixed)
    return NumberBatch(
        torch.where((step <= lengths).unsqueeze(-1), shown, 0.0),
        targets,
        real,
        ends,
        None if labels is None else torch.tensor(labels, device=device),
        torch.tensor(weights, dtype=torch.float32, device=device),
    )


def step_losses(network: nn.Module, batch: NumberBatch) -> Tensor:
    """Return -log p of each step, and of each row's end, in nats and standard units: (T, B)."""
    after, _ = network(batch.before, batch.condition)
    goes_on = F.logsigmoid(-after.end) if batch.ends.any() else torch.zeros_like(after.end)
    # Where there is no step the density is of zeros, and passed over.
    steps = torch.where(batch.real, after.log_density(batch.targets) + goes_on, 0.0)
    return -(steps + torch.where(batch.ends, F.logsigmoid(after.end), 0.0))


def summed_step_loss(network: nn.Module, batch: NumberBatch) -> tuple[Tensor, float]:
    """Return the batch's summed loss, and how many steps and ends (weighted) it is over."""
    losses = step_losses(network, batch) * batch.weights
    counted = (batch.real | batch.ends) * batch.weights
    return losses.sum(), float(counted.sum())


def number_batches(
    network: NumberGenerator,
    rows: Sequence[Series],
    labels: Sequence[int] | None,
    weights: Sequence[float],
    *,
    fixed: bool,
    batch_size: int,
    draw: torch.Generator | None = None,
) -> LengthBatches[NumberBatch]:
    """Return batches of series; with `draw` in another order at each pass."""

    def make(chosen: Tensor) -> NumberBatch:
        places = chosen.tolist()
        return make_batch(
            network,
            [rows[k] for k in places],
            None if labels is None else [labels[k] for k in places],
            [weights[k] for k in places],
            fixed=fixed,
        )

    lengths = [len(row) for row in rows]
    return LengthBatches(lengths, make, batch_size=batch_size, generator=draw)
