"""Programs of small cells for tests, and their gradients by finite differences."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from recurra.program.check import check
from recurra.program.differentiate import differentiate
from recurra.program.hoist import hoist
from recurra.program.ops import OPS
from recurra.program.program import Builder, Instruction, Program, Value
from recurra.program.reference import Gradients, Result, run, run_adjoint
from recurra.program.simplify import simplify

Array = npt.NDArray[np.float64]
K, H, T, B = 2, 3, 3, 2


class Sketch:
    """A program that is being written: call it with an op and operands, floats are constants."""

    def __init__(self) -> None:
        self.builder = Builder()
        self.inputs: list[int] = []
        self.states: list[int] = []
        self.parameters: list[int] = []

    def input(self, size: int = K, name: str = "x") -> int:
        self.inputs.append(self.builder.add(Value((size,), "input", True, name)))
        return self.inputs[-1]

    def state(self, size: int = H, name: str = "h") -> int:
        self.states.append(self.builder.add(Value((size,), "state", True, name)))
        return self.states[-1]

    def parameter(self, *shape: int, name: str = "") -> int:
        self.parameters.append(self.builder.add(Value(shape, "parameter", False, name)))
        return self.parameters[-1]

    def __call__(self, op: str, *operands: int | float, **attributes: int) -> int:
        inputs = [o if isinstance(o, int) else self.builder.constant(o) for o in operands]
        shapes = [self.builder.values[i].shape for i in inputs]
        output = self.builder.emit(op, inputs, OPS[op].shape(shapes, attributes), **attributes)
        if op == "zeros":
            self.builder.values[output] = Value((attributes["size"],), "result", True)
        return output

    def total(self, *operands: int) -> int:
        result = operands[0]
        for operand in operands[1:]:
            result = self("add", result, operand)
        return result

    def chunks(self, x: int, count: int) -> list[int]:
        size = self.builder.values[x].size // count
        return [self("slice", x, start=i * size, stop=(i + 1) * size) for i in range(count)]

    def program(self, outputs: Sequence[int], new_states: Sequence[int]) -> Program:
        values = self.builder.values
        parts: dict[bool, list[Instruction]] = {True: [], False: []}
        for instruction in self.builder.instructions:
            parts[values[instruction.output].rows].append(instruction)
        return Program(
            values=tuple(values),
            inputs=tuple(self.inputs),
            states=tuple(self.states),
            parameters=tuple(self.parameters),
            outputs=tuple(outputs),
            new_states=tuple(new_states),
            setup=tuple(parts[False]),
            loop=tuple(parts[True]),
        )


def lstm_from(s: Sketch, gates: Sequence[int], c: int) -> tuple[int, int]:
    i, f, o = (s("sigmoid", gates[k]) for k in (0, 1, 3))
    c = s("add", s("mul", f, c), s("mul", i, s("tanh", gates[2])))
    return s("mul", o, s("tanh", c)), c


def lstm_naive() -> Program:
    """Four products of x and four of h, each with its bias."""
    s = Sketch()
    x, h, c = s.input(), s.state(), s.state(name="c")
    gates = []
    for _ in range(4):
        of_x = s("add", s("linear", x, s.parameter(H, K)), s.parameter(H))
        of_h = s("add", s("linear", h, s.parameter(H, H)), s.parameter(H))
        gates.append(s("add", of_x, of_h))
    h, c = lstm_from(s, gates, c)
    return s.program([h], [h, c])


def lstm_packed() -> Program:
    """One product of x and one of h, as torch has it."""
    s = Sketch()
    x, h, c = s.input(), s.state(), s.state(name="c")
    of_x = s("add", s("linear", x, s.parameter(4 * H, K)), s.parameter(4 * H))
    of_h = s("add", s("linear", h, s.parameter(4 * H, H)), s.parameter(4 * H))
    h, c = lstm_from(s, s.chunks(s("add", of_x, of_h), 4), c)
    return s.program([h], [h, c])


def lstm_joined() -> Program:
    """Four products of [x, h]."""
    s = Sketch()
    x, h, c = s.input(), s.state(), s.state(name="c")
    both = s("concat", x, h)
    gates = [s("add", s("linear", both, s.parameter(H, K + H)), s.parameter(H)) for _ in range(4)]
    h, c = lstm_from(s, gates, c)
    return s.program([h], [h, c])


def gru_after() -> Program:
    """Torch's GRU: the reset gate acts after the product."""
    s = Sketch()
    x, h = s.input(), s.state()
    of_x = s("add", s("linear", x, s.parameter(3 * H, K)), s.parameter(3 * H))
    of_h = s("add", s("linear", h, s.parameter(3 * H, H)), s.parameter(3 * H))
    (x_r, x_z, x_n), (h_r, h_z, h_n) = s.chunks(of_x, 3), s.chunks(of_h, 3)
    r, z = s("sigmoid", s("add", x_r, h_r)), s("sigmoid", s("add", x_z, h_z))
    n = s("tanh", s("add", x_n, s("mul", r, h_n)))
    new = s("add", s("mul", s("sub", 1.0, z), n), s("mul", z, h))
    return s.program([new], [new])


def gru_before() -> Program:
    """The first paper's GRU: the reset gate acts before the product; its weights are sliced."""
    s = Sketch()
    x, h = s.input(), s.state()
    U = s.parameter(3 * H, H)
    of_x = s.chunks(s("linear", x, s.parameter(3 * H, K)), 3)
    of_h = s.chunks(s("linear", h, s("slice", U, start=0, stop=2 * H, axis=0)), 2)
    r = s("sigmoid", s.total(of_x[0], of_h[0], s.parameter(H)))
    z = s("sigmoid", s.total(of_x[1], of_h[1], s.parameter(H)))
    U_n = s("slice", U, start=2 * H, stop=3 * H, axis=0)
    n = s("tanh", s.total(of_x[2], s("linear", s("mul", r, h), U_n), s.parameter(H)))
    new = s("add", s("mul", s("sub", 1.0, z), n), s("mul", z, h))
    return s.program([new], [new])


def normed() -> Program:
    """h = tanh(gain · normed(W x + U h) + bias)."""
    s = Sketch()
    x, h = s.input(), s.state()
    a = s("add", s("linear", x, s.parameter(H, K)), s("linear", h, s.parameter(H, H)))
    mean = s("mul", s("sum", a, groups=1), 1 / H)
    off = s("sub", a, s("spread", mean, times=H))
    variance = s("mul", s("sum", s("mul", off, off), groups=1), 1 / H)
    scale = s("rsqrt", s("add", variance, 1e-5))
    normed = s("mul", off, s("spread", scale, times=H))
    new = s("tanh", s("add", s("mul", normed, s.parameter(H)), s.parameter(H)))
    return s.program([new], [new])


def min_gru() -> Program:
    """Gates of x alone: no product is left in the loop."""
    s = Sketch()
    x, h = s.input(), s.state()
    z = s("sigmoid", s("linear", x, s.parameter(H, K)))
    candidate = s("add", s("linear", x, s.parameter(H, K)), s.parameter(H))
    new = s("add", s("mul", s("sub", 1.0, z), h), s("mul", z, candidate))
    return s.program([new], [new])


def highway() -> Program:
    """A recurrent highway network of depth 2: x enters the first layer only."""
    s = Sketch()
    x, h = s.input(), s.state()
    for layer in range(2):
        pair = []
        for _ in range(2):
            a = s("add", s("linear", h, s.parameter(H, H)), s.parameter(H))
            pair.append(a if layer else s("add", s("linear", x, s.parameter(H, K)), a))
        t = s("sigmoid", pair[1])
        h = s("add", s("mul", s("tanh", pair[0]), t), s("mul", h, s("sub", 1.0, t)))
    return s.program([h], [h])


def read_out() -> Program:
    """An output that no state needs, of a state and a mask; a state that passes through."""
    s = Sketch()
    x, mask, h, fixed = s.input(), s.input(H, "mask"), s.state(), s.state(name="fixed")
    a = s("add", s("linear", x, s.parameter(H, K)), s("linear", h, s.parameter(H, H)))
    new = s("where", mask, s("tanh", s("add", a, fixed)), h)
    y = s("add", s("linear", new, s.parameter(2, H)), s.parameter(2))
    return s.program([y, new], [new, fixed])


CELLS: dict[str, Callable[[], Program]] = {
    "lstm-naive": lstm_naive,
    "lstm-packed": lstm_packed,
    "lstm-joined": lstm_joined,
    "gru-after": gru_after,
    "gru-before": gru_before,
    "normed": normed,
    "min-gru": min_gru,
    "highway": highway,
    "read-out": read_out,
}


def prepared(program: Program) -> Program:
    """Return the program checked, simplified and in its parts."""
    return check(hoist(check(simplify(check(program)))))


def count(program: Program, part: str, op: str) -> int:
    """Return how many of a part's instructions are an op."""
    return sum(instruction.op == op for instruction in getattr(program, part))


Arrays = tuple[list[Array], list[Array], list[Array]]


def arrays_for(program: Program, low: float = -1.0, high: float = 1.0, seed: int = 0) -> Arrays:
    """Return random inputs, states and parameters; an input called mask is of zeros and ones."""
    rng = np.random.default_rng(seed)

    def drawn(indices: Sequence[int], *lead: int) -> list[Array]:
        arrays = [rng.uniform(low, high, (*lead, *program.values[i].shape)) for i in indices]
        masks = [program.values[i].name == "mask" for i in indices]
        return [(a > 0).astype(float) if mask else a for a, mask in zip(arrays, masks, strict=True)]

    return drawn(program.inputs, T, B), drawn(program.states, B), drawn(program.parameters)


def results(result: Result) -> list[Array]:
    return [*result.outputs, *result.states]


def gradients(
    program: Program, arrays: Arrays, seeds: Sequence[Array], needs: Sequence[bool] | None = None
) -> Gradients:
    """Return the gradients of the sum of results times seeds, by the adjoint."""
    adjoint = differentiate(program, needs)
    check(adjoint.program)
    result = run(program, *arrays)
    outputs = len(program.outputs)
    return run_adjoint(adjoint, program, result, seeds[:outputs], seeds[outputs:])


def seeds_for(program: Program, arrays: Arrays) -> list[Array]:
    rng = np.random.default_rng(1)
    return [rng.standard_normal(r.shape) for r in results(run(program, *arrays))]


def differences(program: Program, arrays: Arrays, seeds: Sequence[Array], array: Array) -> Array:
    """Return the central differences of the loss with regard to one of the arrays."""
    step = 1e-6

    def loss() -> float:
        given = results(run(program, *arrays))
        return sum(float((r * seed).sum()) for r, seed in zip(given, seeds, strict=True))

    found = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + step
        up = loss()
        array[place] = kept - step
        found[place] = (up - loss()) / (2 * step)
        array[place] = kept
    return found


def assert_gradients_match(program: Program, low: float = -1.0, high: float = 1.0) -> None:
    """Compare every gradient of a program with finite differences of what was written."""
    arrays = arrays_for(program, low, high)
    seeds = seeds_for(program, arrays)
    needs = [program.values[i].name != "mask" for i in program.inputs]
    found = gradients(prepared(program), arrays, seeds, needs)
    assert [g is not None for g in found.inputs] == needs
    for gradient, array in zip(
        (*found.inputs, *found.states, *found.parameters),
        (array for group in arrays for array in group),
        strict=True,
    ):
        if gradient is not None:
            expected = differences(program, arrays, seeds, array)
            np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)
    assert all(gradient is not None for gradient in found.parameters)
