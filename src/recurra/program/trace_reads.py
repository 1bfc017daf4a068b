"""What a cell's code does while it is traced: which code runs, and what it changes."""

import dis
import gc
import os
import random
import struct
import sys
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra.errors import TraceError
from recurra.program.trace_refusal import place_of, refusal

_HERE = os.path.dirname(__file__)
_TRACER = (_HERE, os.path.join(os.path.dirname(_HERE), "backends"))
_LIBRARIES = (os.path.dirname(torch.__file__), os.path.dirname(np.__file__))
_PYTHON = os.path.dirname(os.__file__)
_GENERATORS = (random.Random, np.random.Generator, np.random.RandomState, torch.Generator)

# Functions in C that give the same for the same arguments and change nothing else.
_PURE = {
    "builtins", "math", "cmath", "_operator", "itertools", "_functools", "functools",
    "_collections", "_abc", "_weakref", "_typing", "_struct", "_statistics",
}  # fmt: skip
_IMPURE = {
    "print", "input", "open", "exec", "eval", "compile", "breakpoint",
    "globals", "locals", "__import__", "setitem", "delitem", "iadd", "iand", "iconcat", "ior",
    "imul", "isub", "ixor", "is_grad_enabled", "is_inference_mode_enabled", "initial_seed",
    "get_num_threads", "is_autocast_enabled", "is_autocast_cpu_enabled", "seed",
}  # fmt: skip
_BY_NAME = {"getattr", "hasattr", "vars", "dir"}  # which attribute is read is known to them only
_CHANGES = {
    "append", "appendleft", "extend", "extendleft", "insert", "pop", "popleft", "popitem", "remove",
    "clear", "sort", "reverse", "rotate", "update", "setdefault", "add", "discard", "__setitem__",
    "__delitem__", "difference_update", "intersection_update", "symmetric_difference_update",
    "move_to_end",
}  # fmt: skip
_CONTAINERS = (list, dict, set, deque)
_VALUES = (str, bytes, int, float, complex, tuple, frozenset, range, type, slice, type(None))
_NOT_CHANGED = (Tensor, type, ModuleType, FunctionType, BuiltinFunctionType)
_BY_CLASS_STATEMENT = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_POINTER = struct.calcsize("P")
MOST_OBJECTS = 50_000
_TRACERS, _LIBRARYS, _PYTHONS, _USERS = range(4)


_OUTER = ("STORE_GLOBAL", "DELETE_GLOBAL")
_OUTER_IF_FREE = ("STORE_DEREF", "DELETE_DEREF")
_STORES = ("STORE_ATTR", "DELETE_ATTR", "STORE_SUBSCR", "DELETE_SUBSCR", "STORE_SLICE")


@dataclass(frozen=True)
class Code:
    """What a piece of code may read and change, by its instructions.

    names: of attributes; global_names: of globals. stores: the line of the first instruction that
    changes an attribute, an item or an object in place, or None. outer: the line of the first one
    that changes a variable of the functions or of the module around it, or None.
    """

    names: frozenset[str]
    global_names: frozenset[str]
    stores: int | None
    outer: int | None


@cache
def read_code(code: CodeType) -> Code:
    """Return what a piece of code may read and change."""
    names = {code.co_name, *code.co_names}
    texts = list(code.co_consts)
    while texts:
        text = texts.pop()
        if isinstance(text, tuple | frozenset):
            texts += text
        elif isinstance(text, str):
            names |= {name for name in text.split(".") if name.isidentifier()}
    global_names, stores, outer, line = set(), None, None, code.co_firstlineno
    for step in dis.get_instructions(code):
        line = step.positions.lineno if step.positions and step.positions.lineno else line
        of_outer = step.argval in code.co_freevars
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            global_names.add(step.argval)
        elif step.opname in _OUTER or (step.opname in _OUTER_IF_FREE and of_outer):
            outer = outer or line
        elif step.opname in _STORES or (step.opname == "BINARY_OP" and step.argrepr[-1] == "="):
            stores = stores or line
    if stores is None and not {"__setattr__", "__delattr__"}.isdisjoint(code.co_names):
        stores = code.co_firstlineno
    return Code(frozenset(names), frozenset(global_names), stores, outer)


@cache
def _room(filename: str) -> int:
    """Return whose code a file has."""
    if filename.startswith(_TRACER):
        return _TRACERS
    if filename.startswith((*_LIBRARIES, "<frozen")):
        return _LIBRARYS
    own = filename.startswith(_PYTHON) and "site-packages" not in filename
    return _PYTHONS if own else _USERS


def _whose(frame: FrameType | None) -> int:
    """Return whose code runs in a frame. Python's own library counts as its caller's."""
    while frame is not None:
        room = _room(frame.f_code.co_filename)
        if room != _PYTHONS:
            return room
        frame = frame.f_back
    return _USERS


def contents(held: Any) -> Any:
    """Return what an object holds, copied, so that it can be compared and put back."""
    if isinstance(held, list | deque):
        return list(held)
    if isinstance(held, dict):
        return dict(held)
    if isinstance(held, set):
        return set(held)
    own = dict(own_dict(held) or {})
    groups = ("_parameters", "_buffers", "_modules") if isinstance(held, nn.Module) else ()
    return own, {name: dict(own[name]) for name in groups}, filled_slots(held)


def put_back(held: Any, before: Any) -> None:
    """Give an object the contents that it had."""
    if isinstance(held, list):
        held[:] = before
    elif isinstance(held, deque | dict | set):
        held.clear()
        if isinstance(held, deque):
            held.extend(before)
        else:
            held.update(before)
    else:
        own, groups, slots = before
        attributes = own_dict(held)
        if attributes is not None:
            attributes.clear()
            attributes.update(own)
        for name, group in groups.items():
            own[name].clear()
            own[name].update(group)
        for name in slots_of(type(held)):
            if name in slots:
                object.__setattr__(held, name, slots[name])
            elif name in filled_slots(held):
                object.__delattr__(held, name)


def own_dict(held: Any) -> dict[str, Any] | None:
    """Return the dictionary of an object's own attributes, asking nothing of its class."""
    try:
        found: dict[str, Any] = object.__getattribute__(held, "__dict__")
    except AttributeError:
        return None
    return found


def filled_slots(held: Any) -> dict[str, Any]:
    """Return the attributes that an object has in slots, asking nothing of its class."""
    found = {}
    for name in slots_of(type(held)):
        with suppress(AttributeError):
            found[name] = object.__getattribute__(held, name)
    return found


def kind_is_open(kind: type) -> bool:
    """Return whether objects of a class hold nothing but what a class statement gives them.

    A class made in C may have more in memory than its base, its slots and its dictionary account
    for, and nobody sees that change.
    """
    if kind is SimpleNamespace:
        return True
    if not kind.__flags__ & _BY_CLASS_STATEMENT or kind.__base__ is None:
        return False
    own = vars(kind)
    slots = own.get("__slots__", ())
    names = {slots} if isinstance(slots, str) else set(slots)
    pointers = len(names - {"__dict__", "__weakref__"}) + ("__dict__" in own)
    pointers += "__weakref__" in own
    return kind.__basicsize__ - kind.__base__.__basicsize__ <= pointers * _POINTER


def is_pythons(code: CodeType) -> bool:
    """Return whether code is of Python's own library."""
    return _room(code.co_filename) == _PYTHONS


def alike(a: Any, b: Any) -> bool:
    """Return whether two contents are the same objects, or equal numbers or texts."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(alike, a.values(), b.values()))
    return isinstance(a, int | float | str | set) and bool(a == b)


def slots_of(kind: type) -> tuple[str, ...]:
    """Return the names under which a class's `__slots__` are read."""
    found = []
    for each in kind.__mro__:
        slots = each.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else tuple(slots):
            private = name.startswith("__") and not name.endswith("__")
            found.append(f"_{each.__name__.lstrip('_')}{name}" if private else name)
    return tuple(name for name in found if name not in ("__dict__", "__weakref__"))


@dataclass
class _Noted:
    """An object that the cell may change, what it held before, and the line that may do it."""

    held: Any
    before: Any
    line: tuple[str, int]


class Reads:
    """Watches the code of a cell that is traced, in this thread.

    codes: the code that has run and is not torch's, each with its globals.
    names: the attributes that it may have read; library_names: those that torch's code may have.
    by_name: whether an attribute was read by a name that was computed.
    """

    def __init__(self) -> None:
        self.codes: dict[CodeType, dict[str, Any]] = {}
        self.names: set[str] = set()
        self.library_names: set[str] = set()
        self.by_name = False
        # What the garbage collector calls runs in anybody's midst.
        callbacks = (getattr(callback, "__code__", None) for callback in gc.callbacks)
        self._library: set[CodeType] = {code for code in callbacks if code is not None}
        self._before: Any = None
        self._noted: dict[int, _Noted] = {}

    def __enter__(self) -> None:
        """Watch what this thread does in the block."""
        self._before = sys.getprofile()
        sys.setprofile(self._look)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        if callable(self._before):
            sys.setprofile(self._before)
        elif hasattr(self._before, "enable"):  # cProfile's, in Python before 3.12
            self._before.enable()

    def undo(self) -> list[tuple[Any, tuple[str, int]]]:
        """Put back what was changed; return the changed objects, and the lines that may have."""
        changed = []
        for noted in self._noted.values():
            if not alike(contents(noted.held), noted.before):
                put_back(noted.held, noted.before)
                changed.append((noted.held, noted.line))
        self._noted.clear()
        return changed

    def line_of(self, name: str) -> tuple[str, int] | None:
        """Return the file and line of the first code that reads an attribute or global."""
        for code in self.codes:
            for step in dis.get_instructions(code):
                if step.argval == name and step.positions and step.positions.lineno:
                    return code.co_filename, step.positions.lineno
        return None

    def _look(self, frame: FrameType, event: str, arg: Any) -> None:
        code = frame.f_code
        if event == "c_call":
            if code not in self._library and _whose(frame) == _USERS:
                self._call_in_c(frame, arg)
        elif event == "call" and code not in self._library:
            whose = _whose(frame)
            if whose == _USERS and code.co_name != "__del__":
                self._run(code, frame)
            elif _room(code.co_filename) != _PYTHONS:
                self._library.add(code)
                if whose == _LIBRARYS:
                    self.library_names |= read_code(code).names

    def _run(self, code: CodeType, frame: FrameType) -> None:
        known = read_code(code)
        if code not in self.codes:
            self.codes[code] = frame.f_globals
            self.names |= known.names
            self.by_name |= "__dict__" in known.names
        self._refuse_generators(known, frame)
        if known.outer is not None:
            line = code.co_filename, known.outer
            raise refusal("the cell changes a variable outside its function", line)
        if known.stores is not None:
            self._note_reached(frame, known.stores)

    def _refuse_generators(self, known: Code, frame: FrameType) -> None:
        """Refuse generators of random numbers before something is drawn from them."""
        own = frame.f_locals
        found: list[tuple[dict[str, Any], Iterable[str]]] = [
            (frame.f_globals, known.global_names),
            (own, own),
        ]
        found += [
            (own_dict(value) or {}, known.names)
            for value in own.values()
            if kind_is_open(type(value)) and not isinstance(value, Tensor | type)
        ]
        for holder, names in found:
            for name in names:
                value = holder.get(name)
                bound = isinstance(value, BuiltinFunctionType | MethodType)
                owner = value.__self__ if bound and value is not None else None
                module = value is np.random or (value is np and "random" in known.names)
                if module or isinstance(value, _GENERATORS) or isinstance(owner, _GENERATORS):
                    line = frame.f_code.co_filename, frame.f_code.co_firstlineno
                    raise refusal("the cell draws random numbers that are not torch's", line)

    def _note_reached(self, frame: FrameType, line: int) -> None:
        """Note what the code of a frame may change."""
        seen = [frame.f_globals.get(name) for name in read_code(frame.f_code).global_names]
        self._note_all((*frame.f_locals.values(), *seen), (frame.f_code.co_filename, line))

    def _call_in_c(self, frame: FrameType, called: Any) -> None:
        name, owner = called.__name__, getattr(called, "__self__", None)
        here = frame.f_code.co_filename, frame.f_lineno
        if isinstance(owner, _CONTAINERS):
            if name in _CHANGES:
                self._note(owner, here)
            return
        if owner is None or isinstance(owner, ModuleType):
            module = called.__module__ or ""
            if name in _BY_NAME:
                self.by_name = True
            if name in ("setattr", "delattr"):
                self._note_reached(frame, frame.f_lineno)
            pure = module in _PURE or module.startswith(("torch", "numpy"))
            if not pure or name in _IMPURE or module.startswith("numpy.random"):
                room = "" if module in ("", "builtins") else f"{module.lstrip('_')}."
                raise refusal(
                    f"{room}{name}() is called, whose effects and reads cannot be seen", here
                )
            return
        if isinstance(owner, (*_VALUES, Tensor)):
            return
        kind = type(owner)
        if kind.__module__.startswith("torch") and kind is not torch.Generator:
            return
        if kind.__module__ in ("builtins", "collections", "itertools", "functools"):
            return  # iterators and the like, which the cell has made or the watch refuses
        raise refusal(f"{kind.__name__}.{name}() is called, which changes what it belongs to", here)

    def _note_all(self, roots: Iterable[Any], line: tuple[str, int]) -> None:
        """Note all objects that can be reached from roots by names that the code reads."""
        queue = list(roots)
        while queue:
            held = queue.pop()
            if id(held) in self._noted or isinstance(held, _NOT_CHANGED):
                continue
            if isinstance(held, tuple):
                queue += held
                continue
            if isinstance(held, MethodType):
                queue.append(held.__self__)
                continue
            if not (kind_is_open(type(held)) or isinstance(held, _CONTAINERS)):
                continue
            self._note(held, line)
            inside = self._noted[id(held)].before
            if isinstance(held, dict):
                queue += inside.values()
            elif isinstance(held, list | deque):
                queue += inside
            elif not isinstance(held, set):
                for part in (inside[0], *inside[1].values(), inside[2]):
                    own = part is inside[0] or part is inside[2]
                    queue += [v for n, v in part.items() if not own or n in self.names]

    def _note(self, held: Any, line: tuple[str, int]) -> None:
        if id(held) not in self._noted:
            if len(self._noted) >= MOST_OBJECTS:
                raise refusal("the cell changes something, and what it reaches is too much", line)
            self._noted[id(held)] = _Noted(held, contents(held), line)


def effect(line: tuple[str, int]) -> TraceError:
    """Return the refusal of a cell that changes what lives longer than its call."""
    reason = "the cell changes an object that outlives the step" + place_of(line)
    return TraceError(reason)
