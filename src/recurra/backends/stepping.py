"""The machine for short runs: cells that keep their state, their weights packed beforehand."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recurra import _core
from recurra.backends.compiled import Way
from recurra.backends.interpret import set_up
from recurra.backends.memory import address, is_ordinary, plain
from recurra.backends.prepare import Prepared, leaves, prepare
from recurra.backends.steps import SteppedCell
from recurra.program.trace_leaves import Held

MOST_ROWS = 16  # more are better shared among threads, by a call of the layer

# Holder, group, key and what holder.__dict__[group][key] is (native/bind/sources.cpp has the rest).
Place = tuple[object, str | None, str | None, object]


class NativeSteppers:
    """Pushes a stack of cells along a stream, as long as nothing of them changes.

    places: where what was packed was found; looked at in front of every push.
    """

    def __init__(
        self,
        cells: Sequence[tuple[SteppedCell, Prepared, Sequence[Tensor]]],
        places: Sequence[Place],
    ) -> None:
        self._places = tuple(places)
        # Noted before they are packed: what is written to the weights meanwhile is seen later.
        self._sources = _core.Sources(self._places, [_span(place[-1]) for place in places])
        self._cells = [NativeStepper(*each) for each in cells]
        self._dtype = self._cells[0].state[0].dtype

    def hold(self, steps: int) -> bool:
        """Return whether the cells still are what was packed, as far as a push of `steps` looks.

        Their equations, where their tensors lie, and all the numbers in these; of more than 512 kB
        of numbers a share of each tensor, other ones each time, the more the more steps there are.
        """
        if not self._sources.same(self._places, steps):
            return False
        return all(each.holds(self._dtype) for each in self._cells)

    def push(self, x: Tensor) -> Tensor:
        """Return the outputs for x: (B, O) for one step (B, I), (T, B, O) for (T, B, I), T > 0."""
        for each in self._cells:
            x = each.push(x)
        return x


class NativeStepper:
    """Pushes a cell along a stream.

    state: each (B, size), contiguous: read and written by every push.
    """

    def __init__(self, cell: SteppedCell, prepared: Prepared, state: Sequence[Tensor]) -> None:
        self.cell, self.prepared, self.state = cell, prepared, state
        program, like = prepared.compiled.program, state[0]
        self.output_size = program.values[program.outputs[0]].size
        self._read = _values(prepared, cell)
        lowered = prepared.compiled.forward(Way(False, False, False))
        with torch.no_grad():
            weights = set_up(program, leaves(prepared, cell))
            vectors = [plain(weights[v]).to(like).contiguous() for v in lowered.vectors]
            matrices = [plain(weights[v]).to(like) for v in lowered.matrices]
        kind = _core.FloatStepper if like.dtype == torch.float32 else _core.DoubleStepper
        self._stepper = kind(
            lowered.plan,
            [(address(w), w.stride()) for w in matrices],
            [(address(v), v.stride()) for v in vectors],
            like.shape[0],
            [address(s) for s in self.state],
        )

    def holds(self, dtype: torch.dtype) -> bool:
        """Return whether the cell's program, and what it reads besides tensors, are the same."""
        if prepare(self.cell, dtype) is not self.prepared:
            return False
        return not self._read or _values(self.prepared, self.cell) == self._read

    def push(self, x: Tensor) -> Tensor:
        """Return the outputs for x: (B, O) for one step (B, I), (T, B, O) for (T, B, I)."""
        x, n = plain(x), self.output_size
        if x.dim() == 2:
            out = x.new_empty(x.shape[0], n)
            row, feature = x.stride()
            self._stepper.push(1, x.data_ptr(), 0, row, feature, out.data_ptr(), 0, n)
            return out
        T, B, _ = x.shape
        out = x.new_empty(T, B, n)
        step, row, feature = x.stride()
        self._stepper.push(T, x.data_ptr(), step, row, feature, out.data_ptr(), B * n, n)
        return out


def steppers(
    cells: Sequence[SteppedCell], states: Sequence[Sequence[Tensor]], places: Sequence[Place]
) -> NativeSteppers | None:
    """Return what pushes the cells, or None where the machine has no short way for one of them."""
    like = states[0][0]
    if like.shape[0] > MOST_ROWS or like.device.type != "cpu":
        return None
    if like.dtype not in (torch.float32, torch.float64):
        return None
    found, every = [], list(places)
    for cell, state in zip(cells, states, strict=True):
        prepared = prepare(cell, like.dtype)
        if isinstance(prepared, str) or prepared.traced.randoms:
            return None
        if prepared.faster_loop(False, False) is not None:  # which then runs the whole, too
            return None
        found.append((cell, prepared, state))
        every += _places(cell, prepared)
    if not all(_can_be_watched(value) for *_, value in every if isinstance(value, Tensor)):
        return None
    return NativeSteppers(found, every)


def _places(cell: SteppedCell, prepared: Prepared) -> list[Place]:
    """Return where the tensors lie that the program's parameters are made from."""
    places: dict[tuple[int, str], Place] = {}
    for path in prepared.traced.names:
        assert isinstance(cell, nn.Module)
        module: nn.Module = cell
        *parts, name = path.split(".")
        for part in parts:
            child = module._modules[part]
            assert child is not None
            places[id(module), part] = module, "_modules", part, child
            module = child
        group = "_parameters" if module._parameters.get(name) is not None else "_buffers"
        places[id(module), name] = module, group, name, vars(module)[group][name]
    recipe = prepared.traced.recipe
    held = (recipe.steps[node] for node in recipe.order)
    loose: list[Place] = [(None, None, None, s.tensor) for s in held if isinstance(s, Held)]
    loose += [(None, None, None, read.take(cell)) for read in recipe.reads if read.number is None]
    return [*places.values(), *loose]


def _values(prepared: Prepared, cell: SteppedCell) -> list[object]:
    """Return what a program reads that is no parameter or buffer: numbers, and which tensors."""
    return [
        id(read.take(cell)) if read.number is None else float(read.take(cell)).hex()
        for read in prepared.traced.recipe.reads
    ]


def _can_be_watched(tensor: Tensor) -> bool:
    """Return whether a tensor's numbers lie in memory; raises `ShapeError` if they are gone."""
    if not is_ordinary(tensor) or tensor.device.type != "cpu":
        return False
    if tensor.is_neg() or tensor._is_zerotensor():
        return False
    address(tensor)
    return True


def _span(value: object) -> int:
    """Return how many bytes a tensor's numbers lie in, 0 for what is no tensor."""
    if not isinstance(value, Tensor) or not value.numel():
        return 0
    last = sum((n - 1) * s for n, s in zip(value.shape, value.stride(), strict=True))
    return (last + 1) * value.element_size()
