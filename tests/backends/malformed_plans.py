"""Plans of random instructions, drawn from a seed: `test_malformed` runs it.

    python malformed_plans.py SEED PLANS

`seal` must refuse a plan, or the plan must run on buffers of just the sizes that it names: the
numbers around them stay as they were. Each plan is printed first, so that a crash leaves it behind.
"""

import random
import sys
from collections import Counter
from typing import Any

import torch
from torch import Tensor

from recurra import _core
from recurra.backends.lowering import OPCODES

CODES = list(OPCODES)
PLACES = {name: 1 if name == "zeros" else 2 for name in CODES}  # a result, its operands
first, ternary, grouped = (CODES.index(name) for name in ("add", "where", "sum"))
PLACES |= dict.fromkeys(CODES[first:ternary], 3) | dict.fromkeys(CODES[ternary:grouped], 4)
PLACES |= dict.fromkeys(("matmul", "matmul_tn", "matmul_nt"), 3)
EDGE = 16  # numbers on either side of a buffer
MARK = 12345.5
CONSTANT, VECTOR, SAVED, TAPE, STRIP = 0, 1, 2, 3, 6


class Drawn:
    """A plan, near enough to a good one to be sealed now and then."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.wrong = self.random.choice((0.0, 0.02, 0.1))  # how often a number is a wrong one
        self.plan = _core.Plan()
        self.plan.descending = self.random.random() < 0.3
        pick = self.random.randint
        self.widths = [pick(1, 9) for _ in range(4)]
        self.buffers: list[tuple[int, int, int, bool]] = []
        self.vectors = [self.width() for _ in range(pick(1, 2))]
        self.loads = [self.width() for _ in range(pick(0, 2))]
        self.stores = [self.width() for _ in range(pick(0, 2))]
        self.matrices = [(self.width(), self.width()) for _ in range(pick(0, 2))]
        self.gradients: list[int] = []
        self.saved, self.tapes = pick(0, 2), pick(1, 3)
        self.make_buffers()
        for part in range(3):
            for _ in range(pick(0, 4)):
                self.instruction(part)
        if self.random.random() < 0.3:
            self.sum()
        states = [i for i, b in enumerate(self.buffers) if b[0] == TAPE and b[3]][: pick(0, 2)]
        self.states = [self.odd(i) for i in states]
        self.plan.sizes(
            self.states, self.matrices, self.vectors, self.loads, self.stores, self.gradients,
            self.saved, self.tapes,
        )  # fmt: skip

    def odd(self, number: int) -> int:
        """Return the number, or once in a while another."""
        if self.random.random() >= self.wrong:
            return number
        return self.random.choice((-1, 0, 1, 7, number - 1, number + 1, 1000, 2**30, -(2**30)))

    def width(self) -> int:
        return self.random.choice(self.widths)

    def make_buffers(self) -> None:
        for kind in (0, 1, 2, 3, 3, 4, 4, 5, 5, 6, 6):
            count = {1: len(self.vectors), 2: self.saved, 3: self.tapes}.get(kind, 1)
            if count == 0:
                continue
            index = self.odd(self.random.randrange(count))
            width = self.width() + self.random.randint(0, 9)
            if kind == VECTOR and 0 <= index < len(self.vectors):
                width = self.vectors[index]
            width = 1 if kind == CONSTANT else self.odd(width)
            width = 2**33 if width > 2000 else width  # no memory is wanted for it
            state = kind in (SAVED, TAPE) and self.random.random() < 0.5
            state = state != (self.random.random() < self.wrong)
            self.buffers.append((self.odd(kind), width, index, state))
            self.plan.buffer(*self.buffers[-1], 0.5)

    def place(self, n: int, part: int, kinds: tuple[int, ...]) -> tuple[int, int, int]:
        fits = [
            i for i, (kind, width, _, _) in enumerate(self.buffers)
            if kind in kinds and (width >= n or kind == CONSTANT) and (part == 1 or kind != 5)
        ]  # fmt: skip
        if not fits:
            return (-1, 0, 0)
        i = self.random.choice(fits)
        kind, width, _, state = self.buffers[i]
        offset = 0 if kind == CONSTANT else self.random.randint(0, max(0, width - n))
        shift = int(state and self.random.random() < 0.5)
        return self.odd(i), self.odd(offset), self.odd(shift)

    def instruction(self, part: int) -> None:
        name = self.random.choice(CODES[: -2 if part == 1 else None])
        n, k, which, wide = self.width(), 0, 0, 0
        inner, height, width = 1, 1, 1
        kinds: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
        results: tuple[int, ...] = (3, 4, 5, 6)
        if name in ("load", "store"):
            sizes = self.loads if name == "load" else self.stores
            name = ("load", "store", "copy")[0 if part == 0 else 1]
            sizes = self.loads if name == "load" else self.stores
            if not sizes:
                return
            which = self.random.randrange(len(sizes))
            n, kinds, results = sizes[which], (0, 1, 2, 3, 4), (3, 4)
        elif name.startswith("linear"):
            if not self.matrices:
                return
            which = self.random.randrange(len(self.matrices))
            n, k = self.matrices[which][:: 1 if name == "linear" else -1]
            kinds, results, wide = (2, 3, 4, 5), (3, 4, 5), k
        elif name in ("sum", "amax"):
            k, inner = self.random.choice(((n, 1), (1, n), (2, 1), (2, n // 2 or 1)))
            n, wide = max(1, n // k // inner) * inner, max(1, n // k // inner) * inner * k
        elif name == "spread":
            k, inner = self.random.choice(((n, 1), (1, n), (2, 1), (2, n // 2 or 1)))
            wide = max(1, n // k // inner) * inner
            n = wide * k
        elif name == "transpose":
            height, width, inner = (self.random.randint(1, 3) for _ in range(3))
            n = height * width * inner
        elif name.startswith("matmul"):
            height, width, k = (self.random.randint(1, 3) for _ in range(3))
            n, wide = height * width, 3 * k
        elif PLACES[name] > 2:
            kinds = (0, *kinds)
        places = [self.place(n, part, results)]
        places += [self.place(wide or n, part, kinds) for _ in range(PLACES[name] - 1)]
        if self.random.random() < self.wrong:
            places += [(self.random.choice((0, -1, 3, 10**6, -(10**6))), 0, 0)]
        code = self.odd(CODES.index(name))
        numbers = [self.odd(number) for number in (n, k, which, inner, height, width)]
        self.plan.instruction(part, code, places[:4], *numbers)

    def sum(self) -> None:
        n, k = self.width(), self.width()
        x = (-1, 0, 0) if self.random.random() < 0.4 else self.place(k, 2, (2, 3))
        self.gradients.append(n if x[0] < 0 else n * k)
        self.plan.sum(self.place(n, 2, (2, 3)), x, self.odd(n), self.odd(k), self.odd(0))


class Room:
    """Buffers of just the sizes that are wanted, with marks on either side."""

    def __init__(self) -> None:
        self.held: list[Tensor] = []

    def give(self, elements: int) -> int:
        held = torch.full((elements + 2 * EDGE,), MARK)
        held[EDGE : EDGE + elements] = 0.25
        self.held.append(held)
        return held.data_ptr() + 4 * EDGE

    def whole(self) -> bool:
        return all(bool((t[:EDGE] == MARK).all() and (t[-EDGE:] == MARK).all()) for t in self.held)


def run(drawn: Drawn) -> Room:
    pick, room, call = drawn.random.randint, Room(), _core.Call()
    T, B = pick(1, 6), pick(1, 5)
    block = T if drawn.random.random() < 0.5 else pick(1, T)
    call.T, call.B, call.block, call.threads = T, B, block, 2
    call.bounds = [0, B] if B == 1 else [0, pick(1, B - 1), B]

    def rows(width: int) -> tuple[int, tuple[int, ...]]:
        return room.give(T * B * width), (B * width, width, 1)

    def kept(kind: int, index: int, steps: int) -> int:
        widths = [w for k, w, i, _ in drawn.buffers if k == kind and i == index]
        return room.give((steps + 1) * B * max(widths, default=1))

    def states() -> list[Any]:
        widths = [drawn.buffers[s][1] for s in drawn.states]
        return [(room.give(B * w), (w, 1)) for w in widths]

    call.loads, call.stores = [rows(w) for w in drawn.loads], [rows(w) for w in drawn.stores]
    call.vectors = [(room.give(w), (1,)) for w in drawn.vectors]
    call.matrices = [(room.give(n * k), (k, 1)) for n, k in drawn.matrices]
    call.initial, call.final = states(), states()
    call.saved = [kept(SAVED, i, T) for i in range(drawn.saved)]
    call.tapes = [kept(TAPE, i, block) for i in range(drawn.tapes)]
    call.gradients = [room.give(n) for n in drawn.gradients]
    if drawn.random.random() < 0.4:
        restart = torch.ones(T, B, dtype=torch.bool)
        call.restart = (restart.data_ptr(), restart.stride())
        if drawn.plan.descending:
            call.fresh_gradients = [at for at, _ in states()]
        else:
            call.fresh = states()
    _core.run_float(drawn.plan, call)
    try:
        stepper = _core.FloatStepper(
            drawn.plan, call.matrices, call.vectors, B, [at for at, _ in call.initial]
        )
    except ValueError:
        return room
    width, out = (drawn.loads or [1])[0], drawn.stores[0]
    x, y = room.give(9 * B * width), room.give(9 * B * out)
    stepper.push(9, x, B * width, width, 1, y, B * out, out)
    return room


def main(seed: int, plans: int) -> None:
    results: Counter[str] = Counter()
    for number in range(seed, seed + plans):
        print("plan", number, flush=True)
        drawn: Drawn | None = None
        try:
            drawn = Drawn(number)
            drawn.plan.seal()
        except ValueError:
            results["refused"] += 1
            continue
        results["right" if run(drawn).whole() else "wrong"] += 1
        if results["wrong"]:
            print(f"WRONG {number}: numbers beside a buffer were written", flush=True)
    print(f"refused {results['refused']} right {results['right']} wrong {results['wrong']}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
