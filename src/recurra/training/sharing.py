"""How a step is shared among processes: batches, weights, random numbers, gradients."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recurra.errors import ArgumentError
from recurra.training.fingerprint import differences, run_settings
from recurra.training.processes import Processes
from recurra.training.randomness import generators, random_states

if TYPE_CHECKING:
    from recurra.training.batches import Batches
    from recurra.training.loop import Trainer


def share(batches: Any, processes: Processes) -> Any:
    """Return this process's share of batches: as many, each with some of the rows or None.

    `batches.share(rank, world)` gives it. Raises `ArgumentError` for batches that have no such
    method.
    """
    if processes.alone or batches is None:
        return batches
    if not hasattr(batches, "share"):
        raise ArgumentError(
            f"a {type(batches).__name__} cannot be shared among {processes.world} processes: give "
            "it a method share(rank, world) that returns batches with some of the rows of each, "
            "and None where there are none."
        )
    return batches.share(processes.rank, processes.world)


def begin_alike(trainer: Trainer, train: Batches, valid: Batches | None) -> None:
    """Give all processes the first one's weights, and each but the first random numbers of its own.

    Raises `ArgumentError`, in all of them, where one has other data or settings.
    """
    processes = trainer.processes
    settings = run_settings(trainer, train, valid, random_states(train))
    everyones = [json.loads(c) for c in processes.gather(json.dumps(settings).encode())]
    for rank, theirs in enumerate(everyones):
        told = differences(everyones[0], theirs)
        if told:
            raise ArgumentError(
                f"process {rank} has other data or settings than process 0 ({told}): give all "
                "the same, and the same seed."
            )
    for tensor in trainer.model.state_dict().values():
        tensor.copy_(processes.broadcast_(tensor.detach().clone().contiguous()))
    if not processes.first:  # what a step drops out is another's in each process
        torch.manual_seed(int(torch.randint(2**62, ())) + processes.rank)


def same_buffers(trainer: Trainer) -> None:
    """Give all processes the buffers of the first: each has its own batches' running means."""
    if not trainer.processes.alone:
        for buffer in trainer.model.buffers():
            trainer.processes.broadcast_(buffer)


def draw_alike(batches: Batches, processes: Processes) -> None:
    """Give the generators that batches have the state of the first process's."""
    if processes.alone:
        return
    for generator in generators(batches).values():
        generator.set_state(processes.broadcast_(generator.get_state()))


def backward_together(
    trainer: Trainer, total: Tensor, weight: float, *asked: bool
) -> tuple[float, ...]:
    """Leave in each process the gradient of the mean loss of all.

    Args:
        trainer: whose model it is.
        total, weight: the summed loss of this process's share, and its weight.
        asked: what else the processes let each other know.

    Returns that mean, the weight of all, and of each thing asked how many processes asked it.
    """
    own = float(total.detach()), weight, *map(float, asked)
    losses, weights, *counts = trainer.processes.sums(*own)
    if total.requires_grad:
        (total / weights).backward()  # type: ignore[no-untyped-call]
    sum_gradients_(trainer.model.parameters(), trainer.processes)
    return losses / weights if weights else math.nan, weights, *counts


@torch.no_grad()
def sum_gradients_(parameters: Iterable[Tensor], processes: Processes) -> None:
    """Replace each gradient by its sum over the processes; where none has one there stays none.

    Raises `ArgumentError` for a sparse gradient.
    """
    kinds: dict[Any, list[Tensor]] = {}
    for p in parameters:
        if p.requires_grad:
            kinds.setdefault((p.dtype, p.device), []).append(p)
        if p.grad is not None and p.grad.is_sparse:
            raise ArgumentError(
                f"a sparse gradient of {tuple(p.shape)} cannot be summed over processes: use "
                "sparse=False."
            )
    for alike in kinds.values():
        there = alike[0].new_tensor([p.grad is not None for p in alike])
        each = [torch.zeros_like(p) if p.grad is None else p.grad for p in alike]
        flat = processes.sum_(torch.cat([there, *(g.reshape(-1) for g in each)]))
        count, *summed = torch.split(flat, [len(alike), *(p.numel() for p in alike)])
        for p, has, gradient in zip(alike, count.tolist(), summed, strict=True):
            p.grad = gradient.view_as(p) if has else None
