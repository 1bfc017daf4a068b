"""A cell's program with its plans: made once, used by every call."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recurra.program.differentiate import Adjoint, differentiate
from recurra.program.hoist import hoist
from recurra.program.program import Program
from recurra.program.simplify import simplify

if TYPE_CHECKING:  # without the compiled core these cannot be imported, and nothing is planned
    from recurra.backends.layout import Saved
    from recurra.backends.lowering import Lowered


@dataclass(frozen=True)
class Way:
    """What a plan depends on besides the program: which gradients, and whether rows restart."""

    gradients: bool
    dx: bool
    restarts: bool


@dataclass(eq=False)
class Compiled:
    """The program of a cell, its adjoint and the machine's plans of both.

    program: simplified and hoisted. The rest is made when it is first asked for.
    """

    program: Program
    _adjoints: dict[bool, Adjoint] = field(default_factory=dict)
    _forward: "dict[Way, Lowered]" = field(default_factory=dict)
    _backward: "dict[Way, Lowered]" = field(default_factory=dict)

    def adjoint(self, dx: bool) -> Adjoint:
        """Return the adjoint, with or without the gradient of x."""
        if dx not in self._adjoints:
            draws = len(self.program.inputs) - 1
            self._adjoints[dx] = differentiate(self.program, [dx, *[False] * draws])
        return self._adjoints[dx]

    def forward(self, way: Way) -> "Lowered":
        """Return the plan of the forward run."""
        if way not in self._forward:
            from recurra.backends.lowering import lower

            keep = self.adjoint(way.dx).saved if way.gradients else ()
            self._forward[way] = lower(self.program, keep=keep, restarts=way.restarts)
        return self._forward[way]

    def backward(self, way: Way) -> "Lowered":
        """Return the plan of the adjoint run."""
        if way not in self._backward:
            from recurra.backends.lowering import lower

            adjoint, kept = self.adjoint(way.dx), self.forward(way).kept
            self._backward[way] = lower(
                adjoint.program,
                saved=self._saved(adjoint, kept),
                descending=True,
                restarts=way.restarts,
            )
        return self._backward[way]

    def _saved(self, adjoint: Adjoint, kept: "Mapping[int, Saved]") -> "dict[int, Saved]":
        own = adjoint.program.inputs[len(self.program.outputs) :]
        return {
            mine: kept[theirs]
            for mine, theirs in zip(own, adjoint.saved, strict=True)
            if theirs in kept
        }


def compile_program(program: Program) -> Compiled:
    """Return a traced program, ready to be planned."""
    return Compiled(hoist(simplify(program)))
