"""The gradients of many losses with respect to many tensors, through one graph."""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.errors import ArgumentError
from recurra.gradients.decay import begins
from recurra.gradients.watched import Run

Array = NDArray[np.float64]

_MOST_BYTES = 2**28  # of the gradients that are held at once
_HUGE = 0.65  # the power of a dtype's largest number from which on a norm may have left its range
# What vmap says of operations that it runs one by one.
_SLOW = "There is a performance drop"


def pull_back(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], cotangents: Sequence[Tensor]
) -> list[Tensor | None]:
    """Return n gradients of the outputs with respect to each input, in one backward pass.

    cotangents: for each output, (n, ...) over its shape. A result is (n, ...) over the input's
    shape, None where the outputs do not depend on it. Where torch cannot batch the graph's
    operations there are n passes. The graph is kept.
    """
    wanted = [s for s in inputs if s.requires_grad]
    if not wanted:
        return [None] * len(inputs)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_SLOW)
        try:
            found = _grad(outputs, wanted, cotangents, batched=True)
        except RuntimeError:
            rows = [
                _grad(outputs, wanted, row, batched=False) for row in zip(*cotangents, strict=True)
            ]
            found = [
                None if all(g is None for g in of) else torch.stack([_whole(g, s) for g in of])
                for of, s in zip(zip(*rows, strict=True), wanted, strict=True)
            ]
    every = iter(found)
    return [next(every) if s.requires_grad else None for s in inputs]


def _grad(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor],
    batched: bool,
) -> list[Tensor | None]:
    return list(
        torch.autograd.grad(
            outputs,
            inputs,
            cotangents,
            retain_graph=True,
            allow_unused=True,
            is_grads_batched=batched,
        )
    )


def _whole(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


def flow_norms(losses: Tensor, times: Sequence[int], runs: Sequence[Run]) -> list[dict[str, Array]]:
    """Return, for each run, each state's gradient norms (n, T), and under "" the whole state's.

    Args:
        losses: (T,), or (1,) for the last step alone.
        times: the n steps whose losses are meant.
        runs: the runs whose states are meant, all of the same steps and rows.

    A norm is the mean over the rows that have both steps of the norm over features; NaN where no
    row has both. The loss of the last step alone is that of every row.
    Raises `ArgumentError` where no loss depends on a state, and where a gradient is not finite
    without having grown out of its dtype's range.
    """
    T, B, once = runs[0].T, runs[0].B, len(losses) < runs[0].T
    states = [s for run in runs for left in run.left for s in left]
    size = 8 * T * B * sum(sum(run.sizes) for run in runs)
    chunk = max(1, _MOST_BYTES // size)
    parts: list[list[dict[str, Array]]] = []
    depends = False
    for k in range(0, len(times), chunk):
        some = list(times[k : k + chunk])
        cotangents = losses.new_zeros(len(some), len(losses))
        cotangents[range(len(some)), [0] if once else some] = 1
        gradients = iter(pull_back([losses], states, [cotangents]))
        part = []
        for run in runs:
            valid = run.valid()
            both = valid.unsqueeze(0) if once else valid & valid[some].unsqueeze(1)
            of_run = [[next(gradients) for _ in left] for left in run.left]
            depends |= any(g is not None for left in of_run for g in left)
            part.append(_norms(of_run, run.names, both))
        parts.append(part)
    if not depends:
        raise ArgumentError(
            "the loss does not depend on any state of the layer that is measured: its gradients "
            "are all None."
        )
    found = [
        {name: np.concatenate([part[k][name] for part in parts]) for name in parts[0][k]}
        for k in range(len(runs))
    ]
    for run, norms in zip(runs, found, strict=True):
        froms = begins(times, len(losses), T, run.reverse)
        _check_finite(norms[""], froms, torch.finfo(losses.dtype).max ** _HUGE)
    return found


def _norms(
    gradients: list[list[Tensor | None]], names: tuple[str, ...], both: Tensor
) -> dict[str, Array]:
    """Return norms by state for one chunk: gradients by step and state, each (n, B, size)."""
    n, _, B = both.shape
    norms: dict[str, Array] = {}
    whole = torch.zeros(both.shape, dtype=torch.float64)
    for k, name in enumerate(names):
        rows = torch.stack(
            [
                torch.zeros(n, B, dtype=torch.float64) if left[k] is None else row_norms(left[k])
                for left in gradients
            ],
            dim=1,
        )
        whole = torch.hypot(whole, rows)
        norms[name] = _mean(rows, both)
    norms[""] = _mean(whole, both)
    return norms


def row_norms(g: Tensor | None) -> Tensor:
    """Return the norms over the last axis in float64, also where squares leave its range.

    They are infinite where the vector holds anything that is not finite.
    """
    assert g is not None
    g = g.detach()
    if g.is_complex():  # its norm is that of its real and imaginary parts beside one another
        g = torch.view_as_real(g.resolve_conj()).flatten(-2)
    g = g.double().cpu()
    largest = g.abs().amax(-1, keepdim=True)
    finite = torch.isfinite(largest)
    scale = torch.where((largest > 0) & finite, largest, 1)
    norms = torch.linalg.vector_norm(g / scale, dim=-1) * scale.squeeze(-1)
    return torch.where(finite.squeeze(-1), norms, torch.inf)


def _mean(rows: Tensor, both: Tensor) -> Array:
    """Return the mean over the rows that count, (n, T), NaN where none does."""
    count = both.sum(-1)
    # Divided first: a sum of what float64 can hold may be more than it can.
    shares = torch.where(both, rows, 0) / count.clamp(min=1).unsqueeze(-1)
    found: Array = torch.where(count > 0, shares.sum(-1), torch.nan).numpy()
    return found


def _check_finite(norms: Array, times: Sequence[int], huge: float) -> None:
    """Raise `ArgumentError` for infinity next to norms of moderate size.

    It came from the loss or from a derivative then, and not from growth step by step.
    """
    for row, t in zip(norms, times, strict=True):
        for s in np.flatnonzero(np.isinf(row)):
            nearer = row[s + 1 : t + 1] if s <= t else row[t:s]
            if not (nearer > huge).any():
                raise ArgumentError(
                    f"the gradient of the loss at step {t} with respect to the state of step {s} "
                    "is not finite: look for NaN or infinity in x and the weights, or for a "
                    "derivative that is infinite, as that of a square root at 0."
                )
