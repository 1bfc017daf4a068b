"""The machine as operations of torch, for torch.compile: a graph holds them as single nodes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from itertools import count
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from recurra.backends import dynamo_guards, eager, kernels, native
from recurra.backends.compiled import Way
from recurra.backends.interpret import set_up
from recurra.backends.native import Job, Kind
from recurra.backends.prepare import Prepared, prepare_anew
from recurra.backends.rows import deal
from recurra.backends.steps import State, SteppedCell, Steps, check_range
from recurra.program.trace_leaves import Held, Read
from recurra.program.trace_watch import GLOBAL_HOOKS, HOOKS

# What graphs name by number; a number never means another. A cell's programs live as long as it
# (no graph with its weights' guards lives longer); kinds, which exported graphs name, for good.
_cells: WeakValueDictionary[int, "_Known"] = WeakValueDictionary()
_kinds: dict[int, Kind] = {}
_counter = count()


@dataclass(frozen=True, eq=False)
class _Known:
    """A cell's program and the names of its weights."""

    prepared: Prepared
    names: tuple[str, ...]
    number: int


def run(cell: SteppedCell, steps: Steps) -> tuple[Tensor, State]:
    """Run a cell where torch.compile traces the call: as one operation, or as the eager loop."""
    assert isinstance(cell, nn.Module)
    if torch.compiler.is_exporting() and torch.compiler.is_dynamo_compiling():
        return eager.run(cell, steps)  # torch's strict export misplaces what the operation reads
    if _hooks(cell) or not _suits(steps):
        masked = steps.lengths is not None or steps.restart is not None
        lowers = torch.is_autocast_enabled("cpu") and not masked and steps.clip_states is None
        # Of what dtype torch's kernels are in autocast, torch's own graphs do not know.
        if not lowers or not _has_kernel(cell):
            return eager.run(cell, steps)
        out, state = _run_in_python(cell, steps)
        return out, state
    number = _number(cell, steps.x.dtype) + 0  # the sum is a number to the tracer
    if number < 0:
        return eager.run(cell, steps)
    graph = dynamo_guards.graph_here()
    dynamo_guards.step(graph, cell, steps.x, *steps.state)
    if dynamo_guards.graph_here() != graph:
        out, state = _run_in_python(cell, steps)
        return out, state
    weights = [*cell.parameters(), *cell.buffers()]
    fresh = [] if steps.restart is None else list(steps.fresh)
    out, *last = _in_graph(
        number, steps.x, list(steps.state), fresh, weights,
        [t for t in (steps.lengths,) if t is not None],
        [t for t in (steps.restart,) if t is not None], steps.reverse,
        [] if steps.clip_states is None else [steps.clip_states],
    )  # fmt: skip
    return out, tuple(last)


def _hooks(cell: nn.Module) -> int:
    """Return how many hooks a cell's call runs, read so that the tracer sees their number.

    It does not where it finds them as attributes: it takes it that none is added.
    """
    found = sum(len(getattr(nn.modules.module, name)) for name in GLOBAL_HOOKS)
    for part in cell.modules():
        own = vars(part)
        found += sum([len(own[name]) for name in HOOKS])
    return found


def _suits(steps: Steps) -> bool:
    """Return whether the operation computes what the eager loop would."""
    x = steps.x
    return (
        x.device.type == "cpu"
        and x.dtype in (torch.float32, torch.float64)
        and 0 not in x.shape
        and not torch.is_autocast_enabled("cpu")
        and not dynamo_guards.transforms_here()
        and all(t.dtype == x.dtype and t.device == x.device for t in (*steps.state, *steps.fresh))
    )


@torch._dynamo.assume_constant_result  # type: ignore[untyped-decorator]
def _has_kernel(cell: SteppedCell) -> bool:
    """Return whether torch's kernel runs the cell where no compiler is, as it does in autocast."""
    return kernels.refusal(cell, Steps(torch.zeros(1, 1, 1), ())) is None


@partial(
    torch.compiler.disable,
    reason="the cell's code, or torch's kernel under autocast, runs in Python only: "
    "compile without fullgraph=True",
)
def _run_in_python(cell: SteppedCell, steps: Steps) -> tuple[Tensor, State]:
    from recurra.backends.choose import choose  # which imports this module

    return choose(cell, steps)(cell, steps)


@torch._dynamo.assume_constant_result  # type: ignore[untyped-decorator]
def _number(cell: SteppedCell, dtype: torch.dtype) -> int:
    """Return the number of the cell's program for x of `dtype`, -1 where it has none.

    It is traced anew: that it still holds is for the tracer's guards to say, and no one else.
    """
    prepared = prepare_anew(cell, dtype)
    if isinstance(prepared, str) or holds_tensors(prepared):
        return -1
    assert isinstance(cell, nn.Module)
    names = tuple(name for name, _ in (*cell.named_parameters(), *cell.named_buffers()))
    with cell.programs.lock:
        for known in cell.programs.graphs:
            if known.names == names and known.prepared.traced == prepared.traced:
                return int(known.number)
        known = _Known(prepared, names, next(_counter))
        cell.programs.graphs.append(known)
        _cells[known.number] = known
    return known.number


def holds_tensors(prepared: Prepared) -> bool:
    """Return whether the cell computes with a tensor that it has not registered.

    No guard is on which tensor it is: where another takes its place, the graph would not see it.
    """
    recipe = prepared.traced.recipe
    steps = (recipe.steps[node] for node in recipe.order)
    return any(
        isinstance(step, Read) or (isinstance(step, Held) and not step.made) for step in steps
    )


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
    known = _cells[number]
    prepared = known.prepared
    by_name = dict(zip(known.names, weights, strict=True))
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
    results: list[Tensor] = torch.ops.recurra.forward(tensors, *masks, number_of(kind))
    return results[:-1]


@lru_cache(256)
def number_of(kind: Kind) -> int:
    """Return the number of a kind, made of all that it says.

    It is the same in every process: torch keeps compiled graphs on disk, with their numbers.
    """
    own = [getattr(kind, field.name) for field in fields(kind) if field.name != "compiled"]
    told = repr((kind.compiled.program, own)).encode()
    number = int.from_bytes(hashlib.sha256(told).digest()[:8]) >> 2
    _kinds.setdefault(number, kind)
    return number


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
