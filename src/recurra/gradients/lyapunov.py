"""The Lyapunov spectrum of a driven layer: how fast its states drift apart or together."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.cells.cell import Cell
from recurra.cells.sizes import check_size
from recurra.errors import ArgumentError, ArgumentTypeError
from recurra.gradients.linearised import jacobians, linearised, step_of
from recurra.gradients.observation import observe_states
from recurra.gradients.spectral_radius import spectral_radii
from recurra.gradients.undisturbed import undisturbed
from recurra.gradients.verdict import number
from recurra.gradients.watched import Run

Array = NDArray[np.float64]

_BLOCKS = 10
_NONE = 1e-4  # nats a step: an exponent nearer to 0 says nothing over thousands of steps


@dataclass(frozen=True, repr=False, eq=False)
class LyapunovSpectrum:
    """How small differences between states grow: the result of `lyapunov_spectrum`. `print` it.

    exponents: (k,), nats a step, the largest first; -inf where a difference is lost at once.
    error: (k,), their standard errors, NaN where there are too few steps.
    meaning: what the largest exponent says, in words.
    spectral_radius: the largest |eigenvalue| of each recurrent matrix, by its name in the cell.
    cell: the cell's class; steps: those averaged over, of each of `rows` rows.
    """

    exponents: Array
    error: Array
    meaning: str
    spectral_radius: dict[str, float] = field(default_factory=dict)
    cell: str = ""
    steps: int = 0
    rows: int = 0

    def __str__(self) -> str:
        """Return the exponents and what they mean."""
        shown = ", ".join(
            f"{value:.4g} ± {error:.1g}"
            for value, error in zip(self.exponents[:8], self.error, strict=False)
        )
        more = ", ..." if len(self.exponents) > 8 else ""
        return f"{self.meaning}\nexponents, nats a step: {shown}{more}"

    __repr__ = __str__


def lyapunov_spectrum(
    layer: nn.Module,
    x: Tensor,
    k: int | None = None,
    *,
    burn_in: int | None = None,
    index: int = -1,
) -> LyapunovSpectrum:
    """Return the k largest Lyapunov exponents of a layer's cell, driven by x.

    The method (Benettin et al., 1980): k orthonormal vectors go through the Jacobians ∂s_t/∂s_{t-1}
    along the trajectory; after each step a QR decomposition makes them orthonormal again, and the
    exponents are the means of log |R_jj|. It costs k Jacobian-vector products a step and row, in
    float64. The states are those the layer has on x from its initial state, in the mode it is in.

    Args:
        layer: a `Recurrent`, or an RNN, LSTM or GRU of recurra or torch.nn.
        x: (T, B, I), or (B, T, I) with the layer's `batch_first`; the exponents are means over the
            rows.
        k: how many; all of the state's features if None.
        burn_in: steps at the beginning that are not counted, T // 10 if None.
        index: which cell of a stack, in the order layer 0 forward, layer 0 backward, layer 1
            forward, ...: the last if -1. Its input is what it has in the stack.

    The errors are those of the mean over rows and ten blocks of steps, which are taken as
    independent. Raises `ArgumentError` for k, burn_in or index out of range and for states that
    are not finite.
    """
    if not isinstance(layer, nn.Module):
        raise ArgumentTypeError(f"layer must be a torch.nn.Module, got {type(layer).__name__}.")
    with undisturbed(layer):
        seen = observe_states(layer, x)
        run = _chosen(seen.flat, index)
        N = sum(run.sizes)
        _check(run, k, N, burn_in)
        burn_in = run.T // 10 if burn_in is None else burn_in
        logs = _stretches(run, N if k is None else k)[burn_in:]
        radii = spectral_radii(run.cell)
    exponents = logs.mean((0, 1)).numpy()
    error = _error(logs)
    order = np.argsort(-exponents, kind="stable")
    exponents, error = exponents[order], error[order]
    name = type(getattr(run.cell, "module", run.cell)).__name__
    meaning = _meaning(float(exponents[0]), float(error[0]))
    return LyapunovSpectrum(exponents, error, meaning, radii, name, len(logs), run.B)


def _chosen(runs: list[Run], index: int) -> Run:
    if not -len(runs) <= index < len(runs):
        raise ArgumentError(f"index={index} is not one of the layer's {len(runs)} cells.")
    return runs[index]


def _check(run: Run, k: int | None, N: int, burn_in: int | None) -> None:
    if k is not None:
        check_size("k", k, most=N)
    if burn_in is not None and not 0 <= burn_in < run.T:
        raise ArgumentError(f"burn_in must lie between 0 and T - 1 = {run.T - 1}, got {burn_in}.")
    for t, state in enumerate(run.left):
        if not all(torch.isfinite(s).all() for s in state):
            raise ArgumentError(
                f"the state that leaves step {t} is not finite: it has no exponent."
            )


def _stretches(run: Run, k: int) -> Tensor:
    """Return log |R_jj| by step, in the run's order, row and vector: (T, B, k)."""
    N, B = sum(run.sizes), run.B
    like = run.left[0][0]
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(B, N, k, generator=generator, dtype=torch.float64)
    Q = torch.linalg.qr(start.to(like)).Q
    logs = torch.empty(run.T, B, k, dtype=torch.float64)
    order = range(run.T)[:: -1 if run.reverse else 1]
    with torch.no_grad():
        for place, t in enumerate(order):
            Q, R = torch.linalg.qr(_push(run.cell, run.x[t], torch.cat(run.entered[t], -1), Q))
            logs[place] = R.diagonal(dim1=-2, dim2=-1).abs().log().double().cpu()
    return logs


def _push(cell: Cell, x: Tensor, state: Tensor, Q: Tensor) -> Tensor:
    """Return J·Q of one step: x (B, I), state (B, N), Q (B, N, k) -> (B, N, k)."""
    k = Q.shape[-1]
    try:
        step = step_of(cell, x.repeat_interleave(k, 0))
        push, _ = linearised(step, state.repeat_interleave(k, 0))
        moved = push(Q.mT.flatten(0, 1))
    except RuntimeError:  # a step that cannot be differentiated twice
        return jacobians(cell, x, state) @ Q
    return moved.view(-1, k, moved.shape[-1]).mT


def _error(logs: Tensor) -> Array:
    """Return the standard error of the mean over steps and rows: logs (T, B, k) -> (k,)."""
    blocks = torch.stack([block.mean(0) for block in logs.tensor_split(min(_BLOCKS, len(logs)))])
    samples = blocks.flatten(0, 1)
    if len(samples) < 2:
        return np.full(logs.shape[-1], np.nan)
    spread = (samples - samples.mean(0)).square().sum(0) / (len(samples) - 1)
    error: Array = (spread / len(samples)).sqrt().numpy()
    return error


def _meaning(largest: float, error: float) -> str:
    said = f"The largest Lyapunov exponent is {largest:.3g} nats a step"
    doubt = max(_NONE, 0.0 if math.isnan(error) else 2 * error)
    if abs(largest) <= doubt:
        return (
            f"{said}: at the border of chaos, as far as can be told. Small differences between "
            "states keep their size, and so do gradients through time."
        )
    if largest == -math.inf:
        return f"{said}: every small difference between states is wiped out on the way."
    factor, steps = number(math.exp(largest)), f"{math.log(2) / abs(largest):.2g}"
    steps += " step" if steps == "1" else " steps"
    if largest > 0:
        return (
            f"{said}: chaotic. Two states that differ a little drift apart {factor}-fold a step "
            f"and double their distance in {steps}; gradients through time explode."
        )
    return (
        f"{said}: contracting. The state forgets where it began: a small difference halves in "
        f"{steps}; gradients through time vanish at {factor} a step."
    )
