"""A cell's program with its plans: made once, used by every call."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from recurra.program.differentiate import Adjoint, differentiate
from recurra.program.hoist import hoist
from recurra.program.own_backward import forward_only, without_the_dead
from recurra.program.program import Program
from recurra.program.simplify import simplify
from recurra.program.window import Window, within

if TYPE_CHECKING:  # without the compiled core these cannot be imported, and nothing is planned
    from recurra.backends.layout import Saved
    from recurra.backends.lowering import Lowered


@dataclass(frozen=True)
class Way:
    """What plans depend on besides the program.

    gradients: whether there are any; dx: whether of x, too; restarts: whether rows restart;
    clip_states, window: as `Steps` has them.
    """

    gradients: bool
    dx: bool
    restarts: bool
    clip_states: float | None = None
    window: Window | None = None


@dataclass(eq=False)
class Compiled:
    """The program of a cell, its adjoint and the machine's plans of both.

    program: simplified and hoisted. source: the same with the gradients that the cell gives
        itself. The rest is made when it is first asked for.
    """

    program: Program
    source: Program
    _adjoints: dict[object, Adjoint] = field(default_factory=dict)
    _forward: "dict[Way, Lowered]" = field(default_factory=dict)
    _backward: "dict[Way, Lowered]" = field(default_factory=dict)

    def adjoint(self, way: Way) -> Adjoint:
        """Return the adjoint that a backward run is.

        Raises `ProgramError` where it cannot be cut off at the window.
        """
        key = way.dx, way.clip_states, way.window
        if key not in self._adjoints:
            if way.window is None:
                needs = [way.dx, *[False] * (len(self.program.inputs) - 1)]
                found = differentiate(self.source, needs, way.clip_states)
            else:
                found = within(self.adjoint(replace(way, window=None)), way.window)
            self._adjoints[key] = found
        return self._adjoints[key]

    def forward(self, way: Way) -> "Lowered":
        """Return the plan of the forward run."""
        if way not in self._forward:
            from recurra.backends.lowering import lower

            keep = self.adjoint(way).saved if way.gradients else ()
            program = self.program
            if program is not self.source:
                program = without_the_dead(program, keep)
            self._forward[way] = lower(program, keep=keep, restarts=way.restarts)
        return self._forward[way]

    def backward(self, way: Way) -> "Lowered":
        """Return the plan of the adjoint run."""
        if way not in self._backward:
            from recurra.backends.lowering import lower

            adjoint, kept = self.adjoint(way), self.forward(way).kept
            self._backward[way] = lower(
                adjoint.program,
                saved=self._saved(adjoint, kept),
                descending=True,
                restarts=way.restarts,
            )
        return self._backward[way]

    def _saved(self, adjoint: Adjoint, kept: "Mapping[int, Saved]") -> "dict[int, Saved]":
        inputs = adjoint.program.inputs
        own = inputs[len(inputs) - len(adjoint.saved) :]
        return {
            mine: kept[theirs]
            for mine, theirs in zip(own, adjoint.saved, strict=True)
            if theirs in kept
        }


def compile_program(program: Program) -> Compiled:
    """Return a traced program, ready to be planned."""
    source = hoist(simplify(program))
    return Compiled(forward_only(source), source)
