"""The machine as operations of torch, for torch.compile: a graph holds them as single nodes."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recurra.backends import eager, native
from recurra.backends.compiled import Compiled, Way
from recurra.backends.interpret import set_up
from recurra.backends.native import Job
from recurra.backends.prepare import Prepared, prepare
from recurra.backends.rows import deal
from recurra.backends.steps import State, SteppedCell, Steps, check_range

# What graphs name by number. They are held for good: a number must never mean another program.
_prepared: dict[int, Prepared] = {}
_names: dict[int, list[str]] = {}
_compiled: dict[int, Compiled] = {}


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
    )  # fmt: skip
    return out, tuple(last)


@torch._dynamo.assume_constant_result  # type: ignore[untyped-decorator]
def _number(cell: SteppedCell, dtype: torch.dtype) -> int:
    """Return the number of the cell's program for x of `dtype`, -1 where it has none."""
    prepared = prepare(cell, dtype)
    if isinstance(prepared, str):
        return -1
    assert isinstance(cell, nn.Module)
    _prepared[id(prepared)] = prepared
    _names[id(prepared)] = [n for n, _ in (*cell.named_parameters(), *cell.named_buffers())]
    _compiled[id(prepared.compiled)] = prepared.compiled
    return id(prepared)


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
) -> list[Tensor]:
    prepared = _prepared[number]
    by_name = dict(zip(_names[number], weights, strict=True))
    made = set_up(prepared.compiled.program, prepared.traced.leaves(by_name))
    T, B, _ = x.shape
    draws = [random.draw(T, B, x) for random in prepared.traced.randoms]
    tensors = [x, *draws, *state, *fresh, *made.values()]
    gradients = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    masks = [*(lengths or [None]), *(restart or [None])]  # type: ignore[list-item]
    results: list[Tensor] = torch.ops.recurra.forward(
        tensors, *masks, id(prepared.compiled), len(draws), len(state),
        list(made), reverse, gradients, gradients and x.requires_grad,
    )  # fmt: skip
    return results[:-1]


def _job(
    tensors: Sequence[Tensor],
    lengths: Tensor | None,
    restart: Tensor | None,
    program: int,
    draws: int,
    states: int,
    weights: Sequence[int],
    reverse: bool,
    gradients: bool,
    dx: bool,
) -> Job:
    if lengths is not None:
        check_range(lengths, tensors[0].shape[0])
    way = Way(gradients, dx, restart is not None)
    rows = deal(tensors[0].shape[1], lengths, torch.get_num_threads())
    return Job(
        _compiled[program], way, tuple(weights), states, draws, lengths, restart, reverse, rows,
        clean=gradients,
    )  # fmt: skip


@torch.library.custom_op("recurra::forward", mutates_args=())
def forward(
    tensors: Sequence[Tensor],
    lengths: Tensor | None,
    restart: Tensor | None,
    program: int,
    draws: int,
    states: int,
    weights: Sequence[int],
    reverse: bool,
    gradients: bool,
    dx: bool,
) -> list[Tensor]:
    """Return outputs, last states and what is kept for the backward pass."""
    job = _job(tensors, lengths, restart, program, draws, states, weights, reverse, gradients, dx)
    out, last, kept = native.forward(job, tensors)
    return [out, *last, kept]


@forward.register_fake
def _(
    tensors: Sequence[Tensor],
    lengths: Tensor | None,
    restart: Tensor | None,
    program: int,
    draws: int,
    states: int,
    weights: Sequence[int],
    reverse: bool,
    gradients: bool,
    dx: bool,
) -> list[Tensor]:
    compiled, x = _compiled[program], tensors[0]
    T, B, _ = x.shape
    last = tensors[1 + draws : 1 + draws + states]
    out = x.new_empty(T, B, compiled.program.values[compiled.program.outputs[0]].size)
    lowered = compiled.forward(Way(gradients, dx, restart is not None))
    size = native.kept_bytes(lowered, T, B, x.element_size()) if gradients else 0
    kept = x.new_empty(size, dtype=torch.uint8)
    return [out, *(s.new_empty(s.shape) for s in last), kept]


@torch.library.custom_op("recurra::backward", mutates_args=())
def backward(
    tensors: Sequence[Tensor],
    kept: Tensor,
    gradients: Sequence[Tensor],
    lengths: Tensor | None,
    restart: Tensor | None,
    program: int,
    draws: int,
    states: int,
    weights: Sequence[int],
    reverse: bool,
    dx: bool,
) -> list[Tensor]:
    """Return the gradient of each tensor that has one, in their order."""
    job = _job(tensors, lengths, restart, program, draws, states, weights, reverse, True, dx)
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
    program: int,
    draws: int,
    states: int,
    weights: Sequence[int],
    reverse: bool,
    dx: bool,
) -> list[Tensor]:
    places = _with_gradient(_compiled[program], len(tensors), draws, weights, dx)
    return [tensors[i].new_empty(tensors[i].shape) for i in places]


def _with_gradient(
    compiled: Compiled, tensors: int, draws: int, weights: Sequence[int], dx: bool
) -> list[int]:
    """Return which of the tensors `backward` gives gradients of."""
    adjoint = compiled.adjoint(dx)
    first = tensors - len(weights)
    rows = [0] if adjoint.inputs else []
    return [
        *rows, *range(1 + draws, first),
        *(first + i for i, value in enumerate(weights) if value in adjoint.weights),
    ]  # fmt: skip


def _keep(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    tensors, lengths, restart, *ctx.rest = inputs
    ctx.masks = (lengths, restart)
    ctx.save_for_backward(*tensors, output[-1])


def _back(ctx, gradients):  # type: ignore[no-untyped-def]
    *tensors, kept = ctx.saved_tensors
    program, draws, states, weights, reverse, _, dx = ctx.rest
    found = torch.ops.recurra.backward(
        tensors, kept, gradients[:-1], *ctx.masks, program, draws, states, weights, reverse, dx
    )
    every: list[Tensor | None] = [None] * len(tensors)
    places = _with_gradient(_compiled[program], len(tensors), draws, weights, dx)
    for place, d in zip(places, found, strict=True):
        every[place] = d
    return every, None, None, *[None] * len(ctx.rest)


forward.register_autograd(_back, setup_context=_keep)
