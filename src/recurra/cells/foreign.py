"""Modules that were never written for Recurra, taken as cells."""

import inspect
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from recurra.cells.cell import Cell, State
from recurra.errors import ArgumentError, ShapeError

StateSizes = Mapping[str, int] | Sequence[str]


class TorchForm(Cell):
    """A module in the form of `torch.nn.LSTMCell`: `forward(x, state) -> new state`.

    The first state is the output. `state` is the tensor itself where there is only one.
    """

    def __init__(self, module: nn.Module, input_size: int, state_sizes: Mapping[str, int]) -> None:
        super().__init__(input_size, state_sizes)
        self.module = module

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), states (B, size) -> the first new state, every new state."""
        new = self.module(x, state if len(state) > 1 else state[0])
        new_state: State = (new,) if isinstance(new, Tensor) else tuple(new)
        return new_state[0], new_state


class CellForm(Cell):
    """A module of the user's own in the form of `Cell`: `forward(x, *state)`."""

    def __init__(
        self,
        module: nn.Module,
        input_size: int,
        state_sizes: Mapping[str, int],
        output_size: int,
    ) -> None:
        super().__init__(input_size, state_sizes, output_size)
        self.module = module

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, State]:
        """Step once: x (B, I), states (B, size) -> output, every new state."""
        output, new = self.module(x, *state)
        return output, (new,) if isinstance(new, Tensor) else tuple(new)


def adapt(
    module: nn.Module,
    input_size: int,
    hidden_size: int,
    state_sizes: StateSizes | None = None,
) -> Cell:
    """Return `module` as a `Cell`, its form found by one step on zeros.

    `state_sizes` (or the module's attribute of that name) gives each state's name and size, or
    the names alone where every size is `hidden_size`.
    Raises `ArgumentError` when neither is there, `ShapeError` when the step fails.
    """
    given = getattr(module, "state_sizes", None) if state_sizes is None else state_sizes
    if given is None:
        raise ArgumentError(
            f"what state {type(module).__name__} carries is not known: give the module an "
            'attribute state_sizes = {"h": hidden_size, ...}, or pass state_sizes= .'
        )
    sizes = dict(given) if isinstance(given, Mapping) else dict.fromkeys(given, hidden_size)
    x, *state = zeros_for(module, input_size, sizes)
    if len(sizes) == 1 or _positional(module) > 2:
        result = probe(module, x, *state)
        if isinstance(result, tuple) and len(result) == 2 and isinstance(result[0], Tensor):
            output_size = result[0].shape[-1] if result[0].dim() else 1
            return CellForm(module, input_size, sizes, output_size)
    return TorchForm(module, input_size, sizes)


def _positional(module: nn.Module) -> float:
    kinds = [p.kind for p in inspect.signature(module.forward).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return float("inf")
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(kind in positional for kind in kinds)


def zeros_for(module: nn.Module, input_size: int, sizes: Mapping[str, int]) -> list[Tensor]:
    """Return an input and states for a batch of 2, where the module's parameters are."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    return [like.new_zeros(2, size) for size in (input_size, *sizes.values())]


def probe(module: nn.Module, *inputs: Tensor) -> object:
    """Step once, leaving the module's mode and the random numbers as they were."""
    modes = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            return module(*inputs)
    except Exception as error:
        shapes = ", ".join(str(tuple(i.shape)) for i in inputs)
        name = type(getattr(module, "module", module)).__name__
        raise ShapeError(f"{name} failed on one step with inputs of {shapes}: {error}") from error
    finally:
        for m, training in modes.items():
            m.training = training
