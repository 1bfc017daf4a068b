"""What a trace depends on, as values to be compared with what they are in a later call."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from recurra.program.trace_leaves import Path

# How a value is compared, and what holds it: the core's numbers (native/bind/watch.cpp).
IGNORE, SAME, TYPE, TENSOR, DICT, EMPTY, CHILD, ABSENT = range(8)
MODULE, OBJECT, MAPPING, KEYS, LIST, ATTRIBUTES, CLASS, CELL, FUNCTION, CALL = range(10)

Entry = tuple[Any, int, Any, int]

NUMBERS = (float, int, np.float64, np.int64)  # what may become an input of a program


@dataclass(frozen=True, eq=False)
class Same:
    """An object that is equal to itself only."""

    held: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.held is other.held

    def __hash__(self) -> int:
        return id(self.held)


@dataclass(frozen=True)
class Node:
    """Something that holds values, and how each of them is compared.

    kind: one of the above. holder: the object; None for a module that is found from the cell.
    path: how the holder is found from the cell, None if it is not below it. items: of a list.
    """

    kind: int
    holder: Any
    entries: tuple[Entry, ...]
    path: Path | None = None
    items: tuple[Any, ...] | None = None

    @property
    def plan(self) -> tuple[int, Any, tuple[Entry, ...], tuple[Any, ...] | None]:
        """Return it as the core takes it."""
        return self.kind, self.holder, self.entries, self.items


@dataclass
class Watched:
    """What a trace depends on.

    nodes: what is compared. outside: the objects that are looked into, by their id.
    again: the ids of those that are reached in several ways.
    tensors: where each tensor is found, by its id. refused: why there can be no program.
    """

    nodes: list[Node] = field(default_factory=list)
    outside: dict[int, Any] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)
    tensors: dict[int, Path] = field(default_factory=dict)
    refused: str | None = None


def differing_numbers(before: Watched, now: Watched) -> list[Path] | None:
    """Return the numbers below the cell that are others now; None if anything else is."""
    if len(before.nodes) != len(now.nodes):
        return None
    paths: list[Path] = []
    for a, b in zip(before.nodes, now.nodes, strict=True):
        if a.kind != b.kind or not _one_holder(a, b):
            return None
        step = "item" if a.kind in (MAPPING, LIST) else "attribute"
        if not _compare_entries(_relevant(a.entries), _relevant(b.entries), a.path, paths, step):
            return None
        plain, plain_now = (() if n.entries else _numbered(n.items) for n in (a, b))
        if not _compare_entries(plain, plain_now, a.path, paths):
            return None
    return paths


def _numbered(items: tuple[Any, ...] | None) -> tuple[Entry, ...]:
    return tuple((k, SAME, item, -1) for k, item in enumerate(items or ()))


def _one_holder(a: Node, b: Node) -> bool:
    if a.kind == CALL:  # made anew for each look
        return bool(a.holder.func is b.holder.func and a.holder.args[0] is b.holder.args[0])
    return a.holder is b.holder


def _relevant(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    return tuple(e for e in entries if e[1] != IGNORE)


def _compare_entries(
    before: tuple[Entry, ...],
    now: tuple[Entry, ...],
    path: Path | None,
    paths: list[Path],
    step: str = "item",
) -> bool:
    if len(before) != len(now):
        return False
    for (key, mode, value, alias), (key_now, mode_now, value_now, alias_now) in zip(
        before, now, strict=True
    ):
        if key != key_now or mode != mode_now or alias != alias_now:
            return False
        if mode == DICT:
            if not _compare_entries(_relevant(value), _relevant(value_now), None, paths):
                return False
        elif mode == SAME:
            if mark(value) == mark(value_now):
                continue
            below = path is not None and path.root is None and type(value) in NUMBERS
            if not below or type(value) is not type(value_now):
                return False
            assert path is not None
            paths.append(path.to(key, step))
        elif value != value_now:
            return False
    return True


def mark(value: object) -> Hashable:
    """Return what is equal for the same object, and for equal numbers or texts."""
    if isinstance(value, float):
        return float, value.hex()  # tells -0.0 from 0.0, and finds NaN again
    if type(value) is tuple:
        return tuple(map(mark, value))
    if type(value) in (int, bool, str, bytes, torch.Size, torch.device):
        return type(value), value
    if isinstance(value, np.generic):
        return value.dtype.str, value.tobytes()
    return Same(value)


def marks(values: Iterable[object]) -> tuple[Hashable, ...]:
    """Return the marks of what a container holds; of a mapping, of its keys and values."""
    return tuple(map(mark, values.items() if isinstance(values, Mapping) else values))


def marks_of_set(values: Iterable[object]) -> frozenset[Hashable]:
    """Return the marks of what a set holds."""
    return frozenset(map(mark, values))


def numbers_of(array: Any) -> tuple[str, tuple[int, ...], bytes]:
    """Return what an array of NumPy holds."""
    return array.dtype.str, array.shape, array.tobytes()
