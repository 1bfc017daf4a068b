"""From what the user calls a cell (a name, a class, a module) to a `Cell`."""

import inspect
from collections.abc import Mapping
from difflib import get_close_matches

from torch import Tensor, nn

from recurra.cells.cell import Cell
from recurra.cells.co_rnn import CoRNN
from recurra.cells.coupled import CoupledLSTM
from recurra.cells.elman import Elman
from recurra.cells.fcn import FCN
from recurra.cells.foreign import StateSizes, adapt, probe, zeros_for
from recurra.cells.gru import GRU
from recurra.cells.ind_rnn import IndRNN
from recurra.cells.janet import JANET
from recurra.cells.layer_norm import LayerNormLSTM
from recurra.cells.lstm import LSTM
from recurra.cells.mgu import MGU
from recurra.cells.min_gru import MinGRU
from recurra.cells.peephole import PeepholeLSTM
from recurra.cells.rhn import RHN
from recurra.cells.s_lstm import SLSTM
from recurra.errors import ArgumentError, ArgumentTypeError, ShapeError

CELLS: dict[str, type[Cell]] = {
    "elman": Elman,
    "fcn": FCN,
    "gru": GRU,
    "lstm": LSTM,
    "peephole_lstm": PeepholeLSTM,
    "layer_norm_lstm": LayerNormLSTM,
    "coupled_lstm": CoupledLSTM,
    "mgu": MGU,
    "min_gru": MinGRU,
    "ind_rnn": IndRNN,
    "janet": JANET,
    "co_rnn": CoRNN,
    "s_lstm": SLSTM,
    "rhn": RHN,
}


def build_cell(
    cell: str | type[nn.Module] | nn.Module,
    input_size: int,
    hidden_size: int,
    state_sizes: StateSizes | None = None,
    **options: object,
) -> Cell:
    """Return a new `Cell` for `cell`: a name in `CELLS`, a class, or a module as it is.

    A class is called as `cell(input_size, hidden_size, **options)`.
    Raises `ArgumentError` for an unknown name or option and for a module that is no cell.
    """
    if isinstance(cell, nn.Module):
        if options:
            raise ArgumentError(
                f"the options {', '.join(options)} cannot be applied: the cell is built already. "
                "Pass its class to have it built with them."
            )
        return as_cell(cell, input_size, hidden_size, state_sizes)
    if isinstance(cell, str):
        cell = _named(cell)
    if not (isinstance(cell, type) and issubclass(cell, nn.Module)):
        raise ArgumentTypeError(
            "cell must be a name, a class derived from torch.nn.Module or an instance of one, "
            f"got {cell!r}."
        )
    _check_options(cell, options)
    return as_cell(cell(input_size, hidden_size, **options), input_size, hidden_size, state_sizes)


def as_cell(
    module: nn.Module,
    input_size: int,
    hidden_size: int,
    state_sizes: StateSizes | None = None,
) -> Cell:
    """Return `module` as a `Cell`, checked by one step on zeros where it is the user's own.

    Raises `ArgumentError` when its state is not known, `ShapeError` when it takes or returns
    other shapes than it says.
    """
    if isinstance(module, Cell):
        cell: Cell = module
        if cell.input_size != input_size:
            raise ShapeError(f"the cell takes input_size={cell.input_size}, not {input_size}.")
        if hidden_size not in cell.state_sizes.values():
            raise ShapeError(
                f"hidden_size is {hidden_size}, but the cell's states are {cell.state_sizes}."
            )
    else:
        cell = adapt(module, input_size, hidden_size, state_sizes)
    if type(cell) not in CELLS.values():  # ours are tested; on the meta device a step is slow
        _check_step(cell)
    return cell


def _named(name: str) -> type[Cell]:
    if name not in CELLS:
        near = get_close_matches(name.lower(), CELLS, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ArgumentError(
            f"cell={name!r} is not known; take one of {', '.join(CELLS)}, or pass a class.{hint}"
        )
    return CELLS[name]


def _check_options(cell: type[nn.Module], options: Mapping[str, object]) -> None:
    parameters = inspect.signature(cell).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL][2:]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ArgumentError(
            f"{cell.__name__} has no option {unknown[0]!r}; it takes {', '.join(known) or 'none'}."
        )


def _check_step(cell: Cell) -> None:
    """Hold the cell to what it says of itself, before anyone trains it."""
    inputs = zeros_for(cell, cell.input_size, cell.state_sizes)
    result = probe(cell, *inputs)
    name = type(getattr(cell, "module", cell)).__name__
    if not (isinstance(result, tuple) and len(result) == 2):
        raise ArgumentError(
            f"{name}.forward must return (output, new_state), got {type(result).__name__}."
        )
    output, new = result
    if not isinstance(new, tuple) or len(new) != len(cell.state_sizes):
        raise ArgumentError(
            f"{name}.forward must return {len(cell.state_sizes)} new states "
            f"({', '.join(cell.state_sizes)}) as a tuple, got {_describe(new)}."
        )
    wanted = {"the output": cell.output_size} | {
        f"state {key!r}": size for key, size in cell.state_sizes.items()
    }
    for (what, size), value in zip(wanted.items(), (output, *new), strict=True):
        if not isinstance(value, Tensor) or value.shape != (2, size):
            raise ShapeError(
                f"{name}.forward must return {what} of (B, {size}) = (2, {size}) on a batch of 2, "
                f"got {_describe(value)}."
            )


def _describe(value: object) -> str:
    if isinstance(value, Tensor):
        return str(tuple(value.shape))
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} of {len(value)}"
    return type(value).__name__
