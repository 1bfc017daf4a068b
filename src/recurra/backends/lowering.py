"""From a program to the machine's plan: where every value lives, and what runs in which order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recurra import _core
from recurra.backends.layout import Layout, Place, Saved, View
from recurra.program.program import Instruction, Program

BEFORE, LOOP, AFTER = 0, 1, 2
# By which operand is stored transposed.
_MATMULS = {"": "matmul", "a": "matmul_tn", "b": "matmul_nt"}
OPCODES = {name: code for code, name in enumerate(_core.op_names)}


@dataclass(frozen=True)
class Lowered:
    """A plan, and what a call of it must bring, as values of the program.

    loads: the inputs that are read from the caller's tensors; matrices, vectors: parameters;
    tapes: (width, state) of each; kept: where each value that was asked for is kept.
    """

    plan: _core.Plan
    loads: tuple[int, ...]
    matrices: tuple[int, ...]
    vectors: tuple[int, ...]
    tapes: tuple[tuple[int, bool], ...]
    kept: Mapping[int, Saved]
    saved_count: int


def lower(
    program: Program,
    *,
    keep: Sequence[int] = (),
    saved: Mapping[int, Saved] | None = None,
    descending: bool = False,
    restarts: bool = False,
) -> Lowered:
    """Return the plan of `program`.

    Args:
        program: simplified and hoisted, its parameters' setup done elsewhere.
        keep: values that must still be there after the run (inputs and states among them).
        saved: where an earlier run kept those inputs that are not read from the caller.
        descending: whether the steps run from the last to the first.
        restarts: whether rows may restart, so that the state that leaves a step is not always
            the one that enters the next.
    """
    return _Lowering(program, keep, saved or {}, descending, restarts).finish()


class _Lowering:
    def __init__(
        self,
        program: Program,
        keep: Sequence[int],
        saved: Mapping[int, Saved],
        descending: bool,
        restarts: bool,
    ) -> None:
        self.program = program
        self.plan = _core.Plan()
        self.plan.descending = descending
        self.layout = Layout(program, self.plan, keep, saved, descending, restarts)
        self.keep = keep
        self.matrices: dict[int, int] = {}

    def finish(self) -> Lowered:
        program, layout = self.program, self.layout
        layout.assign()
        for port, value in enumerate(layout.loads):
            place, n = layout.place(value), program.values[value].size
            self.plan.instruction(BEFORE, OPCODES["load"], [place], n, 0, port)
        for part, instructions in enumerate(layout.parts):
            for instruction in instructions:
                self._emit(part, instruction)
            if part == LOOP:
                self._pass_states_on()
        for port, value in enumerate(program.outputs):
            place, n = layout.place(value), program.values[value].size
            self.plan.instruction(AFTER, OPCODES["store"], [place, place], n, 0, port)
        self._emit_sums()
        sizes = {v: program.values[v].shape for v in self.matrices}
        self.plan.sizes(
            layout.states,
            [(shape[0], shape[1]) for shape in sizes.values()],
            [program.values[v].size for v in layout.vectors],
            [program.values[v].size for v in layout.loads],
            [program.values[v].size for v in program.outputs],
            [_elements(program.values[i.output].shape) for i in program.sums],
            layout.saved_count,
            len(layout.tapes),
        )
        self.plan.seal()
        kept = {v: layout.kept(v) for v in self.keep if program.values[v].role != "input"}
        return Lowered(
            self.plan,
            tuple(layout.loads),
            tuple(self.matrices),
            tuple(layout.vectors),
            tuple(layout.tapes),
            kept,
            layout.saved_count,
        )

    def _emit(self, part: int, i: Instruction) -> None:
        layout, values, attributes = self.layout, self.program.values, dict(i.attributes)
        if i.op == "concat":
            return self._fill(part, i)
        if i.op == "slice":
            if not layout.is_view(i.output):
                self._copy(part, layout.view(i.inputs[0], int(i.attribute("start"))), i.output)
            return None
        if i.op in ("linear", "linear_t"):
            return self._product(part, i)
        matmul = _MATMULS[str(attributes.get("turned", ""))]
        op = {"detach": "copy", "matmul": matmul}.get(i.op, i.op)
        places = [layout.place(i.output), *(layout.place(v) for v in i.inputs)]
        n, k = values[i.output].size, 0
        if i.op in ("sum", "amax"):
            k = values[i.inputs[0]].size // n
        elif i.op == "spread":
            k = int(attributes["times"])
        elif i.op == "matmul":
            k = values[i.inputs[0]].size * int(attributes["width"]) // n
        blocks = [int(attributes.get(name, 1)) for name in ("inner", "height", "width")]
        self.plan.instruction(part, OPCODES[op], places, n, k, 0, *blocks)
        return None

    def _product(self, part: int, i: Instruction) -> None:
        """Emit a product, with the value that is added to it if there is one."""
        x, weight, *addend = i.inputs
        matrix = self.matrices.setdefault(weight, len(self.matrices))
        layout, values = self.layout, self.program.values
        places = [layout.place(i.output), layout.place(x), *(layout.place(v) for v in addend)]
        n, k = values[i.output].size, values[x].size
        self.plan.instruction(part, OPCODES[i.op], places, n, k, matrix)

    def _fill(self, part: int, concat: Instruction) -> None:
        """Copy those parts of a concatenation that were not written there to begin with."""
        offset = 0
        target = self.layout.view(concat.output)
        for value in concat.inputs:
            size = self.program.values[value].size
            if not self.layout.lies_in(value, concat.output, offset):
                view = View(target.root, target.offset + offset)
                self._copy_view(part, self.layout.view(value), view, size)
            offset += size

    def _copy(self, part: int, source: View, value: int) -> None:
        self._copy_view(part, source, self.layout.view(value), self.program.values[value].size)

    def _copy_view(self, part: int, source: View, target: View, size: int) -> None:
        places = [self.layout.place_of(target), self.layout.place_of(source)]
        self.plan.instruction(part, OPCODES["copy"], places, size, 0, 0)

    def _pass_states_on(self) -> None:
        """Copy the new states that were not written where the next step reads them."""
        for slot, value in self.layout.copied_states():
            size = self.program.values[value].size
            places = [slot, self.layout.place(value)]
            self.plan.instruction(LOOP, OPCODES["copy"], places, size, 0, 0)

    def _emit_sums(self) -> None:
        values = self.program.values
        nothing: Place = (-1, 0, 0)
        for gradient, i in enumerate(self.program.sums):
            d, *x = i.inputs
            k = values[x[0]].size if x else 0
            place = self.layout.place(x[0]) if x else nothing
            self.plan.sum(self.layout.place(d), place, values[d].size, k, gradient)


def _elements(shape: tuple[int, ...]) -> int:
    n = 1
    for size in shape:
        n *= size
    return n


__all__ = ["OPCODES", "Lowered", "Saved", "lower"]
