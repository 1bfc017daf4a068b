"""A program in torch's own operations: for setup, and for what only torch can differentiate."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recurra.program.own_backward import take_apart
from recurra.program.program import Instruction, Program

Values = dict[int, Any]


def _where(c: Tensor, a: Tensor | float, b: Tensor | float) -> Tensor:
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        b = torch.full_like(c, b)  # of two numbers torch makes the default dtype
    return torch.where(c != 0, a, b)


def _pair(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a function of two tensors that takes a number for either."""

    def pair(a: Tensor | float, b: Tensor | float) -> Tensor:
        like = a if isinstance(a, Tensor) else b
        assert isinstance(like, Tensor)
        a, b = (v if isinstance(v, Tensor) else torch.full_like(like, v) for v in (a, b))
        return function(a, b)

    return pair


def _compare(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def compare(a: Tensor | float, b: Tensor | float) -> Tensor:
        like = a if isinstance(a, Tensor) else b
        assert isinstance(like, Tensor)
        if not isinstance(a, Tensor):
            a = torch.full_like(like, a)
        return function(a, b).to(like.dtype)

    return compare


def _groups(x: Tensor, groups: int, inner: int) -> Tensor:
    return x.reshape(*x.shape[:-1], groups, -1, inner)


def _transpose(x: Tensor, height: int, width: int, inner: int = 1) -> Tensor:
    blocks = x.reshape(*x.shape[:-1], -1, height, width, inner)
    return blocks.transpose(-3, -2).flatten(-4)


def _matmul(a: Tensor, b: Tensor, groups: int, height: int, width: int, turned: str = "") -> Tensor:
    k = a.shape[-1] // (groups * height)
    a = a.reshape(*a.shape[:-1], groups, *((k, height) if turned == "a" else (height, k)))
    b = b.reshape(*b.shape[:-1], groups, *((width, k) if turned == "b" else (k, width)))
    a, b = a.mT if turned == "a" else a, b.mT if turned == "b" else b
    return (a @ b).flatten(-3)


_NAMESAKES = (
    "neg abs sign exp expm1 log log1p sqrt rsqrt reciprocal",
    "sin cos tanh sigmoid relu erf exp2 log2 log10 tan asin acos atan sinh cosh asinh acosh atanh",
    "floor ceil trunc round",
)

_OF_TWO = "maximum minimum fmod remainder atan2 logaddexp"

OPERATIONS: dict[str, Callable[..., Tensor]] = {
    "copy": lambda x: x,
    "detach": torch.detach,
    **{name: getattr(torch, name) for name in " ".join(_NAMESAKES).split()},
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": torch.pow,
    **{name: _pair(getattr(torch, name)) for name in _OF_TWO.split()},
    **{name: _compare(getattr(torch, name)) for name in ["gt", "ge", "lt", "le", "eq", "ne"]},
    "where": _where,
    "linear": F.linear,
    "linear_t": torch.matmul,
    "sum": lambda x, groups, inner=1: _groups(x, groups, inner).sum(-2).flatten(-2),
    "amax": lambda x, groups, inner=1: _groups(x, groups, inner).amax(-2).flatten(-2),
    "spread": lambda x, times, inner=1: (
        x.reshape(*x.shape[:-1], -1, 1, inner).repeat_interleave(times, -2).flatten(-3)
    ),
    "transpose": _transpose,
    "matmul": _matmul,
    "slice": lambda x, start, stop, axis=-1: x.narrow(axis, start, stop - start),
    "concat": lambda *parts, axis=-1: torch.cat(parts, axis),
}


def apply(i: Instruction, values: Mapping[int, Any]) -> Tensor:
    """Return what an instruction gives for its operands' values."""
    operands = [values[v] for v in i.inputs]
    return OPERATIONS[i.op](*operands, **dict(i.attributes))


def constants(program: Program) -> Values:
    """Return the program's constants by their index."""
    return {i: v.number for i, v in enumerate(program.values) if v.number is not None}


def set_up(program: Program, parameters: Sequence[Tensor]) -> Values:
    """Return parameters and what `setup` makes of them, by their index."""
    values: Values = dict(zip(program.parameters, parameters, strict=True))
    if program.setup:
        known = constants(program) | values
        for i in program.setup:
            attributes = dict(i.attributes)
            if i.op in ("slice", "concat"):
                attributes.setdefault("axis", 0)
            i = Instruction(i.op, i.inputs, i.output, tuple(attributes.items()))
            known[i.output] = values[i.output] = apply(i, known)
    return values


class _Own(torch.autograd.Function):
    """Returns y; the gradient of each tensor is what `pullback` makes of y's gradient."""

    @staticmethod
    def forward(ctx: Any, pullback: Callable[..., Any], y: Tensor, *tensors: Tensor) -> Tensor:
        ctx.pullback, result = pullback, y.clone()
        ctx.save_for_backward(result, *tensors)
        return result

    @staticmethod
    def backward(ctx: Any, d: Tensor) -> tuple[Any, ...]:
        return None, None, *ctx.pullback(d, *ctx.saved_tensors)


def follow_own(program: Program, instruction: Instruction, values: Values) -> Tensor:
    """Return the first operand of an `own_backward`, with the gradients that it says."""
    own = take_apart(program, instruction)
    xs = [x for x, _ in own.gradients]
    ends = [d for _, d in own.gradients]
    made = {own.arriving, *(i.output for i in own.pullback)}
    reads = [v for v in (*own.reads(), *ends) if v not in made and v != own.value]
    reads = [v for v in reads if isinstance(values[v], Tensor)]

    def pullback(d: Tensor, y: Tensor, *tensors: Tensor) -> list[Tensor | None]:
        known = {**values, own.value: y, own.arriving: d}
        known.update(zip((*xs, *reads), tensors, strict=True))
        for i in own.pullback:
            known[i.output] = known[i.inputs[0]] if i.op == "detach" else apply(i, known)
        return [*(known[end].expand_as(d) for end in ends), *[None] * len(reads)]

    found: Tensor = _Own.apply(
        pullback, values[own.value].detach(), *(values[v] for v in (*xs, *reads))
    )  # type: ignore[no-untyped-call]
    return found


def step(program: Program, known: Values, inputs: Sequence[Tensor], state: Sequence[Tensor]) -> Any:
    """Return one step's outputs and new states, from what `set_up` and `constants` gave."""
    values: Values = dict(known)
    values.update(zip(program.inputs, inputs, strict=True))
    values.update(zip(program.states, state, strict=True))
    like = inputs[0]
    for i in (*program.before, *program.loop, *program.after):
        if i.op == "own_backward":
            values[i.output] = follow_own(program, i, values)
        elif i.op in ("zeros", "arriving"):
            size = int(i.attribute("size"))
            values[i.output] = like.new_zeros(*like.shape[:-1], size)
        else:
            if i.op == "concat":
                lead = like.shape[:-1]
                parts = [values[v].expand(*lead, -1) for v in i.inputs]
                values[i.output] = torch.cat(parts, -1)
            else:
                values[i.output] = apply(i, values)
    lead = like.shape[:-1]
    outputs = tuple(values[i].expand(*lead, -1) for i in program.outputs)
    return outputs, tuple(values[i].expand(*lead, -1) for i in program.new_states)
