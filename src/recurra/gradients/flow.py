"""Where a model's gradients go: measured for every loss time, step, layer and direction."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra import cells
from recurra.errors import ArgumentError, ArgumentTypeError
from recurra.gradients.adjoints import flow_norms
from recurra.gradients.contributions import contributions
from recurra.gradients.decay import arriving, begins, by_distance, mean_by_distance, rate_a_step
from recurra.gradients.flow_record import GradientFlow
from recurra.gradients.jacobians import Path, path_norms
from recurra.gradients.observation import Observation, observe
from recurra.gradients.step_losses import Loss
from recurra.gradients.underflow import FORMATS, first_outside
from recurra.gradients.undisturbed import undisturbed
from recurra.gradients.verdict import verdict
from recurra.gradients.watched import Run
from recurra.layers import Recurrent

Array = NDArray[np.float64]

_ALL_TIMES, _SOME_TIMES = 128, 32
_CONTRIBUTION_TIMES = 8


def gradient_flow(
    model: nn.Module,
    x: Any,
    y: Any = None,
    *,
    loss: Loss | None = None,
    lengths: Tensor | Sequence[int] | None = None,
    times: Iterable[int] | None = None,
    layer: str | None = None,
    compare: bool = True,
) -> GradientFlow:
    """Measure ‖∂L_t/∂s_s‖ for every loss time t, step s, layer and direction, and judge it.

    The method: the model runs once, its cells step by step, in float64 on a copy of the model (in
    its own dtype where it cannot be copied); then many losses' gradients go back through that graph
    at once. It costs about n backward passes for n loss times, and some Jacobians of single steps.
    What is measured is the whole gradient: a layer's `truncate` and `clip_state_grad` are left out.
    The model, its gradients, buffers and mode, and the random numbers are left as they were.

    Args:
        model: any module that is called as `model(x)` and runs a `Recurrent` or an RNN, LSTM or
            GRU of recurra or torch.nn. It is measured in the mode it is in.
        x: what the model takes.
        y: the targets, or None.
        loss: called as `loss(out)`, or `loss(out, y)` if y is given, with what the model returns
            (of a tuple the first item). It returns one loss a step, (T,), or (T, B), which is
            summed over B, whatever order the layer's axes have; or a scalar, the loss of the last
            step. None takes cross entropy for classes y (whole numbers), the squared error (mean
            over features) for other y, and ½‖out_t‖² without y. A model that returns (B, ...) has
            one loss, at the last step, which in direction 1 is step 0. Where T = B, the layer's
            `batch_first` says which axis of out is time.
        lengths: (B,), each row's steps, passed on as `model(x, lengths=lengths)`.
        times: the loss times t to measure, from 0 to T - 1. None takes all if T <= 128, else 32
            spread evenly with the last.
        layer: the name in the model of the layer to measure; None for all, as one stack.
        compare: whether an LSTM with forget bias 1 of the same sizes is measured on the first
            layer's input (loss ½‖h_t‖²), unless the cell is one.

    Raises `ArgumentError` where no recurrent layer runs, the loss depends on no state, or losses or
    gradients are not finite; `ShapeError` for no steps or rows and for a loss of another shape.
    """
    if not isinstance(model, nn.Module):
        raise ArgumentTypeError(f"model must be a torch.nn.Module, got {type(model).__name__}.")
    with undisturbed(model):
        seen = observe(model, x, y, loss, lengths, layer)
        chosen = _times(times, len(seen.losses), seen.flat[0].T)
        norms = flow_norms(seen.losses, chosen, seen.flat)
        paths = [path_norms(run) for run in seen.flat]
        some = _spread(chosen, _CONTRIBUTION_TIMES)
        parts = contributions(seen.losses, some, seen.flat, seen.model)
        lstm_rate = None
        if compare and not _is_lstm_that_remembers(seen.flat[0]):
            lstm_rate = _rate_of_lstm(seen.flat[0], times)
    notes = (*_notes(seen, chosen, paths), f"contributions: of {_losses(len(some))}")
    return _record(seen, chosen, norms, paths, parts, lstm_rate, notes)


def _record(
    seen: Observation,
    times: tuple[int, ...],
    norms: list[dict[str, Array]],
    paths: list[Path],
    parts: dict[str, Array],
    lstm_rate: float | None,
    notes: tuple[str, ...],
) -> GradientFlow:
    first, shape = seen.flat[0], (len(seen.runs), len(seen.runs[0]))
    T = first.T
    whole = [of[""] for of in norms]
    rates, shares, means, ways = [], [], [], []
    for run, of in zip(seen.flat, whole, strict=True):
        froms = begins(times, len(seen.losses), T, run.reverse)
        *factors, way = rate_a_step(of, froms, run.reverse, seen.losses.dtype)
        rates.append(factors)
        ways.append(way)
        shares.append(arriving(of, froms, run.reverse))
        means.append(mean_by_distance(list(by_distance(of, froms, run.reverse)), T))
    rate, low, high = np.array(rates).T.reshape(3, *shape)
    arrives = np.array(shares).reshape(*shape, T)
    mean_norms = np.array(means).reshape(*shape, T)
    underflow = {name: first_outside(mean_norms, rate, dtype) for name, dtype in FORMATS.items()}
    along = {
        name: np.array([getattr(path, name) for path in paths]).reshape(*shape, T)
        for name in ("local", "product", "bound")
    }
    return GradientFlow(
        cell=_cell_name(seen.flat),
        layers=shape[0],
        directions=shape[1],
        state_names=first.names,
        T=T,
        B=first.B,
        times=times,
        norms=np.array(whole).reshape(*shape, len(times), T),
        state_norms={
            name: np.array([of[name] for of in norms]).reshape(*shape, len(times), T)
            for name in first.names
        },
        **along,
        rate=rate,
        rate_low=low,
        rate_high=high,
        arrives=arrives,
        contributions=parts,
        underflow=underflow,
        verdict=verdict(arrives, rate, low, high, underflow, lstm_rate),
        lstm_rate=lstm_rate,
        notes=(*notes, *_INTERVALS[ways[0]]),
    )


_INTERVALS = {
    "bootstrap": ("interval: bootstrap over loss times, 1,000 resamples",),
    "squares": ("interval: least squares' standard error",),
    "none": (),
}


def _notes(seen: Observation, times: tuple[int, ...], paths: list[Path]) -> tuple[str, ...]:
    first = seen.flat[0]
    losses = f"losses: at {len(times)} of {first.T} steps, from step {times[0]} to {times[-1]}"
    if len(seen.losses) < first.T:
        losses = f"loss: one, at the last of {first.T} steps"
    dtype = str(first.left[0][0].dtype).removeprefix("torch.")
    on = (
        "on a copy of the model"
        if seen.double
        else "as the model gave no copy in float64 that runs"
    )
    rows = paths[0].rows
    how = "whole" if paths[0].whole else "by Lanczos' method"
    return (
        losses,
        f"computed in {dtype}, {on}",
        f"Jacobians: {how}, of {rows} {'row' if rows == 1 else 'rows'} out of {first.B}",
    )


def _losses(n: int) -> str:
    return "1 loss" if n == 1 else f"{n} losses"


def _times(times: Iterable[int] | None, losses: int, T: int) -> tuple[int, ...]:
    if losses < T:
        possible: tuple[int, ...] = (T - 1,)
    else:
        possible = tuple(range(T))
    if times is None:
        return possible if T <= _ALL_TIMES else _spread(possible, _SOME_TIMES)
    chosen = tuple(dict.fromkeys(int(t) for t in times))
    wrong = [t for t in chosen if t not in possible]
    if wrong or not chosen:
        raise ArgumentError(
            f"times must be steps that have a loss, {possible[0]} to {possible[-1]}; got "
            f"{wrong[0] if wrong else 'none'}."
        )
    return tuple(sorted(chosen))


def _spread(times: tuple[int, ...], most: int) -> tuple[int, ...]:
    """Return at most so many of the times, evenly spread, with the last."""
    if len(times) <= most:
        return times
    places = np.linspace(0, len(times) - 1, most + 1)[1:].round().astype(int)
    return tuple(times[k] for k in places)


def _cell_name(runs: Sequence[Run]) -> str:
    kinds = dict.fromkeys(type(getattr(run.cell, "module", run.cell)).__name__ for run in runs)
    return " + ".join(kinds)


def _is_lstm_that_remembers(run: Run) -> bool:
    """Return whether the cell is an LSTM whose forget gates lean to 1 before they see anything."""
    cell = run.cell
    if not isinstance(cell, cells.LSTM) or cell.squash_cell or cell.gates.bias_ih is None:
        return False
    assert cell.gates.bias_hh is not None
    bias = (cell.gates.bias_ih + cell.gates.bias_hh).chunk(4)[1]
    return float(bias.detach().mean()) >= 0.5


def _rate_of_lstm(run: Run, times: Iterable[int] | None) -> float:
    """Return the factor a step of an LSTM with forget bias 1 of a run's sizes, on its input."""
    torch.manual_seed(0)
    lstm = Recurrent("lstm", run.x[0].shape[-1], max(run.sizes))
    x = torch.stack([step.detach().cpu() for step in run.x])
    seen = observe(lstm, x, None, None, run.lengths, None)
    chosen = _times(times, len(seen.losses), run.T)
    return rate_a_step(flow_norms(seen.losses, chosen, seen.flat)[0][""], chosen, False)[0]
