"""From a cell to what the machine runs, found once, kept with the cell, and looked at at each call.

A program holds as long as all that its trace has read is as it was (`program/trace_watch.py`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from recurra.backends.compiled import Compiled, compile_program
from recurra.backends.interpret import constants, set_up, step
from recurra.backends.memory import away, check_dense, odd_weight
from recurra.backends.speed import faster_loop
from recurra.backends.steps import SteppedCell, Steps
from recurra.errors import TraceError
from recurra.program.trace import Attempt, Traced, attempt
from recurra.program.trace_leaves import Path
from recurra.program.trace_watch import watch
from recurra.program.watched import differing_numbers

try:
    from recurra._core import Watch
except ImportError:  # without the core nothing runs what is prepared
    Watch = None  # type: ignore[assignment, misc]

MOST_PROGRAMS = 16  # of a cell: of each dtype, the last used ones
MOST_CREDIT = 16.0  # traces in a row, without a call that could use an earlier one
CREDIT_OF_A_CALL = 1 / 32


@dataclass(frozen=True, eq=False)
class Prepared:
    """A cell's traced program, ready to run."""

    traced: Traced
    compiled: Compiled
    _slower: dict[tuple[bool, bool], str | None] = field(default_factory=dict)

    def faster_loop(self, gradients: bool, dx: bool) -> str | None:
        """Return why the cell is better left to its loop, or None."""
        key = gradients, dx
        if key not in self._slower:
            self._slower[key] = faster_loop(self.traced.program, self.compiled, *key)
        return self._slower[key]


class Known:
    """What an attempt to trace a cell has come to, and the watch over what that depends on."""

    def __init__(self, found: Prepared | str, tried: Attempt) -> None:
        self.found, self.tried = found, tried
        self.watched = tried.watched
        self._watch()

    def _watch(self) -> None:
        plan = tuple(node.plan for node in self.watched.nodes)
        self.holds = None if Watch is None else Watch(plan).check

    def numbers_changed(self, cell: nn.Module) -> list[Path] | None:
        """Return the numbers that differ from those of the trace; None if something else does.

        Nothing, if only what the trace has not read is different; that is then looked at no more.
        """
        now = watch(cell, self.tried.reads, self.tried.varying)
        changed = differing_numbers(self.watched, now)
        if changed == []:
            self.watched = now
            self._watch()
        return changed


def prepare(cell: SteppedCell, dtype: torch.dtype) -> Prepared | str:
    """Return the cell's program for x of `dtype`, or why it has none."""
    assert isinstance(cell, nn.Module)
    programs = cell.programs
    key = dtype, type(cell), torch.get_default_dtype()
    known = programs.known.get(key, ())
    for place, one in enumerate(known):
        if one.holds is not None and one.holds(cell) == -1:
            if place:
                programs.known[key] = (one, *known[:place], *known[place + 1 :])
            if programs.credit < MOST_CREDIT:
                programs.credit += CREDIT_OF_A_CALL
            found: Prepared | str = one.found
            return found
    with programs.lock:
        return _renew(cell, key)


def _renew(cell: Any, key: tuple[torch.dtype, type, torch.dtype]) -> Prepared | str:
    """Trace a cell anew, unless nothing has changed that matters or it changes all the time."""
    odd = odd_weight(cell)  # a trace has symbols in the weights' places: it would not notice
    if odd is not None:
        return odd
    programs = cell.programs
    if programs.credit < 1:
        programs.credit += CREDIT_OF_A_CALL / 2
        return "what it reads changes at nearly every call, so that no program holds"
    known: tuple[Known, ...] = programs.known.get(key, ())
    nearest: tuple[Known, list[Path]] | None = None
    for one in known:
        changed = one.numbers_changed(cell)
        if changed == []:
            return one.found
        if changed and nearest is None and isinstance(one.found, Prepared):
            nearest = one, changed
    programs.credit -= 1
    new, old = None, None
    if nearest is not None:
        old, changed = nearest
        new = _with_inputs(cell, key[0], old, changed)
        if new is None:
            old = None
            programs.fixed.update(changed)
    if new is None:
        new = _trace(cell, key[0])
    rest = [one for one in known if one is not old]
    programs.known[key] = (new, *rest)[:MOST_PROGRAMS]
    return new.found


def prepare_anew(cell: Any, dtype: torch.dtype) -> Prepared | str:
    """Return what `prepare` does, traced now, no number being an input of the program."""
    return odd_weight(cell) or _trace(cell, dtype).found


def _trace(cell: Any, dtype: torch.dtype, varying: Iterable[Path] = ()) -> Known:
    # Whoever counts what a call saves (torch's checkpoints) must not count what tracing does.
    with saved_tensors_hooks(_as_it_is, _as_it_is):
        tried = attempt(
            cell, cell.input_size, cell.state_sizes, dtype, torch.device("cpu"), varying
        )
    elsewhere = away(cell, torch.device("cpu"))
    if elsewhere is not None:
        return Known(elsewhere, tried)
    for name, kind in cell.state_kinds.items():
        if kind.is_complex:
            reason = f"the state {name!r} is complex; the machine computes with real numbers"
            return Known(reason, tried)
    if isinstance(tried.traced, TraceError):
        return Known(str(tried.traced), tried)
    traced = tried.traced.sourced(tried.watched)
    return Known(Prepared(traced, compile_program(traced.program)), tried)


def _with_inputs(cell: Any, dtype: torch.dtype, old: Known, changed: list[Path]) -> Known | None:
    """Return the cell's program with changed numbers as inputs; None where it cannot have them.

    It must give what programs with these numbers written in them give: code may ask whether
    something is a number, and do something else with a tensor.
    """
    if not cell.programs.fixed.isdisjoint(changed):
        return None
    again = old.watched.again  # a number reached in two ways would be an input on one of them only
    if any(id(one) in again for path in changed for one in path.holders(cell)):
        return None
    if any(path.read(cell) == 0 for path in changed):  # Python raises where it divides by 0
        return None
    new = _trace(cell, dtype, {*old.tried.varying, *changed})
    if not isinstance(new.found, Prepared):
        return None
    plain = _trace(cell, dtype, old.tried.varying)
    if not isinstance(plain.found, Prepared) or not _equal(cell, new.found, plain.found):
        return None
    return new


def _equal(cell: Any, one: Prepared, other: Prepared) -> bool:
    """Return whether two programs of a cell give the same for some x and state."""
    drawn = ([(r.kind, r.size) for r in each.traced.randoms] for each in (one, other))
    if next(drawn) != next(drawn):
        return False
    generator = torch.Generator().manual_seed(0)
    like = torch.empty(0, dtype=torch.float64)
    x, *state = (
        torch.randn(4, size, dtype=torch.float64, generator=generator)
        for size in (cell.input_size, *cell.state_sizes.values())
    )
    draws = [
        torch.rand(4, r.size, dtype=torch.float64, generator=generator) for r in one.traced.randoms
    ]
    results = []
    with torch.no_grad():
        for each in (one, other):
            program = each.compiled.program
            weights = {v: w.to(like) for v, w in set_up(program, leaves(each, cell)).items()}
            known = constants(program) | weights
            (out,), new = step(program, known, [x, *draws], state)
            results.append((out, *new))
    return all(
        torch.allclose(a, b, rtol=1e-6, atol=1e-9, equal_nan=True)
        for a, b in zip(*results, strict=True)
    )


def _as_it_is(tensor: Tensor) -> Tensor:
    return tensor


def leaves(prepared: Prepared, cell: SteppedCell) -> tuple[Tensor, ...]:
    """Return the tensors of the program's parameters, made from the cell's by torch."""
    assert isinstance(cell, nn.Module)
    tensors = {path: _tensor(cell, path) for path in prepared.traced.names}
    for where, tensor in prepared.traced.recipe.unregistered(cell):
        check_dense(where, tensor)
    return prepared.traced.leaves(tensors, cell)


def _tensor(module: nn.Module, path: str) -> Tensor:
    *parts, name = path.split(".")
    for part in parts:
        module = module._modules[part]  # type: ignore[assignment]
    tensor = module._parameters.get(name)
    return module._buffers[name] if tensor is None else tensor  # type: ignore[return-value]


def obstacle(cell: SteppedCell, steps: Steps) -> str | None:
    """Return what in this call the machine cannot do, or None."""
    x = steps.x
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return "the call is being traced"
    if torch._C._len_torch_dispatch_stack():
        return "a mode of torch watches every operation"
    if x.device.type != "cpu":
        return f"the tensors are on {x.device}; the machine is the processor's"
    if x.dtype not in (torch.float32, torch.float64):
        return f"the machine computes in float32 and float64, not {x.dtype}"
    if x.numel() == 0:
        return "the input is empty"
    if torch.is_autocast_enabled("cpu"):
        return "autocast is on"
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return "the machine knows no torch.func transforms"
    if torch.autograd.forward_ad._current_level >= 0:
        return "the machine knows no forward-mode derivatives"
    tensors = (x, *steps.state, *steps.fresh)
    if any(t.dtype != x.dtype or t.device != x.device for t in tensors):
        return "the states are of another dtype or device than x"
    return None
