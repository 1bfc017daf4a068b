"""The forms that modules take and give back their states in."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from torch import Tensor, nn

# What a parameter that takes the state is called, where it is not the second.
KEYWORDS = (
    "state", "states", "hx", "h", "hidden", "hidden_state", "hidden_states", "carry", "memory",
    "initial_state", "prev_state", "h_prev", "hc", "cache",
)  # fmt: skip


@dataclass(frozen=True)
class Passing:
    """How a module is given its states.

    kind: "apart" (each an argument), "bare" (the only one, as it is), "tuple", "list", "dict",
        "record" (a named tuple or a dataclass) or "named" (each an argument by its name).
    keyword: the parameter's name, if not the second one's place.
    record: the record's class.
    """

    kind: str
    keyword: str | None = None
    record: Any = None

    def text(self, names: Sequence[str]) -> str:
        """Return the call as it is written."""
        each = ", ".join(names)
        states = {
            "tuple": f"({each},)" if len(names) == 1 else f"({each})",
            "list": f"[{each}]",
            "dict": "{" + ", ".join(f'"{name}": {name}' for name in names) + "}",
            "named": ", ".join(f"{name}={name}" for name in names),
            "record": f"{getattr(self.record, '__name__', 'record')}({each})",
        }.get(self.kind, each)
        return f"forward(x, {self.keyword}={states})" if self.keyword else f"forward(x, {states})"


def call(
    module: nn.Module, x: Tensor, states: tuple[Tensor, ...], names: Sequence[str], way: Passing
) -> Any:
    """Step a module once, its states given as `way` says."""
    if way.kind == "apart":
        return module(x, *states)
    if way.kind == "named":
        return module(x, **dict(zip(names, states, strict=True)))
    given: Any = states
    if way.kind == "bare":
        (given,) = states
    elif way.kind == "list":
        given = list(states)
    elif way.kind == "dict":
        given = dict(zip(names, states, strict=True))
    elif way.kind == "record":
        given = way.record(**dict(zip(fields_of(way.record), states, strict=True)))
    return module(x, given) if way.keyword is None else module(x, **{way.keyword: given})


def read(result: Any, gives: str, names: Sequence[str]) -> tuple[Any, tuple[Any, ...]]:
    """Return the output and the new states of what a module gave back, as `gives` says."""
    if gives == "output, states":
        output, new = result
        return output, apart(new, names)
    if gives == "output and each state":
        output, *new = result
        return output, tuple(new)
    if gives == "states, output":
        new, output = result
        return output, apart(new, names)
    new = apart(result, names)
    return new[0], new


def apart(states: Any, names: Sequence[str]) -> tuple[Any, ...]:
    """Return the states in a container one by one, in the order of `names`; () for no container."""
    if isinstance(states, Tensor):
        return (states,)
    if isinstance(states, Mapping):
        return tuple(states[name] for name in names) if set(states) == set(names) else ()
    if isinstance(states, tuple | list):
        return tuple(states)
    if is_dataclass(states) and not isinstance(states, type):
        return tuple(getattr(states, field.name) for field in fields(states))
    return ()


def fields_of(record: Any) -> tuple[str, ...]:
    """Return the names of the fields of a named tuple's or a dataclass's class; () for others."""
    if is_dataclass(record):
        return tuple(field.name for field in fields(record) if field.init)
    return tuple(getattr(record, "_fields", ()))


def gives_of(result: Any, names: Sequence[str]) -> str | None:
    """Return which form of result this is for states of these names, None for none."""
    count = len(names)

    def holds(value: Any) -> bool:
        states = apart(value, names)
        return len(states) == count and all(isinstance(s, Tensor) for s in states)

    if isinstance(result, tuple | list) and len(result) == 2:
        first, second = result
        if isinstance(first, Tensor) and holds(second):
            return "output, states"
        if isinstance(second, Tensor) and not isinstance(first, Tensor) and holds(first):
            return "states, output"
    if holds(result):
        return "states"
    if isinstance(result, tuple | list) and len(result) == count + 1:
        return "output and each state" if all(isinstance(r, Tensor) for r in result) else None
    return None


def passings(module: nn.Module, names: Sequence[str]) -> Iterator[Passing]:
    """Yield the ways to try, those first that no module takes by mistake.

    A module that expects a tensor cannot go on with a tuple, while one that expects a tuple may
    take a tensor for one, its rows for the states.
    """
    positional, keywords = _parameters(module)
    for keyword in keywords:
        yield Passing("tuple", keyword)
        if len(names) == 1:
            yield Passing("bare", keyword)
    if positional > 1:
        yield Passing("tuple")
        if len(names) == 1:
            yield Passing("bare")
        elif positional > len(names):
            yield Passing("apart")
        yield Passing("list")
        yield Passing("dict")
    for keyword in keywords:
        yield Passing("list", keyword)
        yield Passing("dict", keyword)
    if len(names) > 1 and _takes_named(module, names):
        yield Passing("named")


def signature_of(module: nn.Module) -> list[inspect.Parameter] | None:
    """Return the parameters of a module's `forward`, None where Python does not know them."""
    try:
        return list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return None


_PLACED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def state_names(module: nn.Module) -> list[str]:
    """Return the names of the arguments beside x that a step cannot go without."""
    parameters = [p for p in signature_of(module) or [] if p.kind in _PLACED]
    return [p.name for p in parameters[1:] if p.default is p.empty]


def _parameters(module: nn.Module) -> tuple[float, list[str]]:
    """Return how many arguments take a place, and which keywords may be the state's."""
    parameters = signature_of(module)
    if parameters is None:
        return float("inf"), []
    placed = [p.name for p in parameters if p.kind in _PLACED]
    second = placed[1] if len(placed) > 1 else ""
    keywords = [
        p.name
        for p in parameters
        if p.name in KEYWORDS
        and (p.kind is p.KEYWORD_ONLY or (p.name in placed[2:] and second not in KEYWORDS))
    ]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return float("inf"), keywords
    return len(placed), keywords


def _takes_named(module: nn.Module, names: Sequence[str]) -> bool:
    parameters = signature_of(module) or []
    return set(names) <= {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}


def unfilled(module: nn.Module, way: Passing, states: int) -> bool:
    """Return whether a call leaves a parameter of `forward` alone, which might be a state's."""
    parameters = signature_of(module)
    if parameters is None:
        return True
    given = 1 + (states if way.kind in ("apart", "named") else 1)
    return len([p for p in parameters if p.kind in (*_PLACED, p.KEYWORD_ONLY)]) > given
