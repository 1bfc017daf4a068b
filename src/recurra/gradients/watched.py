"""Runs of the cells inside a model, with every step's own tensors kept apart in the graph."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call

from recurra.backends import Record, State
from recurra.cells.cell import Cell
from recurra.errors import ArgumentError, ShapeError
from recurra.layers import GRU, LSTM, RNN, Recurrent

# torch's own layers, and ours with the same parameters, which can be looked into.
_DROP_INS: tuple[tuple[type[nn.RNNBase], type[nn.RNNBase]], ...] = (
    (nn.LSTM, LSTM),
    (nn.GRU, GRU),
    (nn.RNN, RNN),
)
# What is measured is the whole gradient; and segments would be run again, unseen, going backward.
_LEFT_OUT = {"checkpoint": False, "truncate": None, "clip_state_grad": None}
LOOKED_FOR = "recurra.Recurrent, and RNN, LSTM and GRU of recurra or torch.nn"


@dataclass(frozen=True)
class Owner:
    """A recurrent layer of the model: its name there ("" for the model itself) and its form."""

    name: str
    directions: int
    batch_first: bool


class Watched:
    """A cell that keeps what enters its steps, to be run once over time.

    weights: by call, each parameter's alias for that step alone, so that the gradient of an alias
    is the part of the parameter's that comes through that step.
    """

    def __init__(self, cell: Cell, owner: Owner, call: object) -> None:
        self.cell, self.owner, self.call = cell, owner, call
        self.input_size, self.output_size = cell.input_size, cell.output_size
        self.entered: list[tuple[Tensor, State]] = []
        self.weights: list[dict[str, Tensor]] = []

    def __call__(self, x: Tensor, *state: Tensor) -> tuple[Tensor, State]:
        """Step once."""
        weights = {
            name: w.view_as(w) if w.requires_grad else w for name, w in self.cell.named_parameters()
        }
        self.entered.append((x, state))
        self.weights.append(weights)
        output, new = functional_call(self.cell, weights, (x, *_in_graph(x, weights, state)))
        kept = tuple(_of_this_step(s, state) for s in new)
        for before, after in zip(new, kept, strict=True):
            if output is before:
                output = after
        return output, kept


def _in_graph(x: Tensor, weights: dict[str, Tensor], state: State) -> State:
    """Return the state that enters a step; where nothing has a gradient yet, it has.

    What a state that leaves the step sends through another one of the step (an LSTM's c through h)
    would be lost else: at the first step of a frozen cell.
    """
    if not torch.is_grad_enabled() or any(t.requires_grad for t in (x, *state, *weights.values())):
        return state
    return tuple(s.detach().requires_grad_() for s in state)


def _of_this_step(s: Tensor, entered: State) -> Tensor:
    """Return a state that leaves a step as a tensor of that step alone, in the graph."""
    if any(s is other for other in entered):  # else its gradient would hold the other step's too
        s = s.view_as(s)
    if torch.is_grad_enabled() and not s.requires_grad:
        s = s.detach().requires_grad_()
    return s


@dataclass(frozen=True)
class Run:
    """A cell's run over time in one direction.

    x: by step, (B, I); entered, left: by step, the state before and after, each (B, size);
    weights: by step, as `Watched` has them; lengths: (B,) or None; reverse: from T - 1 to 0.
    """

    owner: Owner
    cell: Cell
    x: tuple[Tensor, ...]
    entered: tuple[State, ...]
    left: tuple[State, ...]
    weights: tuple[dict[str, Tensor], ...]
    lengths: Tensor | None
    reverse: bool

    @property
    def T(self) -> int:  # noqa: N802
        """The steps."""
        return len(self.x)

    @property
    def B(self) -> int:  # noqa: N802
        """The rows."""
        return int(self.x[0].shape[0])

    @property
    def names(self) -> tuple[str, ...]:
        """The states' names."""
        return tuple(self.cell.state_sizes)

    @property
    def sizes(self) -> list[int]:
        """The states' sizes."""
        return [int(s.shape[-1]) for s in self.left[0]]

    def valid(self) -> Tensor:
        """Return (T, B): whether a row has that step."""
        if self.lengths is None:
            return torch.ones(self.T, self.B, dtype=torch.bool)
        return torch.arange(self.T).unsqueeze(1) < self.lengths.cpu()


@contextmanager
def watching(model: nn.Module) -> Iterator[None]:
    """Let every recurrent layer in the model run its cells as `Watched`, in the block only.

    torch.nn's layers run as Recurra's meanwhile: the parameters are the same.
    """
    undo: list[Callable[[], None]] = []
    try:
        for name, module in model.named_modules():
            if isinstance(module, Recurrent):
                owner = Owner(name, module.directions, module.batch_first)
                for option, off in _LEFT_OUT.items():
                    undo.append(partial(setattr, module, option, getattr(module, option)))
                    setattr(module, option, off)
                undo.append(_instead(module, "cell_list", owner))
            elif isinstance(module, nn.RNN | nn.LSTM | nn.GRU):
                undo.append(partial(setattr, module, "__class__", type(module)))
                setattr(module, "__class__", _look_into(type(module)))  # noqa: B010 - for mypy
                owner = Owner(name, 1 + module.bidirectional, module.batch_first)
                undo.append(_instead(module, "_cells", owner))
        yield
    finally:
        for each in reversed(undo):
            each()


def _look_into(kind: type[nn.RNNBase]) -> type[nn.RNNBase]:
    """Return the class that runs as Recurra's layer and is otherwise a layer of this class."""
    for theirs, ours in _DROP_INS:
        if issubclass(kind, ours):
            return kind
        if kind is theirs:
            return ours
        if issubclass(kind, theirs):  # the user's own: its super().forward is then ours
            return type(kind.__name__, (kind, ours), {})
    raise AssertionError(kind)


def _instead(module: nn.Module, method: str, owner: Owner) -> Callable[[], None]:
    """Let a method of this one module that returns cells return them watched; return the undo."""
    cells: Callable[..., list[Cell]] = getattr(module, method)

    def watched(*given: object) -> list[Watched]:
        call = object()
        return [Watched(cell, owner, call) for cell in cells(*given)]

    vars(module)[method] = watched
    return lambda: vars(module).pop(method, None)


def runs_of(records: list[Record], model: nn.Module, layer: str | None) -> list[list[Run]]:
    """Return the runs of the layers that are measured, by layer and direction.

    layer: the name in the model of the one to take; all that ran if None.
    Raises `ArgumentError` where none ran, or where they cannot be measured as one stack.
    """
    calls: dict[Owner, dict[object, list[Run]]] = {}
    for record in records:
        if isinstance(cell := record.cell, Watched):
            calls.setdefault(cell.owner, {}).setdefault(cell.call, []).append(_run(record, cell))
    stacks = {owner: _joined(owner, list(of.values())) for owner, of in calls.items()}
    _check_found(stacks, model, layer)
    chosen = {o: runs for o, runs in stacks.items() if layer is None or o.name == layer}
    forms = {(o.directions, r.T, r.B, r.names) for o, runs in chosen.items() for r in runs}
    if len(forms) > 1:
        raise ArgumentError(
            f"the layers {_listed(chosen)} differ in states, directions, steps or rows and cannot "
            "be measured as one stack: name one of them, as layer=" + repr(next(iter(chosen)).name)
        )
    return [
        runs[k : k + owner.directions]
        for owner, runs in chosen.items()
        for k in range(0, len(runs), owner.directions)
    ]


def _check_found(stacks: dict[Owner, list[Run]], model: nn.Module, layer: str | None) -> None:
    if not stacks:
        raise ArgumentError(
            f"no recurrent layer ran in {type(model).__name__}: looked for {LOOKED_FOR}. A loop "
            "of the model's own over a cell cannot be seen into: run the cell by "
            "recurra.Recurrent(cell, input_size, hidden_size)."
        )
    if layer is not None and all(owner.name != layer for owner in stacks):
        raise ArgumentError(f"layer={layer!r} did not run; those that did: {_listed(stacks)}.")


def _listed(owners: dict[Owner, list[Run]]) -> str:
    return ", ".join(repr(owner.name) for owner in owners)


def _run(record: Record, watched: Watched) -> Run:
    steps = record.steps
    T, B, _ = steps.x.shape
    if T == 0 or B == 0:
        what = "no steps (T = 0)" if T == 0 else "an empty batch (B = 0)"
        raise ShapeError(f"there is no gradient to measure: x has {what}.")
    order = slice(None, None, -1) if steps.reverse else slice(None)
    return Run(
        watched.owner,
        watched.cell,
        tuple(x for x, _ in watched.entered[order]),
        tuple(state for _, state in watched.entered[order]),
        tuple(record.states[t] for t in sorted(record.states)),
        tuple(watched.weights[order]),
        steps.lengths,
        steps.reverse,
    )


def _joined(owner: Owner, calls: list[list[Run]]) -> list[Run]:
    """Return the runs of a layer; calls of which each goes on where the last ended are one run.

    Raises `ArgumentError` for other calls.
    """
    first, *others = calls
    for after in others:
        pairs = list(zip(first, after, strict=True))
        if not all(_goes_on(a, b) for a, b in pairs):
            raise ArgumentError(
                f"the layer {owner.name!r} ran {len(calls)} times, and not each time from the "
                "state the last had ended in: measure a model that runs it once."
            )
        first = [
            replace(
                a,
                x=a.x + b.x,
                entered=a.entered + b.entered,
                left=a.left + b.left,
                weights=a.weights + b.weights,
            )
            for a, b in pairs
        ]
    return first


def _goes_on(a: Run, b: Run) -> bool:
    plain = not a.reverse and a.lengths is None and b.lengths is None
    return (
        plain
        and a.B == b.B
        and all(
            torch.equal(end, start) for end, start in zip(a.left[-1], b.entered[0], strict=True)
        )
        and any(start.requires_grad for start in b.entered[0])
    )
