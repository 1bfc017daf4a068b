"""Which form a module has, found by trying: one step on zeros for each."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from recurra.cells.forms import (
    Passing,
    apart,
    call,
    fields_of,
    gives_of,
    passings,
    read,
    state_names,
    unfilled,
)
from recurra.cells.states import StateKind

Kinds = dict[str, StateKind]

_ORDER = ("tuple", "bare", "apart", "list", "dict", "named", "record")
_UNSURE = ("bare", "apart")  # an optional argument left out can make one look like the other
_FITS = "fits"


@dataclass(frozen=True)
class Fit:
    """The form of a module: its states, how it takes them, how it gives them back."""

    kinds: Kinds
    passing: Passing
    gives: str
    output_size: int


class Tries:
    """The forms that were tried on a module, and what each gave.

    Args:
        module: what steps.
        like: a tensor of x's dtype and on its device.
        input_size: I, the features of x.
        strict: whether what comes back must be of x's dtype for a form to fit.
    """

    def __init__(
        self, module: nn.Module, like: Tensor, input_size: int, strict: bool = False
    ) -> None:
        # More rows than states: a tensor could else be taken apart where a tuple was meant.
        self.module, self.x, self.strict = module, like.new_zeros(5, input_size), strict
        self.outcomes: dict[str, str] = {}
        self._known: Kinds | None = None

    def with_states(self, kinds: Kinds) -> Fit | None:
        """Return the first form that fits a module with these states, None if none does."""
        self._known = kinds
        self.x = self.x.new_zeros(max(5, len(kinds) + 1), self.x.shape[1])
        for way in passings(self.module, tuple(kinds)):
            fit = self._try(kinds, way)
            if fit is not None:
                return fit
        _, record = self._asked()
        way = Passing("record", record=record)
        return None if record is None else self._try(kinds, way)

    def among(self, hidden_size: int) -> Fit | None:
        """Return the form of a module whose states are not known, None if none fits alone.

        It is asked for its states by a step without any; one that needs them is tried with those
        that its arguments name, and with one and two of `hidden_size`.
        """
        found, record = self._asked()
        if not found:
            needed = state_names(self.module)
            names = [needed, ["h"], ["h", "c"]] if len(needed) > 1 else [["h"], ["h", "c"]]
            found = [dict.fromkeys(each, StateKind((hidden_size,))) for each in names]
        pairs = [(kinds, way) for kinds in found for way in passings(self.module, tuple(kinds))]
        pairs.sort(key=lambda pair: _ORDER.index(pair[1].kind))
        if record is not None:
            pairs += [(kinds, Passing("record", record=record)) for kinds in found]
        fits: list[Fit] = []
        for kinds, way in pairs:
            if not fits or (fits[0].passing.kind in _UNSURE and way.kind in _UNSURE):
                fit = self._try(kinds, way)
                fits += [] if fit is None else [fit]
        return fits[0] if len({len(fit.kinds) for fit in fits}) == 1 else None

    def report(self) -> str:
        """Return what was tried and what it gave, for an error."""
        name, x = type(self.module).__name__, tuple(self.x.shape)
        tried = "".join(f"\n  {text}: {outcome}" for text, outcome in self.outcomes.items())
        tried = tried or "\n  nothing: forward has no argument beside x"
        forms = "forward(x, h, c) or forward(x, (h, c)) -> output, (h, c) or -> h, c"
        if self._known is not None:
            states = "".join(f", {n} {(x[0], *kind.shape)}" for n, kind in self._known.items())
            return (
                f"{name} failed on one step with inputs of x {x}{states}, in every form that a "
                f"cell may have ({forms}; one state, a list, a dict likewise). Tried:{tried}"
            )
        several = list(self.outcomes.values()).count(_FITS) > 1
        return (
            f"what state {name} carries is not known: give the module an attribute state_sizes = "
            '{"h": hidden_size, ...}, or pass state_sizes= . '
            f"{'More than one form' if several else 'No form'} of a cell fits it ({forms}; one "
            f"state, a list, a dict likewise). Tried on one step with x {x}:{tried}"
        )

    def _try(self, kinds: Kinds, way: Passing) -> Fit | None:
        found = self._step(kinds, way)
        self.outcomes[way.text(tuple(kinds))] = _FITS if isinstance(found, Fit) else found
        return found if isinstance(found, Fit) else None

    def _step(self, kinds: Kinds, way: Passing, again: bool = True) -> Fit | str:
        """Step once on zeros; return the form if it fits, what came if not."""
        names = tuple(kinds)
        result = self._result(kinds, way)
        if isinstance(result, Exception):
            return said(result)
        gives = gives_of(result, names)
        if gives is None:
            return f"gave {describe(result)}"
        output, new = read(result, gives, names)
        seen = {
            name: replace(kind, is_complex=kind.is_complex or s.is_complex())
            for (name, kind), s in zip(kinds.items(), new, strict=True)
        }
        if seen != kinds and again:  # it is a complex state, which the cell makes of real zeros
            return self._step(seen, way, again=False)
        wrong = self._wrong(kinds, output, new)
        if wrong is not None:
            return f"gave {describe(result)}; {wrong}"
        if unfilled(self.module, way, len(names)) and not self._depends(kinds, way):
            return "what it gave does not depend on the state"
        return Fit(kinds, way, gives, output.shape[1])

    def _wrong(self, kinds: Kinds, output: Tensor, new: Sequence[Tensor]) -> str | None:
        B, real = self.x.shape[0], self.x.dtype
        if output.dim() != 2 or output.shape[0] != B or output.shape[1] == 0:
            return f"the output must be of (B, O) = ({B}, O)"
        if output.is_complex():
            return "the output must be real, as x is: give output.real, or both parts side by side"
        for (name, kind), s in zip(kinds.items(), new, strict=True):
            if s.shape != (B, *kind.shape):
                return f"state {name!r} must be of {(B, *kind.shape)}"
            if (self.strict or kind.is_complex) and s.dtype != kind.dtype(real):
                return f"state {name!r} must be {kind.dtype(real)} where x is {real}, not {s.dtype}"
        if self.strict and output.dtype != real:
            return f"the output must be {real}, as x is, not {output.dtype}"
        return None

    def _depends(self, kinds: Kinds, way: Passing) -> bool:
        """Return whether the state makes a difference, as it does where it arrives."""
        before, after = (tensors_in(self._result(kinds, way, number)) for number in (0.0, 0.5))
        if self.x.is_meta or len(before) != len(after):
            return True
        return not all(torch.equal(a, b) for a, b in zip(before, after, strict=True))

    def _result(self, kinds: Kinds, way: Passing, number: float = 0.0) -> Any:
        """Return what a step from states of that number gives, or the exception it raises."""
        B, x = self.x.shape[0], self.x
        dtypes = [kind.dtype(x.dtype) for kind in kinds.values()]

        def step() -> Any:
            pairs = zip(kinds.values(), dtypes, strict=True)
            states = tuple(x.new_full((B, *k.shape), number, dtype=dtype) for k, dtype in pairs)
            return call(self.module, x, states, tuple(kinds), way)

        return self._run(step)

    def _run(self, step: Callable[[], Any]) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return quietly(self.module, step)
        except Exception as error:
            return error

    def _asked(self) -> tuple[list[Kinds], Any]:
        """Return which states a module may have, by what it gives when it is given none.

        With them the class that they come in, where it is a record's.
        """
        result = self._run(lambda: self.module(self.x))
        if isinstance(result, Exception):
            result = self._run(lambda: self.module(self.x, None))
        if isinstance(result, Exception):
            return [], None
        holders: list[Any] = [result]
        if type(result) in (tuple, list) and len(result) > 1:
            first, *others = result
            if not all(isinstance(part, Tensor) for part in result):
                holders = [others[0] if isinstance(first, Tensor) else first]
            else:  # all of them are states, or all but the first
                holders = [result, others[0] if len(others) == 1 else tuple(others)]
        found = [kinds for holder in holders if (kinds := self._kinds_in(holder))]
        record = type(holders[0]) if fields_of(type(holders[0])) else None
        return found, record

    def _kinds_in(self, holder: Any) -> Kinds | None:
        """Return the states in a container that a module gave back, None if they are none."""
        if isinstance(holder, Mapping):
            names = [str(key) for key in holder]
        else:
            names = list(fields_of(type(holder)))
        states = apart(holder, names)
        names = names or state_names(self.module)
        if len(names) != len(states):
            names = ["h", "c"] if len(states) < 3 else [f"s{k + 1}" for k in range(len(states))]
        B = self.x.shape[0]
        if not all(isinstance(s, Tensor) and s.dim() and s.shape[0] == B for s in states):
            return None
        return {
            name: StateKind(tuple(s.shape[1:]), s.is_complex())
            for name, s in zip(names, states, strict=False)
        }


def quietly(module: nn.Module, step: Callable[[], Any]) -> Any:
    """Return what a step gives, leaving the module's mode and the random numbers as they were."""
    modes = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            return step()
    finally:
        for m, training in modes.items():
            m.training = training


def said(error: Exception) -> str:
    """Return an exception as one line."""
    text = " ".join(str(error).split())
    text = text if len(text) <= 200 else f"{text[:200]}..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def describe(value: Any) -> str:
    """Return what a module gave, by its shapes."""
    if isinstance(value, Tensor):
        dtype = f" {value.dtype}" if value.is_complex() else ""
        return f"{tuple(value.shape)}{dtype}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {describe(part)}" for key, part in value.items()) + "}"
    if names := fields_of(type(value)):
        parts = (f"{name}={describe(getattr(value, name, None))}" for name in names)
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of ({', '.join(map(describe, value))})"
    return type(value).__name__


def tensors_in(value: Any) -> list[Tensor]:
    """Return the tensors in what a module gave; [] for anything else."""
    return list(_tensors_in(value))


def _tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors_in(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors_in(part)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _tensors_in(getattr(value, field.name))
