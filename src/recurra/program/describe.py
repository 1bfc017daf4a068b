"""A program as text that reads like equations: a line for each instruction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from recurra.program.differentiate import Adjoint
from recurra.program.program import Instruction, Program
from recurra.program.shapes import Shape

INFIX = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "div": "/",
    "pow": "**",
    "gt": ">",
    "ge": ">=",
    "lt": "<",
    "le": "<=",
    "eq": "==",
    "ne": "!=",
}
MOST_PARTS = 6
Names = dict[int, str]


@dataclass(frozen=True)
class Line:
    """An instruction as text, and the shape of what it gives (without the rows of the batch)."""

    text: str
    shape: Shape = ()

    @property
    def size(self) -> str:
        """Return the shape as text."""
        return "×".join(map(str, self.shape))


@dataclass(frozen=True)
class Section:
    """A part of a program as text."""

    title: str
    lines: tuple[Line, ...]


@dataclass
class Namer:
    """Gives out names, none of them twice."""

    taken: set[str] = field(default_factory=set)

    def take(self, name: str) -> str:
        """Return the name, or the name with a number where it is taken."""
        free, number = name, 2
        while free in self.taken:
            free, number = f"{name}_{number}", number + 1
        self.taken.add(free)
        return free

    def temporary(self, letter: str) -> str:
        """Return t1, t2, ... for the letter t."""
        number = 1
        while f"{letter}{number}" in self.taken:
            number += 1
        return self.take(f"{letter}{number}")


def name_leaves(program: Program, namer: Namer) -> Names:
    """Return names for the inputs and states of a program."""
    leaves = (*program.inputs, *program.states)
    return {index: namer.take(program.values[index].name or "x") for index in leaves}


def describe_forward(
    program: Program, names: Names, namer: Namer, setup: Iterable[Line] = ()
) -> tuple[Section, ...]:
    """Return the parts of a cell's program as text.

    names: of inputs, states and parameters; it is given the names of all other values.
    setup: what else is computed once a call.
    """
    ends = [namer.take(f"{names[state]}'") for state in program.states]
    outputs = [namer.take(name) for name in numbered("out", len(program.outputs))]
    writer = Writer(program, names, namer, "t", ends, outputs)
    once = (*setup, *writer.lines("setup"))
    return (
        *([Section("once a call, from the weights alone", once)] if once else []),
        Section("before the loop, all steps at once", writer.lines("before")),
        Section("in the loop, step by step", writer.lines("loop")),
        Section("after the loop, all steps at once", writer.lines("after")),
    )


def describe_adjoint(
    adjoint: Adjoint, forward: Program, names: Mapping[int, str], namer: Namer
) -> tuple[Section, ...]:
    """Return the parts of an adjoint as text, given the names of the forward program's values."""
    program = adjoint.program
    outputs = numbered("∂out", len(forward.outputs))
    own: Names = dict(zip(program.inputs, outputs, strict=False))
    saved = program.inputs[len(outputs) :]
    own.update((mine, names[v]) for mine, v in zip(saved, adjoint.saved, strict=True))
    own.update((i, f"∂{names[v]}'") for i, v in zip(program.states, forward.states, strict=True))
    own.update(
        (mine, names[v]) for mine, v in zip(program.parameters, adjoint.parameters, strict=True)
    )
    writer = Writer(
        program,
        own,
        namer,
        "d",
        [f"∂{names[v]}" for v in forward.states],
        [f"∂{names[v]}" for v in adjoint.inputs],
        [f"∂{names[v]}" for v in adjoint.weights],
    )
    once = writer.lines("setup")
    return (
        *([Section("adjoint, once a call, from the weights alone", once)] if once else []),
        Section("adjoint, before its loop, all steps at once", writer.lines("before")),
        Section("adjoint, in its loop, from the last step to the first", writer.lines("loop")),
        Section("adjoint, after its loop, all steps at once", writer.lines("after")),
        Section("adjoint, its sums over all rows and steps", writer.lines("sums")),
    )


def numbered(name: str, count: int) -> list[str]:
    """Return the name, or that many numbered ones."""
    return [name] if count == 1 else [f"{name}{k + 1}" for k in range(count)]


class Writer:
    """Writes the parts of a program, in the order in which they run.

    ends, outputs, sums: what new states, outputs and results of sums are called.
    """

    def __init__(
        self,
        program: Program,
        names: Names,
        namer: Namer,
        letter: str,
        ends: Sequence[str],
        outputs: Sequence[str],
        sums: Sequence[str] = (),
    ) -> None:
        self.program, self.names, self.namer, self.letter = program, names, namer, letter
        self.ends = list(zip(program.new_states, ends, strict=True))
        self.outputs = list(zip(program.outputs, outputs, strict=True))
        self.final: Names = {}
        for index, name in (*self.ends, *self.outputs):
            self.final.setdefault(index, name)
        self.sums = dict(zip((i.output for i in program.sums), sums, strict=True))
        self._summed: set[str] = set()

    def lines(self, part: str) -> tuple[Line, ...]:
        """Return a part as text; to be asked for in the order in which the parts run."""
        lines = [
            self._line(i)
            for i in getattr(self.program, part)
            if not (i.op == "slice" and self._is_inside(i))
        ]
        for index, name in {"loop": self.ends, "after": self.outputs}.get(part, ()):
            if self._name(index) != name:  # a value that has another name already
                shape = self.program.values[index].shape
                lines.append(Line(f"{name} = {self._name(index)}", shape))
        return tuple(lines)

    def _is_inside(self, i: Instruction) -> bool:
        """Return whether a slice is named by what it is a slice of, and name it so."""
        if i.output in self.final:
            return False
        self.names[i.output] = self._slice(i)
        return True

    def _line(self, i: Instruction) -> Line:
        text, shape = self._expression(i), self.program.values[i.output].shape
        if i.output in self.sums:
            name = self.sums[i.output]
            sign = "+=" if name in self._summed else "="
            self._summed.add(name)
            return Line(f"{name} {sign} Σ {text}", shape)
        name = self.final.get(i.output) or self.namer.temporary(self.letter)
        self.names[i.output] = name
        return Line(f"{name} = {text}", shape)

    def _name(self, index: int) -> str:
        number = self.program.values[index].number
        return self.names[index] if number is None else f"{number:g}"

    def _slice(self, i: Instruction) -> str:
        span = f"{i.attribute('start')}:{i.attribute('stop')}"
        whole = dict(i.attributes).get("axis") == 1
        return f"{self._name(i.inputs[0])}[{':, ' * whole}{span}]"

    def _expression(self, i: Instruction) -> str:
        names = [self._name(index) for index in i.inputs]
        if i.op in INFIX:
            return f" {INFIX[i.op]} ".join(names)
        if i.op == "slice":
            return self._slice(i)
        if i.op == "concat":
            rows = dict(i.attributes).get("axis") == 0 and len(self._shape(i)) == 2
            return f"[{('; ' if rows else ', ').join(shortened(names))}]"
        if i.op == "outer":
            return f"{names[0]} · {names[1]}ᵀ"
        if i.op == "total":
            return names[0]
        if i.op == "zeros":
            return "0"
        if i.op == "neg":
            return f"-{names[0]}"
        if i.op in ("linear", "linear_t"):
            return f"{names[1]}{'ᵀ' * (i.op == 'linear_t')} · {names[0]}"
        return f"{i.op}({', '.join([*names, *self._extra(i)])})"

    def _extra(self, i: Instruction) -> list[str]:
        """Return what else a call of the op needs to be understood."""
        known = dict(i.attributes)
        inner, groups = known.get("inner", 1), known.get("groups", 1)
        together = [] if inner == 1 else [f"{inner} together"]
        if i.op == "spread":
            return [f"{known['times']} times", *together]
        if i.op == "transpose":
            return [f"{known['height']}×{known['width']}", *together]
        if i.op == "matmul":
            m, n = int(known["height"]), int(known["width"])
            k = self.program.values[i.inputs[0]].size // (int(groups) * m)
            turned = [f"{known['turned']} transposed"] if "turned" in known else []
            return [f"{groups} of {m}×{k} by {k}×{n}", *turned]
        return ([] if groups == 1 else [f"{groups} groups"]) + together

    def _shape(self, i: Instruction) -> Shape:
        return self.program.values[i.output].shape


def shortened(names: Sequence[str]) -> list[str]:
    """Return the names, or the first and last few of many."""
    if len(names) <= MOST_PARTS:
        return list(names)
    return [*names[:3], f"{len(names) - 4} more", names[-1]]
