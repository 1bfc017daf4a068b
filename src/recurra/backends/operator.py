"""The machine as operations of torch, for torch.compile: a graph holds them as single nodes."""

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from recurra.backends import eager, native
from recurra.backends.compiled import Way
from recurra.backends.interpret import set_up
from recurra.backends.native import Job, Kind
from recurra.backends.prepare import Prepared, prepare
from recurra.backends.rows import deal
from recurra.backends.steps import State, SteppedCell, Steps, check_range

# What graphs name by number. All are held for good: a number must never mean another.
_cells: list[tuple[Prepared, list[str]]] = []  # their programs, and their weights' names
_kinds: list[Kind] = []
_One = TypeVar("_One")


def run(cell: SteppedCell, steps: Steps) -> tuple[Tensor, State]:
    """Run a cell where torch.compile traces the call: as one operation, or as the eager loop."""
    x = steps.x
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return eager.run(cell, steps)
    number = _number(cell, x.dtype) + 0  # the sum is a number to the tracer, the result is not
    if number < 0:
        return eager.run(cell, steps)
    assert isinstance(cell, nn.Module)
    weights = [*cell.parameters(), *cell.buffers()]
    fresh = [] if steps.restart is None else list(steps.fresh)
    out, *last = _in_graph(
        number, steps.x, list(steps.state), fresh, weights,
        [t for t in (steps.lengths,) if t is not None],
        [t for t in (steps.restart,) if t is not None], steps.reverse,
        [] if steps.clip_states is None else [steps.clip_states],
    )  # fmt: skip
    return out, tuple(last)


@torch._dynamo.assume_constant_result  # type: ignore[untyped-decorator]
def _number(cell: SteppedCell, dtype: torch.dtype) -> int:
    """Return the number of the cell's program for x of `dtype`, -1 where it has none."""
    prepared = prepare(cell, dtype)
    if isinstance(prepared, str):
        return -1
    assert isinstance(cell, nn.Module)
    names = [name for name, _ in (*cell.named_parameters(), *cell.named_buffers())]
    return _place(_cells, (prepared, names))


@torch._dynamo.nonstrict_trace
def _in_graph(
    number: int,
    x: Tensor,
    state: list[Tensor],
    fresh: list[Tensor],
    weights: list[Tensor],
    lengths: list[Tensor],  # of one or none, for a graph takes no None
    restart: list[Tensor],
    reverse: bool,
    clip_states: list[float],
) -> list[Tensor]:
    prepared, names = _cells[number]
    by_name = dict(zip(names, weights, strict=True))
    made = set_up(prepared.compiled.program, prepared.traced.leaves(by_name))
    T, B, _ = x.shape
    draws = [random.draw(T, B, x) for random in prepared.traced.randoms]
    tensors = [x, *draws, *state, *fresh, *made.values()]
    gradients = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    way = Way(
        gradients, gradients and x.requires_grad, bool(restart), next(iter(clip_states), None)
    )
    kind = Kind(prepared.compiled, way, tuple(made), len(state), len(draws), reverse, gradients)
    masks = [*(lengths or [None]), *(restart or [None])]  # type: ignore[list-item]
    results: list[Tensor] = torch.ops.recurra.forward(tensors, *masks, _place(_kinds, kind))
    return results[:-1]


def _place(among: list[_One], one: _One) -> int:
    """Return where one stands in a list, added at its end if it is not yet there."""
    if one not in among:
        among.append(one)
    return among.index(one)


def _job(
    kind: int, tensors: Sequence[Tensor], lengths: Tensor | None, restart: Tensor | None
) -> Job:
    T, B, _ = tensors[0].shape
    if lengths is not None:
        check_range(lengths, T)
    return Job(_kinds[kind], lengths, restart, deal(B, lengths, torch.get_num_threads()))


@torch.library.custom_op("recurra::forward", mutates_args=())
def forward(
    tensors: Sequence[Tensor], lengths: Tensor | None, restart: Tensor | None, kind: int
) -> list[Tensor]:
    """Return outputs, last states and what is kept for the backward pass."""
    out, last, kept = native.forward(_job(kind, tensors, lengths, restart), tensors)
    return [out, *last, kept]


@forward.register_fake
def _(
    tensors: Sequence[Tensor], lengths: Tensor | None, restart: Tensor | None, kind: int
) -> list[Tensor]:
    this, x = _kinds[kind], tensors[0]
    T, B, _ = x.shape
    program, lowered = this.compiled.program, this.compiled.forward(this.way)
    out = x.new_empty(T, B, program.values[program.outputs[0]].size)
    last = (s.new_empty(s.shape) for s in tensors[1 + this.draws : 1 + this.draws + this.states])
    size = native.kept_bytes(lowered, T, B, x.element_size()) if this.way.gradients else 0
    return [out, *last, x.new_empty(size, dtype=torch.uint8)]


@torch.library.custom_op("recurra::backward", mutates_args=())
def backward(
    tensors: Sequence[Tensor],
    kept: Tensor,
    gradients: Sequence[Tensor],
    lengths: Tensor | None,
    restart: Tensor | None,
    kind: int,
) -> list[Tensor]:
    """Return the gradient of each tensor that has one, in their order."""
    job = _job(kind, tensors, lengths, restart)
    found = native.backward(job, tensors, kept, gradients)
    return [d.clone() if any(d is e for e in found[:i]) else d
            for i, d in enumerate(found) if d is not None]  # fmt: skip


@backward.register_fake
def _(
    tensors: Sequence[Tensor],
    kept: Tensor,
    gradients: Sequence[Tensor],
    lengths: Tensor | None,
    restart: Tensor | None,
    kind: int,
) -> list[Tensor]:
    return [tensors[i].new_empty(tensors[i].shape) for i in _places(_kinds[kind], len(tensors))]


def _places(kind: Kind, tensors: int) -> list[int]:
    """Return which of the tensors `backward` gives gradients of."""
    adjoint = kind.compiled.adjoint(kind.way)
    first = tensors - len(kind.weights)
    return [
        *([0] if adjoint.inputs else []), *range(1 + kind.draws, first),
        *(first + i for i, value in enumerate(kind.weights) if value in adjoint.weights),
    ]  # fmt: skip


def _keep(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    tensors, *ctx.masks, ctx.kind = inputs
    ctx.save_for_backward(*tensors, output[-1])


def _back(ctx, gradients):  # type: ignore[no-untyped-def]
    *tensors, kept = ctx.saved_tensors
    found = torch.ops.recurra.backward(tensors, kept, gradients[:-1], *ctx.masks, ctx.kind)
    every: list[Tensor | None] = [None] * len(tensors)
    for place, d in zip(_places(_kinds[ctx.kind], len(tensors)), found, strict=True):
        every[place] = d
    return every, None, None, None


forward.register_autograd(_back, setup_context=_keep)
