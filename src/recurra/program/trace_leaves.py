"""The recipe for what a cell computes from its parameters alone: torch's own calls, replayed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from recurra.program.trace_symbol import each, replace


@dataclass(frozen=True)
class Ref:
    """In the arguments of a call: the result of an earlier step."""

    node: int


@dataclass(frozen=True)
class Named:
    """A parameter or buffer of the module, by its name."""

    name: str


@dataclass(frozen=True, eq=False)
class Held:
    """A tensor that the cell holds without having registered it, or makes from numbers."""

    tensor: Tensor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Held) and same_tensor(self.tensor, other.tensor)

    __hash__ = object.__hash__


@dataclass(frozen=True, eq=False)
class Call:
    """A call of torch; `gradients` is whether it was made with gradients on."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    gradients: bool

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Call) or self.function != other.function:
            return False
        mine, others = (list(each((c.args, dict(c.kwargs)))) for c in (self, other))
        return (
            self.gradients == other.gradients
            and self.kwargs.keys() == other.kwargs.keys()
            and len(mine) == len(others)
            and all(same_argument(a, b) for a, b in zip(mine, others, strict=True))
        )

    __hash__ = object.__hash__


@dataclass(frozen=True)
class Item:
    """One of the results of a call that has several."""

    node: int
    position: int


Step = Named | Held | Call | Item


def same_tensor(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors are one, or hold the same numbers."""
    if a is b:
        return True
    if (a.shape, a.dtype, a.device) != (b.shape, b.dtype, b.device):
        return False
    return bool(((a == b) | ((a != a) & (b != b))).all())


def same_argument(a: Any, b: Any) -> bool:
    """Return whether two arguments of calls are the same."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return same_tensor(a, b)
    return type(a) is type(b) and bool(a == b)


def needed(steps: Sequence[Step], wanted: Sequence[int]) -> tuple[int, ...]:
    """Return which steps give the wanted results, in order."""
    keep: set[int] = set()
    stack = list(wanted)
    while stack:
        node = stack.pop()
        if node in keep:
            continue
        keep.add(node)
        step = steps[node]
        if isinstance(step, Item):
            stack.append(step.node)
        elif isinstance(step, Call):
            stack += [a.node for a in each((step.args, dict(step.kwargs))) if isinstance(a, Ref)]
    return tuple(sorted(keep))


@dataclass(frozen=True)
class Recipe:
    """How to get a program's parameters from a module's tensors.

    steps: what is done, each step on results of earlier ones.
    order: which of the steps are run. wanted: which steps give the parameters.
    """

    steps: tuple[Step, ...]
    order: tuple[int, ...]
    wanted: tuple[int, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the parameters and buffers that it reads."""
        steps = (self.steps[node] for node in self.order)
        return tuple(step.name for step in steps if isinstance(step, Named))

    def follow(self, tensors: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """Return the program's parameters; gradients flow back to `tensors`."""
        results: dict[int, Any] = {}

        def fill(value: Any) -> Any:
            return results[value.node] if isinstance(value, Ref) else value

        for node in self.order:
            step = self.steps[node]
            if isinstance(step, Named):
                results[node] = tensors[step.name]
            elif isinstance(step, Held):
                results[node] = step.tensor
            elif isinstance(step, Item):
                results[node] = results[step.node][step.position]
            else:
                args, kwargs = replace(step.args, fill), replace(dict(step.kwargs), fill)
                with torch.set_grad_enabled(step.gradients and torch.is_grad_enabled()):
                    results[node] = step.function(*args, **kwargs)
        return tuple(results[node] for node in self.wanted)
