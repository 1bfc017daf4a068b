"""Where every value of a program lives while the machine runs it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from recurra import _core
from recurra.backends.fuse import fuse
from recurra.program.program import Instruction, Program

Place = tuple[int, int, int]  # buffer, offset in its features, slot after the step's own
PRODUCTS = ("linear", "linear_t")
LOOP = 1


class Kind(IntEnum):
    """The kinds of buffers, as native/src/tape.h has them."""

    CONSTANT = 0
    VECTOR = 1
    SAVED = 2
    TAPE = 3
    CHUNK = 4
    ROW = 5
    STRIP = 6


@dataclass(frozen=True)
class Saved:
    """Where a run keeps a value for a later one.

    tape: which, and its width; state: whether it is a state's tape, which has one slot more than
    steps; shift: 0 for the state as it enters a step, 1 as it leaves; offset: in its features.
    """

    tape: int
    width: int
    state: bool = False
    shift: int = 0
    offset: int = 0


@dataclass(frozen=True)
class View:
    """Features of a value that has a buffer of its own."""

    root: int
    offset: int


@dataclass(frozen=True)
class Moment:
    """When a value is made or read: in which part, in which run of pointwise work, where."""

    part: int
    run: int
    position: int


class Layout:
    """Gives each value a place: its own buffer, or a part of another value's."""

    def __init__(
        self,
        program: Program,
        plan: _core.Plan,
        keep: Sequence[int],
        saved: Mapping[int, Saved],
        descending: bool,
        restarts: bool,
    ) -> None:
        self.program, self.plan, self.saved = program, plan, saved
        self.enter, self.leave = (1, 0) if descending else (0, 1)
        pinned = {*program.results(), *keep, *(v for i in program.sums for v in i.inputs)}
        uses = _counts(program)
        whole = {i for i, v in enumerate(program.values) if v.number is None}
        self.parts = [
            fuse(program, add_in_products(part, pinned, uses, whole), pinned, uses)
            for part in (program.before, program.loop, program.after)
        ]
        self._summed = {v for i in program.sums for v in i.inputs}
        self._kept = {*keep, *self._summed}
        self.loads: list[int] = []
        self.vectors: list[int] = []
        self.states: list[int] = []
        self.tapes: list[tuple[int, bool]] = []
        self.saved_count = max((place.tape + 1 for place in saved.values()), default=0)
        self._makes = {i.output: i for part in self.parts for i in part}
        self._part = {i.output: p for p, part in enumerate(self.parts) for i in part}
        self._owner: dict[int, int] = {}  # new state -> which state's tape it is written to
        if not restarts:
            for state, value in enumerate(program.new_states):
                if self._part.get(value) == LOOP and self._makes[value].op != "slice":
                    self._owner.setdefault(value, state)
        self._inside: dict[int, tuple[int, int]] = {}  # value -> the value it lies in, and where
        self._buffers: dict[int, Place] = {}

    # ---- questions

    def view(self, value: int, start: int = 0) -> View:
        """Return the value with a buffer that `value` lies in, and the offset there."""
        while value in self._inside:
            value, offset = self._inside[value]
            start += offset
        return View(value, start)

    def place_of(self, view: View) -> Place:
        """Return the operand for a view."""
        buffer, offset, shift = self._buffers[view.root]
        return buffer, offset + view.offset, shift

    def place(self, value: int) -> Place:
        """Return the operand for a value."""
        return self.place_of(self.view(value))

    def is_view(self, value: int) -> bool:
        """Return whether a value is part of another one's buffer."""
        return value in self._inside

    def lies_in(self, value: int, concat: int, offset: int) -> bool:
        """Return whether a value is written straight into a concatenation, at `offset`."""
        return self._inside.get(value) == (concat, offset)

    def kept(self, value: int) -> Saved:
        """Return where a kept value can be found after the run."""
        buffer, offset, shift = self.place(value)
        tape = self._tape_of[buffer]
        width, state = self.tapes[tape]
        return Saved(tape, width, state, shift, offset)

    def copied_states(self) -> Iterator[tuple[Place, int]]:
        """Yield the slot of each new state that is not written there, and the value."""
        for state, value in enumerate(self.program.new_states):
            if self._owner.get(value) != state:
                yield (self.states[state], 0, self.leave), value

    # ---- decisions

    def assign(self) -> None:
        """Decide on a place for every value."""
        values, program = self.program.values, self.program
        self._tape_of: dict[int, int] = {}
        for value in program.states:
            self.states.append(self._tape(values[value].size, state=True))
            self._buffers[value] = (self.states[-1], 0, self.enter)
        self._find_views()
        moments = self._moments()
        members = defaultdict(list)
        for value in moments:
            members[self.view(value).root].append(value)
        strips: dict[int, list[Moment]] = {}
        for root, inside in members.items():
            times = [time for value in inside for time in moments[value]]
            self._place_root(root, inside, times, strips)
        self._place_strips(strips)

    def _find_views(self) -> None:
        for part in self.parts:
            for i in part:
                if i.op == "slice" and i.output not in self.program.new_states:
                    self._inside[i.output] = (i.inputs[0], int(i.attribute("start")))
                elif i.op == "concat":
                    self._write_straight_into(i)

    def _write_straight_into(self, concat: Instruction) -> None:
        offset = 0
        for value in concat.inputs:
            free = (
                self._part.get(value, -1) == self._part[concat.output]
                and value not in self._inside
                and value not in self._owner
                and concat.inputs.count(value) == 1
            )
            if free:
                self._inside[value] = (concat.output, offset)
            offset += self.program.values[value].size

    def _moments(self) -> dict[int, list[Moment]]:
        """Return when each value is made and read."""
        moments: dict[int, list[Moment]] = defaultdict(list)
        for number, part in enumerate(self.parts):
            run = 0
            for position, i in enumerate(part):
                if i.op in PRODUCTS:
                    run += 2
                now = Moment(number, run - (i.op in PRODUCTS), position)
                for value in (*i.inputs, i.output):
                    moments[value].append(now)
            if number == LOOP:
                end = Moment(LOOP, run, len(part))
                for state, value in enumerate(self.program.new_states):
                    if self._owner.get(value) != state:
                        moments[value].append(end)
        for value in self.program.outputs:
            moments[value].append(Moment(2, -1, 1 << 30))
        for i in self.program.sums:
            for value in i.inputs:
                moments[value].append(Moment(3, 0, 0))
        for value in self._kept:
            moments[value].append(Moment(3, 0, 0))
        return moments

    def _place_root(
        self, root: int, members: list[int], times: list[Moment], strips: dict[int, list[Moment]]
    ) -> None:
        value = self.program.values[root]
        if root in self._buffers:  # a state
            return
        if value.role == "constant":
            number = float(value.number or 0)
            self._buffers[root] = (self.plan.buffer(Kind.CONSTANT, 1, 0, False, number), 0, 0)
        elif value.role == "parameter" or not value.rows:
            if len(value.shape) == 1:
                buffer = self.plan.buffer(Kind.VECTOR, value.size, len(self.vectors), False, 0.0)
                self._buffers[root] = (buffer, 0, 0)
                self.vectors.append(root)
        elif root in self.saved:
            self._place_saved(root)
        elif root in self._owner:
            self._buffers[root] = (self.states[self._owner[root]], 0, self.leave)
        elif value.role == "input":
            self.loads.append(root)
            # A load itself need not be kept: the caller has it.
            if self._kept.intersection(members) - ({root} - self._summed):
                self._buffers[root] = (self._tape(value.size), 0, 0)
            else:
                self._scratch(root, Kind.CHUNK)
        elif self._kept.intersection(members):
            self._buffers[root] = (self._tape(value.size), 0, 0)
        elif len({time.part for time in times}) > 1:
            self._scratch(root, Kind.CHUNK)
        elif len({time.run for time in times}) == 1 and times[0].run % 2 == 0:
            strips[root] = times
        else:
            self._scratch(root, Kind.ROW if times[0].part == LOOP else Kind.CHUNK)

    def _place_saved(self, root: int) -> None:
        saved = self.saved[root]
        buffer = self.plan.buffer(Kind.SAVED, saved.width, saved.tape, saved.state, 0.0)
        self._buffers[root] = (buffer, saved.offset, saved.shift)

    def _scratch(self, root: int, kind: Kind) -> None:
        size = self.program.values[root].size
        self._buffers[root] = (self.plan.buffer(kind, size, 0, False, 0.0), 0, 0)

    def _tape(self, size: int, state: bool = False) -> int:
        buffer: int = self.plan.buffer(Kind.TAPE, size, len(self.tapes), state, 0.0)
        self._tape_of[buffer] = len(self.tapes)
        self.tapes.append((size, state))
        return buffer

    def _place_strips(self, strips: dict[int, list[Moment]]) -> None:
        """Give strips to values; those that are never alive together share one."""
        free: dict[int, list[int]] = defaultdict(list)
        busy: list[tuple[int, int, int]] = []  # last position, width, buffer
        here = (-1, -1)
        spans = [
            ((times[0].part, times[0].run), min(t.position for t in times),
             max(t.position for t in times), root)
            for root, times in strips.items()
        ]  # fmt: skip
        for at, first, last, root in sorted(spans):
            if at != here:
                for _, width, buffer in busy:
                    free[width].append(buffer)
                here, busy = at, []
            for each in [b for b in busy if b[0] < first]:
                busy.remove(each)
                free[each[1]].append(each[2])
            size = self.program.values[root].size
            if free[size]:
                buffer = free[size].pop()
            else:
                buffer = self.plan.buffer(Kind.STRIP, size, 0, False, 0.0)
            busy.append((last, size, buffer))
            self._buffers[root] = (buffer, 0, 0)


def add_in_products(
    part: Sequence[Instruction], pinned: set[int], uses: Mapping[int, int], whole: set[int]
) -> list[Instruction]:
    """Return the part with `add(linear(x, W), y)` as one product that starts from y.

    `whole` are the values that have a number for every feature: a product cannot start from a
    constant, which is one number.
    """
    products = {
        i.output: i
        for i in part
        if i.op in PRODUCTS and uses[i.output] == 1 and i.output not in pinned
    }
    order = {i.output: at for at, i in enumerate(part)}
    gone: set[int] = set()
    result: list[Instruction] = []
    for i in part:
        own = [v for v in i.inputs if v in products] if i.op == "add" else []
        if not own or i.inputs[0] == i.inputs[1] or not whole.issuperset(i.inputs):
            result.append(i)
            continue
        last = max(own, key=lambda v: order[v])
        addend = i.inputs[1] if i.inputs[0] == last else i.inputs[0]
        product = products[last]
        gone.add(last)
        fused = Instruction(product.op, (*product.inputs, addend), i.output)
        result.append(fused)
    return [i for i in result if i.output not in gone]


def _counts(program: Program) -> Mapping[int, int]:
    counts: dict[int, int] = defaultdict(int)
    for i in program.instructions():
        for value in i.inputs:
            counts[value] += 1
    return counts
