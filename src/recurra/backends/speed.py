"""Whether a cell's own loop in torch would be faster than the machine: estimated, not tried.

Both are counted for a step on one thread, from the cell's instructions. The constants are from an
AVX-512 processor, by the processor time of the cells of `make bench-foreign`. They are rough, so
the loop is only taken where it is faster by a margin. For ordinary cells the machine is.
"""

from collections.abc import Iterable

from recurra.backends.compiled import Compiled, Way
from recurra.program.cost import PRODUCTS, flops_of
from recurra.program.program import Instruction, Program

MARGIN = 1.25  # how many times as long the machine must take by the estimate
# A choice by the batch at hand would give one row other bits than the same row in a batch.
ROWS = 32
# The machine, in ns: to begin an instruction on a strip of rows; 16 features of it, by the kind of
# function; an operation of a product.
BEGIN, FLOP = 12.0, 0.015
PLAIN, CURVED, SLOW, SLOWEST = 1.2, 8.0, 20.0, 60.0
# The loop, in ns: a step; a call of torch; a view; a feature, and what functions take more.
STEP, CALL, VIEW = 20000.0, 2500.0, 750.0
FEATURE, SLOW_FEATURE, SLOWEST_FEATURE = 0.25, 1.5, 5.0
WITH_GRADIENTS = 3.2  # a step with its gradients takes as long as so many without
STRIP = 768  # features of the rows that the machine does at once
MOST_VIEWS = 8  # more slices than that are one call of torch that moves features
CURVES = {"exp", "tanh", "sigmoid", "div", "reciprocal", "sqrt", "rsqrt", "expm1"}
FAST = {
    *("neg", "abs", "sign", "relu", "floor", "ceil", "trunc", "round", "copy", "detach", "zeros"),
    *("add", "sub", "mul", "maximum", "minimum", "gt", "ge", "lt", "le", "eq", "ne", "where"),
    *("sum", "amax", "spread", "transpose", "total"),
}
LONG = {"pow", "atan2", "fmod", "remainder"}


def faster_loop(traced: Program, compiled: Compiled, gradients: bool, dx: bool) -> str | None:
    """Return why a cell is left to its loop, with both estimates, or None."""
    programs = [compiled.program]
    if gradients:
        programs.append(compiled.adjoint(Way(True, dx, False)).program)
    native, loop = native_cost(programs), loop_cost(traced, gradients)
    if native <= MARGIN * loop:
        return None
    what = "forward and backward" if gradients else "forward"
    return (
        f"the loop is faster: about {loop / 1e3:.0f} µs a step {what}, where the native engine "
        f"takes {native / 1e3:.0f} (estimated for {ROWS} rows and one thread)"
    )


def native_cost(programs: Iterable[Program]) -> float:
    """Return the machine's time for a step of some programs, in ns."""
    cost = 0.0
    for program in programs:
        rows = (*program.before, *program.loop, *program.after, *program.sums)
        widest = max((program.values[i.output].shape[0] for i in rows), default=1)
        strips = -(-ROWS // max(1, STRIP // widest))
        for i in rows:
            begun, each = _instruction(program, i)
            cost += begun * BEGIN * strips + ROWS * each
    return cost


def _instruction(program: Program, i: Instruction) -> tuple[int, float]:
    """Return how many instructions of the machine one is, and their time for a row."""
    if i.op == "slice":
        return 0, 0.0
    if i.op in PRODUCTS:
        return 1, FLOP * flops_of(program, i)
    if i.op == "concat":
        return len(i.inputs), sum(_vectors(program, v) for v in i.inputs) * PLAIN
    each = PLAIN if i.op in FAST else CURVED if i.op in CURVES else SLOW
    each = SLOWEST if i.op in LONG else each
    return 1, each * max(_vectors(program, v) for v in (*i.inputs, i.output))


def _vectors(program: Program, value: int) -> int:
    """Return how many vectors of 16 lanes a row of a value takes."""
    shape = program.values[value].shape
    return -(-shape[0] // 16) if shape else 0


def loop_cost(traced: Program, gradients: bool) -> float:
    """Return the loop's time for a step of a cell as it was traced, in ns."""
    cost, views = STEP, 0
    for i in traced.loop:
        if i.op == "slice":
            views += 1
        elif i.op not in ("spread", "copy", "detach", "zeros"):  # torch makes none of these
            each = FEATURE if i.op in FAST | CURVES else SLOW_FEATURE
            each = SLOWEST_FEATURE if i.op in LONG else each
            work = FLOP * flops_of(traced, i) if i.op in PRODUCTS else 0.0
            features = FEATURE if i.op in (*PRODUCTS, "concat") else each
            cost += CALL + ROWS * (work + features * traced.values[i.output].shape[0])
    cost += VIEW * min(views, MOST_VIEWS)
    return cost * (WITH_GRADIENTS if gradients else 1.0)
