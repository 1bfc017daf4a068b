"""A module made ready to be traced: a light copy that computes with symbols, and its guards."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from recurra.program.trace_leaves import Named, Path, Read
from recurra.program.trace_reads import alike, contents, kind_is_open, put_back
from recurra.program.trace_recorder import Recorder
from recurra.program.trace_refusal import refusal
from recurra.program.trace_steps import like_meta
from recurra.program.trace_symbol import Leaf
from recurra.program.trace_watch import GLOBAL_HOOKS, HOOKS

# What nn.Module keeps for itself; the groups are compared item by item.
_GROUPS = ("_parameters", "_buffers", "_modules")
_OWN = (nn.Module().__dict__.keys() - {"training"}) | set(_GROUPS)


class Copies:
    """The light copies of a module and its submodules, and what they were when made.

    varying: the numbers that the copies have as symbols.
    """

    def __init__(self, module: nn.Module, recorder: Recorder, varying: Iterable[Path] = ()) -> None:
        for name in GLOBAL_HOOKS:
            if getattr(torch.nn.modules.module, name, None):
                raise refusal("a hook is on all modules")
        self._leaves: dict[int, Leaf] = {}
        self._copies: dict[int, nn.Module] = {}
        self._before: list[tuple[nn.Module, dict[str, Any]]] = []
        self.module = self._copy(module, "", recorder)
        for path in varying:
            number = Read(path, type(path.read(module)))
            meta = torch.empty((), dtype=torch.float64, device="meta")
            leaf = recorder.add_leaf(number, meta)
            leaf.is_number = True
            put(self.module, path, leaf)
        self._before += [(copy, snapshot(vars(copy))) for copy in self._copies.values()]

    def _copy(self, module: nn.Module, prefix: str, recorder: Recorder) -> nn.Module:
        if id(module) in self._copies:
            return self._copies[id(module)]
        kind = type(module)
        check_plain(module)
        copied: nn.Module = kind.__new__(kind)
        self._copies[id(module)] = copied
        self._before.append((module, snapshot(module.__dict__)))
        own = dict(module.__dict__)
        for group in ("_parameters", "_buffers"):
            own[group] = {
                name: None if t is None else self._leaf(t, prefix + name, recorder)
                for name, t in own[group].items()
            }
        own["_modules"] = {
            name: None if child is None else self._copy(child, f"{prefix}{name}.", recorder)
            for name, child in own["_modules"].items()
        }
        object.__setattr__(copied, "__dict__", own)
        return copied

    def _leaf(self, tensor: Tensor, name: str, recorder: Recorder) -> Leaf:
        if id(tensor) not in self._leaves:
            parameter = isinstance(tensor, nn.Parameter)
            leaf = recorder.add_leaf(Named(name), like_meta(tensor), parameter)
            self._leaves[id(tensor)] = recorder.held[id(tensor)] = leaf
        return self._leaves[id(tensor)]

    @contextmanager
    def out_of_the_cache(self) -> Iterator[None]:
        """Have parametrised weights computed, and nothing kept of them, in a block.

        `torch.nn.utils.parametrize.cached()` keeps them for the module, of which these are copies.
        """
        kept = self._taken_from_cache()
        try:
            yield
        finally:
            self._taken_from_cache()
            parametrize._cache.update(kept)

    def _taken_from_cache(self) -> dict[tuple[int, str], Tensor | None]:
        mine = [key for key in list(parametrize._cache) if key[0] in self._copies]
        return {key: parametrize._cache.pop(key, None) for key in mine}

    def check_unchanged(self) -> None:
        """Refuse a cell that has changed an attribute, its own or a submodule's."""
        for module, before in self._before:
            now = module.__dict__
            for group in _GROUPS:
                key = first_difference(before[group], now[group])
                if key is not None:
                    raise refusal(f"the cell changes its own attribute {key!r} as it runs")
            for name in (before.keys() | now.keys()) - _OWN:
                if name not in before or name not in now or not alike(before[name], now[name]):
                    raise refusal(f"the cell changes its own attribute {name!r} as it runs")


def put(module: nn.Module, path: Path, value: Any) -> None:
    """Put a value where a path leads from a light copy, copying what lies between."""
    holder: Any = module
    for k, (kind, key) in enumerate(path.steps):
        last = k + 1 == len(path.steps)
        if kind == "child":
            holder = holder._modules[key]
            continue
        inside = holder[key] if kind == "item" else getattr(holder, key)
        new = value if last else copied_holder(inside)
        if isinstance(holder, nn.Module):
            vars(holder)[key] = new
        elif kind == "item":
            holder[key] = new
        else:
            object.__setattr__(holder, key, new)
        holder = new


def copied_holder(held: Any) -> Any:
    """Return an object that holds the same; raises TraceError for one that cannot be made."""
    kind: Any = type(held)
    if kind in (list, dict):
        return kind(held)
    if isinstance(held, nn.Module | list | dict | set | tuple | type) or not kind_is_open(kind):
        raise refusal(f"a number of a {kind.__name__} cannot be made an input")
    new = kind.__new__(kind)
    put_back(new, contents(held))
    return new


def check_plain(module: nn.Module) -> None:
    """Refuse a module whose call is more than its `forward` in Python."""
    kind = type(module).__name__
    if any(module.__dict__.get(name) for name in HOOKS):
        raise refusal(f"a hook is on {kind}")
    if isinstance(module, torch.jit.ScriptModule):
        raise refusal(f"{kind} is a compiled (scripted) module")
    if kind == "OptimizedModule" or module.__dict__.get("_compiled_call_impl") is not None:
        raise refusal(f"{kind} is compiled by torch.compile")


def loosened(value: Any) -> Any:
    """Return a container of the cell's copied, so that the cell itself stays as it is."""
    return type(value)(value) if type(value) in (list, dict, set) else value


def snapshot(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes that a cell may change as they are, containers copied."""
    groups = {name: attributes[name].copy() for name in _GROUPS}
    return groups | {n: loosened(v) for n, v in attributes.items() if n not in _OWN}


def first_difference(before: dict[Any, Any], now: dict[Any, Any]) -> Any:
    """Return the first key under which two dictionaries differ, None if they do not."""
    for key in (*before, *now):
        if key not in before or key not in now or not alike(before[key], now[key]):
            return key
    return None


def tensors_of(module: nn.Module) -> Iterator[Tensor]:
    """Yield the parameters and buffers of a module."""
    yield from module.parameters()
    yield from module.buffers()
