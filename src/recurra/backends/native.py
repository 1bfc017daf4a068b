"""The machine: a cell's program over time, forward and backward, in two calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recurra import _core
from recurra.backends import eager
from recurra.backends.clip import refuse_twice
from recurra.backends.compiled import Compiled, Way
from recurra.backends.for_each import for_each
from recurra.backends.interpret import constants, set_up, step
from recurra.backends.lowering import Lowered
from recurra.backends.memory import address, is_ordinary, plain
from recurra.backends.prepare import Prepared, leaves
from recurra.backends.rows import Rows, deal
from recurra.backends.steps import State, SteppedCell, Steps
from recurra.backends.window import by_age, for_each_age
from recurra.errors import BackendError

LINE = 64  # bytes: tapes begin on such a boundary
BLOCK_BYTES = 1 << 20  # what an adjoint keeps between two sums of gradients: it stays in cache


@dataclass(frozen=True)
class Kind:
    """What a run is, whatever its steps, rows and numbers."""

    compiled: Compiled
    way: Way
    weights: tuple[int, ...]
    states: int
    draws: int
    reverse: bool
    clean: bool = False  # whether what is kept is the same to the last unused byte


@dataclass(frozen=True)
class Job:
    """What a run is, besides its tensors that may need gradients."""

    kind: Kind
    lengths: Tensor | None
    restart: Tensor | None
    rows: Rows


def run(
    compiled: Compiled, weights: Mapping[int, Tensor], draws: Sequence[Tensor], steps: Steps
) -> tuple[Tensor, State]:
    """Run a compiled program.

    Args:
        compiled: the program and its plans.
        weights: its parameters and what its setup made of them, by their index.
        draws: (T, B, n), its inputs besides x.
        steps: x, state, lengths, restarts, direction.
    """
    fresh = () if steps.restart is None else steps.fresh
    tensors = (steps.x, *draws, *steps.state, *fresh, *weights.values())
    gradients = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    dx = gradients and steps.x.requires_grad
    way = Way(gradients, dx, steps.restart is not None, steps.clip_states, steps.window)
    lengths = None if steps.lengths is None else steps.lengths.to("cpu", torch.int64)
    rows = deal(steps.x.shape[-2], lengths, torch.get_num_threads())
    kind = Kind(compiled, way, tuple(weights), len(steps.state), len(draws), steps.reverse)
    job = Job(kind, lengths, steps.restart, rows)
    if not gradients:
        out, last, _ = forward(job, tensors)
        return for_each_age(out, steps.window), last
    out, *rest = _Recurrence.apply(job, *tensors)  # type: ignore[no-untyped-call]
    return out, tuple(rest)


def run_cell(prepared: Prepared, cell: SteppedCell, steps: Steps) -> tuple[Tensor, State]:
    """Run a cell whose program has been prepared."""
    weights = set_up(prepared.compiled.program, leaves(prepared, cell))
    x = by_age(steps.x)[0]
    T, B, _ = x.shape
    draws = [random.draw(T, B, x, cell) for random in prepared.traced.randoms]
    return run(prepared.compiled, weights, draws, steps)


def forward(job: Job, tensors: Sequence[Tensor]) -> tuple[Tensor, State, Tensor]:
    """Return outputs, last states and what was kept for the adjoint."""
    kind, x = job.kind, by_age(tensors[0])[0]
    lowered, program = kind.compiled.forward(kind.way), kind.compiled.program
    T, B, _ = x.shape
    call, inputs, weights = (
        _Call(job, T),
        (x, *tensors[1 : 1 + kind.draws]),
        _weights(kind, tensors),
    )
    states = tensors[1 + kind.draws : 1 + kind.draws + kind.states]
    fresh = tensors[1 + kind.draws + kind.states : len(tensors) - len(kind.weights)]
    block = T if kind.way.gradients else min(T, -(-_core.chunk_rows // job.rows.most))
    create = x.new_empty if job.lengths is None else x.new_zeros
    out = create(T, B, program.values[program.outputs[0]].size)
    last = tuple(s.new_empty(s.shape) for s in states)
    tapes = call.tapes(lowered, block, x)
    by_value = dict(zip(program.inputs, inputs, strict=True))
    call.set("loads", [by_value[v] for v in lowered.loads])
    call.parameters(lowered, weights)
    call.states(states, last)
    call.set("stores", [out])
    if job.restart is not None:
        call.set("fresh", fresh)
    call.go(lowered, x)
    return out, last, tapes


def backward(
    job: Job, tensors: Sequence[Tensor], tapes: Tensor, gradients: Sequence[Tensor]
) -> list[Tensor | None]:
    """Return the gradient of every tensor that `forward` was given, None where there is none."""
    compiled, way = job.kind.compiled, job.kind.way
    lowered, adjoint = compiled.backward(way), compiled.adjoint(way)
    program = adjoint.program
    x, (dout, *dlast) = by_age(tensors[0])[0], gradients
    T, B, _ = x.shape
    call, weights = _Call(job, T), _weights(job.kind, tensors)
    inputs = dict(zip(compiled.program.inputs, (x, *tensors[1:]), strict=False))
    saved = (inputs.get(v, x) for v in adjoint.saved)
    own = dict(zip(program.inputs, (*by_age(dout), *saved), strict=True))
    bytes_a_step = B * x.element_size() * sum(width for width, _ in lowered.tapes)
    block = max(1, min(T, max(8, BLOCK_BYTES // max(1, bytes_a_step))))
    call.tapes(lowered, block, x)
    create = x.new_empty if job.lengths is None else x.new_zeros
    dx = create(tensors[0].shape) if adjoint.inputs else None
    ages = 1 if way.window is None else way.window.ages
    dstates = [d.new_empty(ages, *d.shape) for d in dlast]
    dweights = [x.new_zeros(program.values[i.output].shape) for i in program.sums]
    dfresh = [d.new_zeros(d.shape) for d in dstates] if job.restart is not None else []
    offsets, _ = _tape_offsets(compiled.forward(way), T, B, x.element_size())
    first = address(tapes)
    call.call.saved = [first + o for o in offsets[: lowered.saved_count]]
    call.set("loads", [own[v] for v in lowered.loads])
    call.parameters(lowered, set_up(program, [weights[v] for v in adjoint.parameters]))
    later = [d.new_zeros(()).expand(d.shape) for d in dlast]
    call.states([*dlast, *later * (ages - 1)], [d[age] for age in range(ages) for d in dstates])
    call.set("stores", [] if dx is None else by_age(dx))
    call.sums(dweights, [d[age] for age in range(ages) for d in dfresh])
    call.go(lowered, x)
    by_weight: dict[int, Tensor] = {}
    for value, d in zip(adjoint.weights, dweights, strict=True):
        by_weight[value] = by_weight[value] + d if value in by_weight else d
    if ages > 1:
        dstates, dfresh = [d.sum(0) for d in dstates], [d.sum(0) for d in dfresh]
    else:
        dstates, dfresh = [d[0] for d in dstates], [d[0] for d in dfresh]
    return [
        dx, *[None] * job.kind.draws, *dstates, *dfresh,
        *(by_weight.get(v) for v in job.kind.weights),
    ]  # fmt: skip


def _weights(kind: Kind, tensors: Sequence[Tensor]) -> dict[int, Tensor]:
    return dict(zip(kind.weights, tensors[len(tensors) - len(kind.weights) :], strict=True))


class _Call:
    """A call of the machine, and the tensors that must live as long as it."""

    def __init__(self, job: Job, T: int) -> None:
        self.call, self.clean = _core.Call(), job.kind.clean
        self.alive: list[object] = [job]
        self.call.T, self.call.B = T, job.rows.bounds[-1]
        self.call.threads, self.call.reverse = torch.get_num_threads(), job.kind.reverse
        self.call.bounds = job.rows.bounds
        for name in ("row_of", "length_of", "position_of"):
            tensor = getattr(job.rows, name)
            if tensor is not None:
                setattr(self.call, name, address(tensor))
        if job.restart is not None:
            restart = job.restart.contiguous().view(torch.uint8)
            self.alive.append(restart)
            self.call.restart = (address(restart), restart.stride())

    def set(self, name: str, tensors: Sequence[Tensor]) -> None:
        tensors = [plain(t) for t in tensors]
        self.alive.extend(tensors)
        setattr(self.call, name, [(address(t), t.stride()) for t in tensors])

    def tapes(self, lowered: Lowered, block: int, like: Tensor) -> Tensor:
        """Give the run memory for what it keeps of `block` steps, and return it."""
        self.call.block = block = max(1, block)
        offsets, size = _tape_offsets(lowered, block, self.call.B, like.element_size())
        memory = _core.memory(size)
        if self.clean:
            memory.zero_()
        first = address(memory)
        self.call.tapes = [first + offset for offset in offsets]
        self.alive.append(memory)
        return memory

    def parameters(self, lowered: Lowered, weights: Mapping[int, Tensor]) -> None:
        self.set("matrices", [weights[v] for v in lowered.matrices])
        self.set("vectors", [weights[v].contiguous() for v in lowered.vectors])

    def states(self, initial: Sequence[Tensor], final: Sequence[Tensor]) -> None:
        self.set("initial", initial)
        self.set("final", final)

    def sums(self, gradients: Sequence[Tensor], fresh: Sequence[Tensor]) -> None:
        self.alive.extend((*gradients, *fresh))
        self.call.gradients = [address(t) for t in gradients]
        self.call.fresh_gradients = [address(t) for t in fresh]

    def go(self, lowered: Lowered, like: Tensor) -> None:
        run = _core.run_float if like.dtype == torch.float32 else _core.run_double
        run(lowered.plan, self.call)


def kept_bytes(lowered: Lowered, T: int, B: int, item: int) -> int:
    """Return the size of what a forward run keeps of T steps."""
    return _tape_offsets(lowered, T, B, item)[1]


def _tape_offsets(lowered: Lowered, block: int, B: int, item: int) -> tuple[list[int], int]:
    """Return where each tape begins, and the size of all of them, in bytes."""
    offsets, size = [], 0
    for width, state in lowered.tapes:
        offsets.append(size)
        size += -(-(block + state) * B * width * item // LINE) * LINE
    return offsets, size


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, job: Job, *tensors: Tensor) -> tuple[Tensor, ...]:
        out, last, tapes = forward(job, tensors)
        ctx.job = job
        ctx.save_for_backward(*tensors, tapes)
        ctx.forms = [*map(_form, (*tensors, tapes))]
        return (for_each_age(out, job.kind.way.window), *last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        *tensors, tapes = ctx.saved_tensors
        if [*map(_form, (*tensors, tapes))] != ctx.forms:
            raise BackendError(
                "what the layer saved for its backward pass came back with other shapes or "
                "dtypes: a hook of torch.autograd.graph.saved_tensors_hooks changed it. Let the "
                'hook leave tensors of torch.uint8 alone, or use_backend("eager").'
            )
        way = ctx.job.kind.way
        if torch.is_grad_enabled():  # the gradients themselves are to be differentiated
            if way.window is not None or way.clip_states is not None:
                refuse_twice()
            return None, *_differentiable(ctx.job, tensors, gradients, ctx.needs_input_grad[1:])

        def once(given: Sequence[Tensor]) -> Sequence[Tensor | None]:
            given = [d if d.layout == torch.strided else d.to_dense() for d in given]
            cut = way.window is not None or way.clip_states is not None
            if cut or all(map(is_ordinary, given)):
                return backward(ctx.job, tensors, tapes, given)
            return _differentiable(ctx.job, tensors, given, ctx.needs_input_grad[1:])

        return None, *for_each(once, gradients)


def _form(tensor: Tensor) -> tuple[torch.Size, torch.dtype]:
    return tensor.shape, tensor.dtype


class _Interpreted:
    """A program as the eager loop sees a cell; draws come in with x."""

    def __init__(self, kind: Kind, weights: Mapping[int, Tensor]) -> None:
        self.program = kind.compiled.source
        self.known = constants(self.program) | dict(weights)
        self.output_size = self.program.values[self.program.outputs[0]].size

    def __call__(self, x: Tensor, *state: Tensor) -> tuple[Tensor, State]:
        sizes = [self.program.values[v].size for v in self.program.inputs]
        (out,), new = step(self.program, self.known, torch.split(x, sizes, -1), state)
        return out, new


def _differentiable(
    job: Job, tensors: Sequence[Tensor], gradients: Sequence[Tensor], needed: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients by torch's own operations, so that they have gradients themselves."""
    kind, again = job.kind, torch.is_grad_enabled()
    a, b = 1 + kind.draws, 1 + kind.draws + kind.states
    with torch.enable_grad():
        own = [t.view_as(t) if need else t for t, need in zip(tensors, needed, strict=True)]
        steps = Steps(
            torch.cat(own[:a], -1), tuple(own[a:b]), job.lengths, job.restart,
            tuple(own[b : len(own) - len(kind.weights)]), kind.reverse,
        )  # fmt: skip
        run = _Interpreted(kind, _weights(kind, own))
        out, last = eager.run(run, steps)  # type: ignore[arg-type]
        wanted = [t for t, need in zip(own, needed, strict=True) if need]
        # An output that depends on nothing that needs a gradient has none to send back.
        pairs = zip((out, *last), gradients, strict=True)
        results = [(y, d) for y, d in pairs if y.requires_grad]
        if not results:
            return [None] * len(needed)
        ys, ds = zip(*results, strict=True)
        found = iter(torch.autograd.grad(ys, wanted, ds, create_graph=again, allow_unused=True))
    return [next(found) if need else None for need in needed]
