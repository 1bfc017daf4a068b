"""How much of each parameter's gradient comes through computations so many steps away."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.gradients.adjoints import row_norms
from recurra.gradients.decay import begins, by_distance, mean_by_distance
from recurra.gradients.watched import Run

Array = NDArray[np.float64]


def contributions(
    losses: Tensor, times: Sequence[int], runs: Sequence[Run], model: nn.Module
) -> dict[str, Array]:
    """Return, by parameter, the norms (T,) of its gradient's parts by time distance.

    Each step uses an alias of the parameter, whose gradient is exactly the part that comes through
    that step; hooks measure it on its way to the parameter, so that no two steps' gradients are
    held at once. Costs a backward pass for each of `times`. At distance d stands the mean over t
    of ‖the part of ∂L_t/∂θ that step t - d (going backward t + d) gives‖, L_t summed over rows.

    Args:
        losses: (T,), or (1,) for the last step alone.
        times: the steps whose losses are meant.
        runs: the runs of the cells whose parameters are meant.
        model: gives the parameters their names; others than its own are left out.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    uses = [
        _Use(names[id(parameter)], key, parameter, run, np.zeros((len(times), run.T)))
        for run in runs
        for key, parameter in run.cell.named_parameters()
        if id(parameter) in names and parameter.requires_grad
    ]
    if uses:
        _measure(losses, times, uses)
    found: dict[str, Array] = {}
    for use in uses:
        T, reverse = use.run.T, use.run.reverse
        rows = by_distance(use.norms, begins(times, len(losses), T, reverse), reverse)
        # A cell that is used in two places adds up its uses' norms.
        found[use.name] = found.get(use.name, 0) + mean_by_distance(list(rows), T)
    return found


@dataclass(frozen=True)
class _Use:
    """A parameter in one run, called `key` in its cell; norms: (n, T), by loss and step."""

    name: str
    key: str
    parameter: Tensor
    run: Run
    norms: Array


def _measure(losses: Tensor, times: Sequence[int], uses: Sequence[_Use]) -> None:
    """Write the norms of every loss' gradients with respect to the alias of every step."""
    row = 0

    def note(use: _Use, step: int, gradient: Tensor) -> None:
        use.norms[row, step] = float(row_norms(gradient.flatten()))

    handles = [
        weights[use.key].register_hook(partial(note, use, step))  # type: ignore[no-untyped-call]
        for use in uses
        for step, weights in enumerate(use.run.weights)
    ]
    try:
        for row, t in enumerate(times):  # noqa: B007 - the hooks read it
            torch.autograd.grad(
                losses[0 if len(losses) < uses[0].run.T else t],
                [use.parameter for use in uses],
                retain_graph=True,
                allow_unused=True,
            )
    finally:
        for handle in handles:
            handle.remove()
