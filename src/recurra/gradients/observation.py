"""One run of a model, looked into: its losses and its cells' states in one graph."""

import inspect
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from recurra.backends import recording
from recurra.errors import ArgumentError
from recurra.gradients.step_losses import Loss, step_losses
from recurra.gradients.undisturbed import converted, in_float64
from recurra.gradients.watched import Run, runs_of, watching


@dataclass(frozen=True)
class Observation:
    """What one run of a model left.

    losses: (T,), or (1,) for the last step alone; runs: by layer and direction;
    model: what ran, the model itself or its copy; double: whether it is a copy in float64.
    """

    losses: Tensor
    runs: list[list[Run]]
    model: nn.Module
    double: bool

    @property
    def flat(self) -> list[Run]:
        """The runs of layer 0 forward, layer 0 backward, layer 1 forward, ..."""
        return [run for of_layer in self.runs for run in of_layer]


def observe(
    model: nn.Module,
    x: Any,
    y: Any,
    loss: Loss | None,
    lengths: Tensor | Sequence[int] | None,
    layer: str | None,
) -> Observation:
    """Run the model on x and return its losses and its cells' runs, in one graph.

    It is a copy in float64 that runs; where it cannot be made or fails, the model itself.
    """
    _check_lengths_taken(model, lengths)
    copy = in_float64(model)
    if copy is not None:
        try:
            return _observe(copy, True, x, y, loss, lengths, layer)
        except Exception:  # of a model that mixes dtypes; what is wrong anyway is raised again
            pass
    return _observe(model, False, x, y, loss, lengths, layer)


def _observe(
    model: nn.Module,
    double: bool,
    x: Any,
    y: Any,
    loss: Loss | None,
    lengths: Tensor | Sequence[int] | None,
    layer: str | None,
) -> Observation:
    x, y, loss = (converted(value, double) for value in (x, y, loss))
    options = {} if lengths is None else {"lengths": lengths}
    with watching(model), recording() as records, _uncompiled(model):
        out = model(x, **options)
    runs = runs_of(records, model, layer)
    first = runs[0][0]
    losses, _ = step_losses(out, y, loss, first.T, first.B, first.owner.batch_first)
    return Observation(losses, runs, model, double)


def observe_states(layer: nn.Module, x: Tensor) -> Observation:
    """Run a layer without a graph, as `observe` does; there are no losses."""
    model = in_float64(layer)
    double = model is not None
    model = layer if model is None else model
    with torch.no_grad(), watching(model), recording() as records, _uncompiled(model):
        model(converted(x, double))
    return Observation(torch.empty(0), runs_of(records, model, None), model, double)


def _uncompiled(model: nn.Module) -> AbstractContextManager[object]:
    """Return a context in which what torch.compile made of the model runs as it was written."""
    if any(hasattr(module, "_orig_mod") for module in model.modules()):
        stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
        return stance
    return nullcontext()


def _check_lengths_taken(model: nn.Module, lengths: object) -> None:
    if lengths is None:
        return
    parameters = inspect.signature(model.forward).parameters
    named = "lengths" in parameters
    if not named and all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
        raise ArgumentError(
            f"lengths was given, but {type(model).__name__}.forward takes no lengths=: let the "
            "model take it, or pass x as a PackedSequence."
        )
