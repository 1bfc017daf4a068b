"""What a trace depends on: every value that its code may have read, found again in each call."""

import builtins
import sys
import types
import weakref
from abc import ABC
from collections import OrderedDict, deque, namedtuple
from collections.abc import Callable, Hashable, Iterable
from enum import Enum
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.program.trace_leaves import Path
from recurra.program.trace_reads import (
    Reads,
    filled_slots,
    is_pythons,
    kind_is_open,
    own_dict,
    read_code,
    slots_of,
)
from recurra.program.trace_refusal import place_of
from recurra.program.trace_symbol import Symbol
from recurra.program.watched import (
    ABSENT,
    ATTRIBUTES,
    CALL,
    CELL,
    CHILD,
    CLASS,
    DICT,
    EMPTY,
    FUNCTION,
    IGNORE,
    KEYS,
    LIST,
    MAPPING,
    MODULE,
    NUMBERS,
    OBJECT,
    SAME,
    TENSOR,
    TYPE,
    Entry,
    Node,
    Watched,
    marks,
    marks_of_set,
    numbers_of,
)

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
GLOBAL_HOOKS = tuple(f"_global{name}" for name in HOOKS)

MOST_NODES = 20_000

_ATOMS: tuple[type, ...] = (
    bool, int, float, complex, str, bytes, type(None), type(Ellipsis), type(NotImplemented), slice,
    range, torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format, np.dtype,
    np.ufunc, types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodWrapperType,
    types.MethodDescriptorType, types.ClassMethodDescriptorType, types.GetSetDescriptorType,
    types.MemberDescriptorType, types.CodeType, types.GenericAlias, types.UnionType,
    type(namedtuple("Pair", "a b").__dict__["a"]), type(vars(ABC)["_abc_impl"]),
)  # fmt: skip
_TENSORS = (Tensor, nn.Parameter, nn.Buffer)
_ALWAYS = ("training", "_compiled_call_impl")
# What nn.Module keeps for itself and no forward reads, but for the hooks, which must be none.
_INTERNAL = (vars(nn.Module()).keys() - {*_ALWAYS}) | {"programs"}
_GROUPS = ("_parameters", "_buffers")
_OF_A_CLASS = ("__dict__", "__weakref__")
_LIBRARIES = ("torch", "numpy", "builtins", "typing", "abc", "enum", "dataclasses", "collections")


def watch(cell: nn.Module, reads: Reads, varying: Iterable[Path] = ()) -> Watched:
    """Return what a trace of a cell depends on, as it is now.

    reads: what the trace has run. varying: the numbers that the trace has as inputs.
    """
    walk = _Walk(reads, frozenset(varying))
    walk.run(cell)
    return walk.found


class _Walk:
    """Looks into everything that the code of a trace may have read, from the cell outwards."""

    def __init__(self, reads: Reads, varying: frozenset[Path]) -> None:
        self.reads, self.varying, self.found = reads, varying, Watched()
        self.names = reads.names | reads.library_names
        self.aliases: dict[int, int] = {}
        self.queue: deque[tuple[Any, Path | None]] = deque()
        self.accounted: set[types.CodeType] = set()

    def run(self, cell: nn.Module) -> None:
        """Look into the cell, its modules, then all that these hold and the code's globals."""
        modules: deque[tuple[nn.Module, Path]] = deque([(cell, Path())])
        while modules:
            module, path = modules.popleft()
            self.visit(type(module), path)
            if id(module) in self.found.outside:
                self.found.again.add(id(module))
            self.found.outside[id(module)] = module
            children: list[tuple[nn.Module, Path]] = []
            entries = self._of_module(module, path, children)
            self._add(Node(MODULE, None, entries, path))
            modules.extend(children)
        shared = vars(nn.modules.module)
        hooks = (self._hooks(n, shared[n], "all modules") for n in GLOBAL_HOOKS if n in shared)
        self._add(Node(KEYS, shared, tuple(hooks)))
        for code, found in self.reads.codes.items():
            self._of_globals(code, found)
        while self.queue:
            self._look(*self.queue.popleft())
            if len(self.found.nodes) > MOST_NODES:
                self._refuse("the cell reads too much to be watched")
                return
        self._check_accounted()

    def visit(self, value: Any, path: Path | None) -> None:
        """Have an object looked into, once."""
        kind = type(value)
        if kind in _ATOMS:
            return
        if id(value) in self.found.outside:
            self.found.again.add(id(value))
            return
        self.found.outside[id(value)] = value
        self.queue.append((value, path))

    def entry(self, key: Any, value: Any, path: Path | None) -> Entry:
        """Return how a value is compared, and have it looked into. path: of the value."""
        kind = type(value)
        if kind in NUMBERS:
            varies = path is not None and path in self.varying
            return (key, TYPE, kind, -1) if varies else (key, SAME, value, -1)
        if isinstance(value, Tensor):
            return self._tensor(key, value, path)
        self.visit(value, path)
        return key, SAME, value, -1

    def _tensor(self, key: Any, tensor: Tensor, path: Path | None) -> Entry:
        if isinstance(tensor, Symbol):
            self._refuse("the cell keeps a value of a step in an object that outlives it")
            return key, SAME, tensor, -1
        kind = type(tensor)
        ordinary = kind in _TENSORS or (
            issubclass(kind, nn.Parameter)
            and kind.__torch_function__ == nn.Parameter.__torch_function__
        )
        if not ordinary:  # before a run its memory is looked at, too (backends/memory.py)
            if tensor.device.type == "cpu":
                self._refuse(f"a {kind.__name__} is among the weights")
            return key, SAME, tensor, -1
        if path is not None:
            self.found.tensors.setdefault(id(tensor), path)
        if id(tensor) in self.aliases:
            return key, TENSOR, None, self.aliases[id(tensor)]
        self.aliases[id(tensor)] = len(self.aliases)
        return key, TENSOR, _facts(tensor), -1

    def _of_module(
        self, module: nn.Module, path: Path, children: list[tuple[nn.Module, Path]] | None
    ) -> tuple[Entry, ...]:
        """Return the entries of a module's attributes.

        children: where its modules go, that are found by name; None if it is itself not.
        """
        entries: list[Entry] = []
        for key, value in vars(module).items():
            if key in _GROUPS:
                part = "parameter" if key == "_parameters" else "buffer"
                inner = tuple(self.entry(n, t, path.to(n, part)) for n, t in value.items())
                entries.append((key, DICT, inner, -1))
            elif key == "_modules":
                inner = tuple(self._child(n, m, path, children) for n, m in value.items())
                entries.append((key, DICT, inner, -1))
            elif key in HOOKS:
                entries.append(self._hooks(key, value, type(module).__name__))
            elif key in _INTERNAL or (key not in _ALWAYS and not self._read(key)):
                entries.append((key, IGNORE, None, -1))
            else:
                entries.append(self.entry(key, value, path.to(key, "attribute")))
        return tuple(entries)

    def _hooks(self, key: str, hooks: Any, where: str) -> Entry:
        if not hooks:
            return key, EMPTY, None, -1
        self._refuse(f"a hook is on {where}")
        return key, SAME, marks(hooks), -1

    def _child(
        self,
        name: str,
        child: nn.Module | None,
        path: Path,
        children: list[tuple[nn.Module, Path]] | None,
    ) -> Entry:
        if child is None:
            return name, SAME, None, -1
        if children is None:
            return self.entry(name, child, path.to(name, "child"))
        children.append((child, path.to(name, "child")))
        return name, CHILD, type(child), -1

    def _read(self, name: str) -> bool:
        return name in self.names or (self.reads.by_name and not name.startswith("__"))

    def _add(self, node: Node) -> None:
        self.found.nodes.append(node)

    def _refuse(self, reason: str, name: str | None = None) -> None:
        if self.found.refused is None:
            line = None if name is None else self.reads.line_of(name)
            self.found.refused = reason + place_of(line)

    def _of_globals(self, code: types.CodeType, found: dict[str, Any]) -> None:
        entries: list[Entry] = []
        for name in sorted(read_code(code).global_names):
            if name in found:
                entries.append(self.entry(name, found[name], Path(found, (("item", name),))))
            else:
                entries.append((name, ABSENT, None, -1))
                if hasattr(builtins, name):
                    shared = vars(builtins)
                    self._add(Node(KEYS, shared, ((name, SAME, shared[name], -1),)))
        if entries:
            self._add(Node(KEYS, found, tuple(entries)))

    def _check_accounted(self) -> None:
        """Refuse if code ran whose function was not found: its variables cannot be watched."""
        inner, queue = set(self.accounted), list(self.accounted)
        while queue:
            new = [c for c in queue.pop().co_consts if isinstance(c, types.CodeType)]
            queue += [c for c in new if c not in inner]
            inner.update(new)
        for code in self.reads.codes:
            own = not is_pythons(code)
            if own and code not in inner and (code.co_freevars or code.co_argcount > 1):
                line = place_of((code.co_filename, code.co_firstlineno))
                self._refuse(f"{code.co_name}() runs, but where it is kept was not found{line}")

    def _look(self, value: Any, path: Path | None) -> None:
        kind = type(value)
        if kind in weakref.ProxyTypes:  # which say that they are what they stand for
            self._refuse("the cell reads a weak proxy, whose changes cannot be seen")
        elif isinstance(value, nn.Module):
            own = path or Path(value)
            self.visit(kind, None)
            self._add(Node(OBJECT, value, self._of_module(value, own, None), own))
        elif kind is list:
            self._of_list(value, path)
        elif kind is tuple:
            for k, item in enumerate(value):
                self._loose(item, path and path.to(k))
        elif kind is types.FunctionType:
            self._of_function(value)
        elif kind is types.MethodType:
            self.visit(value.__self__, None)
            self.visit(value.__func__, None)
        elif isinstance(value, type):
            if kind_is_open(value):
                self._of_class(value, path)
        elif isinstance(value, types.ModuleType):
            self._of_python_module(value)
        elif kind is types.MappingProxyType:
            for item in value.values():
                self._loose(item, None)
            self._add_call(marks, value)
        elif kind in _OPENED:
            for part in _OPENED[kind](value):
                self.visit(part, None)
        else:
            self._of_object(value, path)

    def _loose(self, item: Any, path: Path | None) -> None:
        """Look into an item of a holder that cannot change."""
        if isinstance(item, Tensor):
            if isinstance(item, Symbol):
                self._refuse("the cell keeps a value of a step in an object that outlives it")
            elif path is not None:
                self.found.tensors.setdefault(id(item), path)
                self._add_call(_facts, item)
        else:
            self.visit(item, path)

    def _of_list(self, value: list[Any], path: Path | None) -> None:
        path = path or Path(value)
        items = tuple(value)
        below = [p for p in self.varying if p.parent == path]
        entries: tuple[Entry, ...] = ()
        if below or not set(map(type, items)) <= set(_ATOMS):
            entries = tuple(self.entry(k, item, path.to(k)) for k, item in enumerate(items))
        self._add(Node(LIST, value, entries, path, items))

    def _of_function(self, function: types.FunctionType) -> None:
        parts = (function.__code__, function.__defaults__, function.__kwdefaults__)
        self._add(Node(FUNCTION, function, tuple(("", SAME, part, -1) for part in parts)))
        self.accounted.add(function.__code__)
        self.visit(getattr(function, "__wrapped__", None), None)
        if any(map(self._read, vars(function))):
            self._of_dict(vars(function), None)
        if function.__code__ not in self.reads.codes:
            return
        for part in parts[1:]:
            self.visit(part, None)
        for cell in function.__closure__ or ():
            try:
                inside = cell.cell_contents
            except ValueError:  # empty: the code would have raised
                continue
            entry = self.entry("", inside, Path(cell, (("cell", ""),)))
            self._add(Node(CELL, cell, (entry,)))

    def _of_class(self, kind: type, path: Path | None) -> None:
        entries: list[Entry] = []
        seen: set[str] = set()
        for each in kind.__mro__:
            library = each.__module__.partition(".")[0] in _LIBRARIES
            for name, value in list(vars(each).items()):
                method = value.__func__ if isinstance(value, staticmethod | classmethod) else value
                ran = isinstance(method, types.FunctionType) and method.__code__ in self.reads.codes
                if name in seen or name in _OF_A_CLASS or not (ran or self._read(name)):
                    continue
                seen.add(name)
                if library and each is not kind:
                    entries.append((name, SAME, value, -1))
                else:
                    here = (
                        Path(each, (("attribute", name),))
                        if path is None
                        else path.to(name, "attribute")
                    )
                    entries.append(self.entry(name, value, here))
        if kind.__module__.partition(".")[0] not in _LIBRARIES:
            absent = sorted(self.reads.names - seen)  # what comes later is found then
            entries += [(name, ABSENT, None, -1) for name in absent]
        self._add(Node(CLASS, kind, tuple(entries), path))
        if type(kind) is not type:
            self.visit(type(kind), None)

    def _of_python_module(self, module: types.ModuleType) -> None:
        own = vars(module)
        entries = [
            self.entry(name, own[name], Path(own, (("item", name),)))
            for name in sorted(self.reads.names & own.keys())
            if not isinstance(own[name], types.ModuleType) or module.__name__ != "sys"
        ]
        if self.reads.by_name and module.__name__.partition(".")[0] not in _LIBRARIES:
            absent = sorted(self.reads.names - own.keys())
            entries += [(name, ABSENT, None, -1) for name in absent]
        if module is not sys and module is not builtins:
            self._add(Node(KEYS, own, tuple(entries)))

    def _of_object(self, value: Any, path: Path | None) -> None:
        kind = type(value)
        base = next(each for each in kind.__mro__ if not kind_is_open(each))
        if kind is np.ndarray and value.dtype != object:
            self._add_call(numbers_of, value)
            return
        if issubclass(kind, dict):
            ordered = issubclass(kind, OrderedDict)
            self._of_dict(value, path, ordered)
        elif issubclass(kind, deque):
            self._of_items(value, path, marks)
        elif issubclass(kind, set | frozenset):
            self._of_items(value, None, marks_of_set)
        elif issubclass(kind, list):
            self._of_list(value, path)
        elif issubclass(kind, tuple):
            for k, item in enumerate(value):
                self._loose(item, path and path.to(k))
        elif base not in (object, int, float, str, bytes) and not issubclass(kind, BaseException):
            if not isinstance(value, np.generic):
                self._refuse(f"the cell reads a {kind.__module__}.{kind.__qualname__}, whose "
                             "changes cannot be seen", self._name_of(value))  # fmt: skip
            return
        if kind_is_open(kind):
            self._of_instance(value, path)

    def _name_of(self, value: Any) -> str | None:
        """Return a name under which an object was found."""
        for node in self.found.nodes:
            for key, mode, held, _ in node.entries:
                if mode == SAME and held is value and isinstance(key, str):
                    return key
        return None

    def _of_instance(self, value: Any, path: Path | None) -> None:
        kind = type(value)
        self.visit(kind, None)
        own = path or Path(value)
        entries: list[Entry] = []
        attributes = own_dict(value)
        if attributes is not None:
            for key, item in list(attributes.items()):
                if self._read(key) or isinstance(value, Enum):
                    entries.append(self.entry(key, item, own.to(key, "attribute")))
                else:
                    entries.append((key, IGNORE, None, -1))
            self._add(Node(OBJECT, value, tuple(entries), own))
        slots = [name for name in slots_of(kind) if self._read(name)]
        if slots:
            filled = filled_slots(value)
            inside = tuple(
                self.entry(name, filled[name], own.to(name, "attribute"))
                if name in filled
                else (name, ABSENT, None, -1)
                for name in slots
            )
            self._add(Node(ATTRIBUTES, value, inside, own))

    def _of_dict(self, value: dict[Any, Any], path: Path | None, ordered: bool = False) -> None:
        path = path or Path(value)
        for key in value:
            self.visit(key, None)
        entries = tuple(self.entry(k, v, path.to(k)) for k, v in value.items())
        self._add(Node(MAPPING, value, entries, path))
        if ordered:  # its order is not that of the dict that it is
            self._add_call(marks, value)

    def _of_items(self, value: Any, path: Path | None, call: Callable[[Any], Hashable]) -> None:
        for k, item in enumerate(value):
            self._loose(item, (path or Path(value)).to(k) if isinstance(value, deque) else None)
        self._add_call(call, value)

    def _add_call(self, call: Callable[[Any], Hashable], value: Any) -> None:
        self._add(Node(CALL, partial(call, value), (("", SAME, call(value), -1),)))


def _facts(tensor: Tensor) -> tuple[object, ...]:
    return (
        type(tensor), tensor.shape, tensor.dtype, tensor.device, tensor.layout, tensor.requires_grad
    )  # fmt: skip


# Objects of Python's own that only hold others.
_OPENED: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    partial: lambda p: (p.func, p.args, p.keywords, vars(p)),
    property: lambda p: (p.fget,),
    staticmethod: lambda m: (m.__func__,),
    classmethod: lambda m: (m.__func__,),
    type(cache(len)): lambda f: (f.__wrapped__,),
    weakref.ref: lambda r: (r(),),
}
