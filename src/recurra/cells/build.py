"""From what the user calls a cell (a name, a class, a module) to a `Cell`."""

import inspect
from collections.abc import Mapping
from difflib import get_close_matches

from torch import nn

from recurra.cells.cell import Cell
from recurra.cells.check import check_cell, check_is_initialised
from recurra.cells.co_rnn import CoRNN
from recurra.cells.coupled import CoupledLSTM
from recurra.cells.elman import Elman
from recurra.cells.fcn import FCN
from recurra.cells.foreign import adapt, check_hidden_size
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
from recurra.cells.sizes import check_flag, check_size
from recurra.cells.states import StateSizes
from recurra.errors import ArgumentError, ArgumentTypeError, RecurraError, ShapeError

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
    input_size = check_size("input_size", input_size)
    hidden_size = check_size("hidden_size", hidden_size)
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
            f"got {cell!r}.{_hint(cell)}"
        )
    built = _build(cell, input_size, hidden_size, options)
    return as_cell(built, input_size, hidden_size, state_sizes, told=True)


def _hint(cell: object) -> str:
    if callable(cell) and not isinstance(cell, type):
        return " To build a cell your own way, pass what the function returns."
    return ""


def _build(
    kind: type[nn.Module], input_size: int, hidden_size: int, options: Mapping[str, object]
) -> nn.Module:
    """Call a cell's class; raises `ArgumentError` where it does not take these arguments."""
    _check_options(kind, options)
    if kind in CELLS.values():
        options = {name: _flag(kind, name, value) for name, value in options.items()}
    try:
        return kind(input_size, hidden_size, **options)
    except RecurraError:
        raise
    except Exception as error:  # of the user's own code: any
        shown = "".join(f", {name}={value!r}" for name, value in options.items())
        name, text = kind.__name__, f"{type(error).__name__}: {error}"
        raise (ArgumentTypeError if isinstance(error, TypeError) else ArgumentError)(
            f"{name}({input_size}, {hidden_size}{shown}) failed with {text}. A cell's class is "
            "called as cell(input_size, hidden_size, **cell_options): pass what else it needs "
            f"as options of the layer, or a built {name}(...) where there is one layer and one "
            "direction."
        ) from error


def as_cell(
    module: nn.Module,
    input_size: int,
    hidden_size: int,
    state_sizes: StateSizes | None = None,
    *,
    told: bool = False,
) -> Cell:
    """Return `module` as a `Cell`, checked by one step on zeros where it is the user's own.

    told: whether it was built with `hidden_size`, and may make of it what it will; else one of
    its states must have that size.
    Raises `ArgumentError` when its state is not known, `ShapeError` when it takes or returns
    other shapes than it says.
    """
    if not isinstance(module, Cell):
        return adapt(module, input_size, hidden_size, state_sizes, told=told)
    check_is_initialised(module)
    if module.input_size != input_size:
        raise ShapeError(f"the cell takes input_size={module.input_size}, not {input_size}.")
    if not told:
        check_hidden_size(hidden_size, module.state_kinds)
    if type(module) in CELLS.values():  # ours are tested; on the meta device a step is slow
        return module
    return check_cell(module)


def _named(name: str) -> type[Cell]:
    if name not in CELLS:
        near = get_close_matches(name.lower(), CELLS, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ArgumentError(
            f"cell={name!r} is not known; take one of {', '.join(CELLS)}, or pass a class.{hint}"
        )
    return CELLS[name]


def _flag(kind: type[nn.Module], name: str, value: object) -> object:
    """Return an option, which must be True or False where its default is."""
    default = inspect.signature(kind).parameters[name].default
    return check_flag(name, value) if isinstance(default, bool) else value


def _check_options(cell: type[nn.Module], options: Mapping[str, object]) -> None:
    try:
        parameters = inspect.signature(cell).parameters.values()
    except (TypeError, ValueError):  # Python does not know what it takes
        return
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL][2:]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ArgumentError(
            f"{cell.__name__} has no option {unknown[0]!r}; it takes {', '.join(known) or 'none'}."
        )
