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


@dataclass(frozen=True)
class Path:
    """Where a value is found: from the cell, or from another object, step by step.

    root: the object, held so that its identity is not used again; None for the cell.
    steps: what each step takes ("attribute", "item", "parameter", "buffer", "child" or "cell")
        and its key.
    """

    root: Any = None
    steps: tuple[tuple[str, Any], ...] = ()

    def to(self, key: Any, kind: str = "item") -> "Path":
        """Return the path of what is found one step on."""
        return Path(self.root, (*self.steps, (kind, key)))

    @property
    def parent(self) -> "Path | None":
        """Return the path of what holds the value."""
        return Path(self.root, self.steps[:-1]) if self.steps else None

    def holders(self, cell: Any) -> list[Any]:
        """Return the objects on the way to the value, the cell first."""
        return [Path(self.root, self.steps[:k]).read(cell) for k in range(len(self.steps))]

    def read(self, cell: Any) -> Any:
        """Return the value as it is now."""
        value = cell if self.root is None else self.root
        for kind, key in self.steps:
            if kind == "item":
                value = value[key]
            elif kind == "parameter":
                value = value._parameters[key]
            elif kind == "buffer":
                value = value._buffers[key]
            elif kind == "child":
                value = value._modules[key]
            elif kind == "cell":
                value = value.cell_contents
            else:
                value = getattr(value, key)
        return value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Path) and self.root is other.root and self.steps == other.steps

    def __hash__(self) -> int:
        return hash((id(self.root), self.steps))

    def __str__(self) -> str:
        text = "self" if self.root is None else "..."
        for kind, key in self.steps:
            text += f"[{key!r}]" if kind == "item" else "" if kind == "cell" else f".{key}"
        return text


@dataclass(frozen=True)
class Read:
    """A tensor or number that the cell holds without having registered it, read at each call.

    number: its type if it is a Python number, which then becomes a tensor of no axes.
    """

    path: Path
    number: type | None = None

    def take(self, cell: Any) -> Tensor:
        """Return it as it is now."""
        value = self.path.read(cell)
        if self.number is not None:
            return torch.tensor(float(value), dtype=torch.float64, device="cpu")
        tensor: Tensor = value
        return tensor


@dataclass(frozen=True, eq=False)
class Held:
    """A tensor that the cell holds without having registered it, or has made from numbers."""

    tensor: Tensor
    made: bool = False

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


Step = Named | Read | Held | Call | Item


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

    def sourced(self, paths: Mapping[int, Path]) -> "Recipe":
        """Return the recipe with held tensors read from where they are found, by their id."""
        steps = tuple(
            Read(paths[id(step.tensor)])
            if isinstance(step, Held) and id(step.tensor) in paths
            else step
            for step in self.steps
        )
        return Recipe(steps, self.order, self.wanted)

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """Return what is read from the cell at each call, besides parameters and buffers."""
        steps = (self.steps[node] for node in self.order)
        return tuple(step for step in steps if isinstance(step, Read))

    @cached_property
    def _held(self) -> tuple[Held, ...]:
        steps = (self.steps[node] for node in self.order)
        return tuple(step for step in steps if isinstance(step, Held))

    def unregistered(self, cell: object) -> list[tuple[str, Tensor]]:
        """Return the tensors that are no parameters or buffers, and what to call them."""
        found = [(str(r.path), r.take(cell)) for r in self.reads if r.number is None]
        return found + [("a tensor that the cell holds", h.tensor) for h in self._held]

    def follow(self, tensors: Mapping[str, Tensor], cell: object = None) -> tuple[Tensor, ...]:
        """Return the program's parameters; gradients flow back to `tensors`.

        cell: what `reads` are taken from.
        """
        results: dict[int, Any] = {}

        def fill(value: Any) -> Any:
            return results[value.node] if isinstance(value, Ref) else value

        for node in self.order:
            step = self.steps[node]
            if isinstance(step, Named):
                results[node] = tensors[step.name]
            elif isinstance(step, Held):
                results[node] = step.tensor
            elif isinstance(step, Read):
                results[node] = step.take(cell)
            elif isinstance(step, Item):
                results[node] = results[step.node][step.position]
            else:
                args, kwargs = replace(step.args, fill), replace(dict(step.kwargs), fill)
                with torch.set_grad_enabled(step.gradients and torch.is_grad_enabled()):
                    results[node] = step.function(*args, **kwargs)
        return tuple(results[node] for node in self.wanted)
