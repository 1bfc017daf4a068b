"""The rewrites that make one instruction of several: products, and sums of their parts."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from recurra.program.dependence import late, makers, stateful
from recurra.program.emitter import Emitter, Plan, rebuild
from recurra.program.peephole import RULES, concat_of, slice_of, span
from recurra.program.program import Instruction, Program

Become = Callable[[int], int]
Write = Callable[[Emitter, Become], int]


def split_linears(program: Program) -> Program:
    """linear([a, b], W) is linear(a, W_a) + linear(b, W_b) where only b depends on a state."""
    made, on_state = makers(program), stateful(program)
    plan: dict[int, Write] = {}
    for instruction in program.instructions():
        if instruction.op != "linear" or instruction.inputs[0] not in made:
            continue
        joined = made[instruction.inputs[0]]
        if joined.op == "concat" and len({part in on_state for part in joined.inputs}) == 2:
            sides = [part in on_state for part in joined.inputs]
            plan[instruction.output] = split(joined.inputs, instruction.inputs[1], sides)
    return rebuild(program, RULES, plan)


def split(parts: Sequence[int], W: int, sides: Sequence[bool]) -> Write:
    """Return what writes the product of joined parts as that of one side plus the other's."""

    def write(emitter: Emitter, become: Become) -> int:
        terms = []
        for side in (False, True):
            xs, columns, offset = [], [], 0
            for part, its_side in zip(parts, sides, strict=True):
                x = become(part)
                stop = offset + emitter.values[x].size
                if its_side == side:
                    xs.append(x)
                    columns.append(slice_of(emitter, become(W), offset, stop, axis=1))
                offset = stop
            inputs = [concat_of(emitter, xs), concat_of(emitter, columns, axis=1)]
            terms.append(emitter.apply("linear", inputs))
        return emitter.apply("add", terms)

    return write


@dataclass
class Chunk:
    """An instruction whose result is features start..stop of a merged one."""

    output: int
    start: int
    stop: int


def merge(chunks: Sequence[Chunk], whole: Write) -> Plan:
    """Return the plan that writes `whole` at the first chunk, and slices of it for every chunk."""
    first = chunks[0].start
    written: list[int] = []

    def take(chunk: Chunk) -> Write:
        def write(emitter: Emitter, become: Become) -> int:
            if not written:
                written.append(whole(emitter, become))
            return slice_of(emitter, written[0], chunk.start - first, chunk.stop - first)

        return write

    return {chunk.output: take(chunk) for chunk in chunks}


def merge_linears(program: Program) -> Program:
    """linear(x, V) and linear(x, W) are slices of linear(x, [V; W]).

    What no new state needs is kept apart: it is to leave the loop.
    """
    outside = late(program)
    groups: dict[tuple[int, bool], list[Instruction]] = defaultdict(list)
    for instruction in program.instructions():
        if instruction.op == "linear":
            groups[instruction.inputs[0], instruction.output in outside].append(instruction)
    plan: dict[int, Write] = {}
    for group in groups.values():
        if len(group) > 1:
            plan.update(merge_products(program, group))
    return rebuild(program, RULES, plan)


def merge_products(program: Program, group: Sequence[Instruction]) -> Plan:
    """Return the plan for products of one x."""
    chunks: list[Chunk] = []
    for instruction in group:
        start = chunks[-1].stop if chunks else 0
        stop = start + program.values[instruction.output].size
        chunks.append(Chunk(instruction.output, start, stop))

    def whole(emitter: Emitter, become: Become) -> int:
        weights = [become(instruction.inputs[1]) for instruction in group]
        x = become(group[0].inputs[0])
        return emitter.apply("linear", [x, concat_of(emitter, weights)])

    return merge(chunks, whole)


@dataclass
class Addition:
    """An addition of features start..stop of u and as many of v (from start + shift), or of p."""

    output: int
    start: int
    stop: int
    u: int
    v: int | None
    shift: int
    parameter: int | None


def merge_adds(program: Program) -> Program:
    """u[a:b] + v[a:b] and u[b:c] + v[b:c] are slices of u[a:c] + v[a:c]; parameters are joined."""
    made, outside = makers(program), late(program)
    groups: dict[object, list[Addition]] = defaultdict(list)
    for instruction in program.instructions():
        addition = None
        if instruction.op == "add":
            addition = read_addition(program, made, instruction)
        if addition is not None:
            out = addition.output in outside
            groups[addition.u, addition.v, addition.shift, out].append(addition)
    plan: dict[int, Write] = {}
    for group in groups.values():
        for run in neighbours(group):
            plan.update(merge_run(run))
    return rebuild(program, RULES, plan)


def read_addition(
    program: Program, made: dict[int, Instruction], instruction: Instruction
) -> Addition | None:
    """Return an addition of two slices, or of a slice and a parameter; None if it is neither."""
    slices, parameters = [], []
    for index in instruction.inputs:
        if index in made and made[index].op == "slice" and program.values[index].rows:
            start, stop, _ = span(dict(made[index].attributes))
            slices.append((made[index].inputs[0], start, stop))
        elif program.values[index].shape and not program.values[index].rows:
            parameters.append(index)
    if len(slices) == 2:
        (u, start, stop), (v, other, _) = sorted(slices)
        return Addition(instruction.output, start, stop, u, v, other - start, None)
    if len(slices) == len(parameters) == 1:
        u, start, stop = slices[0]
        return Addition(instruction.output, start, stop, u, None, 0, parameters[0])
    return None


def neighbours(group: Sequence[Addition]) -> Iterator[list[Addition]]:
    """Yield the runs of two or more additions that lie behind one another."""
    run: list[Addition] = []
    for addition in sorted(group, key=lambda addition: addition.start):
        if run and addition.start != run[-1].stop:
            if len(run) > 1:
                yield run
            run = []
        run.append(addition)
    if len(run) > 1:
        yield run


def merge_run(run: Sequence[Addition]) -> Plan:
    """Return the plan for additions behind one another."""

    def whole(emitter: Emitter, become: Become) -> int:
        first, start, stop = run[0], run[0].start, run[-1].stop
        left = slice_of(emitter, become(first.u), start, stop)
        if first.v is not None:
            v, shift = become(first.v), first.shift
            return emitter.apply("add", [left, slice_of(emitter, v, start + shift, stop + shift)])
        joined = [become(a.parameter) for a in run if a.parameter is not None]
        return emitter.apply("add", [left, concat_of(emitter, joined)])

    return merge([Chunk(a.output, a.start, a.stop) for a in run], whole)
