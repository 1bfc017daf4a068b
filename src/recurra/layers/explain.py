"""Finds out what runs of a layer, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from recurra.backends import Steps, choose, current_backend, eager, kernels
from recurra.backends.choose import left_to_the_loop, native_or_reason, run_odd
from recurra.backends.compiled import Way
from recurra.backends.prepare import Prepared, prepare
from recurra.cells import Cell, build_cell
from recurra.cells.check import check_cell
from recurra.cells.foreign import Adapted
from recurra.cells.like import zeros_like_of
from recurra.cells.states import StateSizes
from recurra.errors import ArgumentError, ArgumentTypeError, BackendError
from recurra.layers.drop_in import GRU, LSTM, RNN
from recurra.layers.explanation import CellExplanation, Explanation, Work
from recurra.layers.recurrent import Recurrent
from recurra.program.cost import count_flops
from recurra.program.describe import (
    Line,
    Namer,
    Section,
    describe_adjoint,
    describe_forward,
    name_leaves,
)
from recurra.program.describe_recipe import describe_recipe
from recurra.program.trace import Traced


def explain(
    layer: nn.Module,
    *,
    input_size: int | None = None,
    hidden_size: int | None = None,
    state_sizes: StateSizes | None = None,
) -> Explanation:
    """Return what runs of a layer or a cell: which backend, and every step of it, with costs.

    Args:
        layer: a `Recurrent`, `RNN`, `LSTM` or `GRU`, a `Cell`, or a module that `Recurrent`
            takes for a cell.
        input_size, hidden_size: of such a module, if it has no attributes of these names.
        state_sizes: of such a module, as `Recurrent` takes it.

    Raises `ArgumentTypeError` or `ArgumentError` for what is no layer and no cell.
    """
    if isinstance(layer, Recurrent):
        cells, directions = layer.cell_list(), layer.directions
    elif isinstance(layer, RNN | LSTM | GRU):
        cells, directions = layer._cells(), 2 if layer.bidirectional else 1
    else:
        cells, directions = [_as_cell(layer, input_size, hidden_size, state_sizes)], 1
    same: list[tuple[_Standing, list[int]]] = []
    for k, cell in enumerate(cells):
        standing = _standing(cell)
        known = next((where for other, where in same if other == standing), None)
        if known is None:
            same.append((standing, [k]))
        else:
            known.append(k)
    return Explanation(
        tuple(
            CellExplanation(
                where=_places(where, len(cells), directions),
                count=len(where),
                cell=standing.cell,
                input_size=standing.input_size,
                state_sizes=standing.state_sizes,
                output_size=standing.output_size,
                dtype=str(standing.dtype).removeprefix("torch."),
                backend=standing.backend,
                reason=standing.reason,
                weight_bytes=standing.weight_bytes,
                work=_work(cells[where[0]], standing.dtype),
            )
            for standing, where in same
        )
    )


@dataclass(frozen=True)
class _Standing:
    """What is the same of cells that are explained once."""

    cell: str
    input_size: int
    state_sizes: dict[str, int]
    output_size: int
    dtype: torch.dtype
    backend: str
    reason: str
    weight_bytes: int
    traced: Traced | None


def _as_cell(
    module: object, input_size: int | None, hidden_size: int | None, state_sizes: StateSizes | None
) -> Cell:
    if isinstance(module, Cell):
        plain = all(kind.is_plain for kind in module.state_kinds.values())
        return module if plain else check_cell(module)
    if not isinstance(module, nn.Module):
        raise ArgumentTypeError(f"explain takes a layer or a cell, got {module!r}.")
    sizes = []
    for name, given in (("input_size", input_size), ("hidden_size", hidden_size)):
        size = getattr(module, name, None) if given is None else given
        if not isinstance(size, int):
            raise ArgumentError(f"what {name} {type(module).__name__} has is not known: pass it.")
        sizes.append(size)
    return build_cell(module, sizes[0], sizes[1], state_sizes)


def _standing(cell: Cell) -> _Standing:
    backend, reason = _backend(cell)
    prepared = prepare(cell, _like(cell).dtype)
    module = cell.module if isinstance(cell, Adapted) else cell
    if isinstance(prepared, str) and prepared not in reason:
        reason = f"{reason}; {prepared}"
    return _Standing(
        type(module).__name__,
        cell.input_size,
        cell.state_sizes,
        cell.output_size,
        _like(cell).dtype,
        backend,
        reason,
        sum(weight.nbytes for weight in cell.parameters()),
        prepared.traced if isinstance(prepared, Prepared) else None,
    )


def _like(cell: Cell) -> torch.Tensor:
    """Return an empty tensor of the dtype and on the device that the cell computes with."""
    return zeros_like_of(cell).new_empty(0)


def _backend(cell: Cell) -> tuple[str, str]:
    """Return what runs the cell as things stand, and why it is not the native engine."""
    like = _like(cell)
    state = tuple(like.new_zeros(1, size) for size in cell.state_sizes.values())
    steps = Steps(like.new_zeros(1, 1, cell.input_size), state)
    try:
        run = choose(cell, steps)
    except BackendError as error:
        return "none", str(error)
    if run not in (eager.run, run_odd, kernels.run):
        return "native", ""
    wanted = current_backend()
    if wanted == "auto":
        found = native_or_reason(cell, steps)
        slower = left_to_the_loop(found, cell, steps) if isinstance(found, Prepared) else found
        reason = str(slower)
    else:
        reason = f'use_backend("{wanted}") is set'
    return "torch" if run is kernels.run else "eager", reason


def _work(cell: Cell, dtype: torch.dtype) -> Work | None:
    prepared = prepare(cell, dtype)
    if isinstance(prepared, str):
        return None
    compiled, namer = prepared.compiled, Namer()
    program, adjoint = compiled.program, compiled.adjoint(Way(True, True, False))
    names = name_leaves(program, namer)
    randoms = [
        Line(f"{names[index]} ~ {random}", (random.size,))
        for index, random in zip(program.inputs[1:], prepared.traced.randoms, strict=True)
    ]
    parameters, calls = describe_recipe(prepared.traced, namer)
    names.update(zip(program.parameters, parameters, strict=True))
    sections = (
        *([Section("drawn for every row and step", tuple(randoms))] if randoms else []),
        *describe_forward(program, names, namer, calls),
        *describe_adjoint(adjoint, program, names, namer),
    )
    return Work(
        program=program,
        adjoint=adjoint,
        sections=sections,
        forward=count_flops(program),
        backward=count_flops(adjoint.program),
        kept_bytes=_kept_bytes(prepared, dtype),
    )


def _kept_bytes(prepared: Prepared, dtype: torch.dtype) -> int | None:
    try:
        lowered = prepared.compiled.forward(Way(gradients=True, dx=True, restarts=False))
    except ImportError:  # installed without the engine
        return None
    return dtype.itemsize * sum(width for width, _ in lowered.tapes)


def _places(where: Sequence[int], count: int, directions: int) -> str:
    """Return which layers and directions some cells of a stack are, in words."""
    if len(where) == count == 1:
        return ""
    if directions == 1:
        return _layers(list(where))
    forward = {k // 2 for k in where if k % 2 == 0}
    backward = {k // 2 for k in where if k % 2 == 1}
    groups = (
        (forward & backward, "both directions"),
        (forward - backward, "forward"),
        (backward - forward, "backward"),
    )
    return "; ".join(f"{_layers(sorted(layers))}, {name}" for layers, name in groups if layers)


def _layers(layers: Sequence[int]) -> str:
    """Return "layer 0", "layers 0-3" or "layers 0, 2-3"."""
    spans: list[list[int]] = []
    for layer in layers:
        if spans and spans[-1][1] == layer - 1:
            spans[-1][1] = layer
        else:
            spans.append([layer, layer])
    text = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
    return f"layer{'s' * (len(layers) > 1)} {text}"
