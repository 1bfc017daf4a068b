"""`Recurrent`: any cell as a layer, stacked, in one direction or both."""

import math
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from recurra.backends import Place, State, check_dense
from recurra.cells import build_cell
from recurra.cells.cell import Cell
from recurra.cells.like import like_of, zeros_like_of
from recurra.cells.sizes import check_flag, check_number, check_size
from recurra.cells.states import StateSizes
from recurra.errors import ArgumentError, ArgumentTypeError, ShapeError
from recurra.layers.node import as_node, is_proxy
from recurra.layers.stack import run_stack
from recurra.layers.states import LayerStates
from recurra.layers.stream import Stream, open_stream
from recurra.recurrence import check_lengths, check_reset, same_dtype


class Recurrent(nn.Module):
    """A recurrent layer over any cell: stacked, in one direction or both.

    Args:
        cell: a name in `recurra.cells.CELLS` ("lstm", "gru", "elman", ...), a class called as
            `cell(input_size, hidden_size, **cell_options)` once for each layer and direction,
            or one built module where there is one layer and one direction. A module need be no
            `recurra.Cell`: the form it takes and gives its states in is found by trying it.
        input_size: I, the features of x.
        hidden_size: H.
        num_layers: L, layers on top of one another, each with weights of its own; at most 1,000.
        bidirectional: whether a second cell with weights of its own runs backwards in time in
            each layer, its outputs beside the first one's.
        dropout: the probability of an output's being zeroed between two layers, in training.
        batch_first: whether x and out are (B, T, ...); states never are.
        learn_initial_state: whether the state to start from is learned instead of zero.
        checkpoint: trade time for memory in training: True keeps the states of every √T-th step
            only, a number those of every so-many-th, and the backward pass runs the steps
            between them again.
        truncate: k, how many steps back a gradient goes: what the output at t sends to
            computations before t - k is dropped, along any path through layers and directions
            (each step of a state counts), and nothing else. None drops nothing.
        clip_state_grad: the norm to which each row's gradient of each state is cut at every step
            on its way back; None cuts nothing.
        state_sizes: the states' names (each of size H), or names with sizes, shapes as in
            {"S": (4, 4)}, or either with a complex dtype as in {"s": (16, torch.complex64)}, for a
            cell that does not say them itself. torch's own cells, and modules that run without a
            state or from one or two of size H, need none.
        **cell_options: passed to the cell's class.

    `state_sizes` has how many real numbers each state of the first cell is; `states().kinds` what
    the states of all cells are.

    >>> out, (h,) = Recurrent("gru", 8, 32)(torch.zeros(5, 2, 8))  # a tuple, of one state too
    >>> h.shape
    torch.Size([1, 2, 32])

    Raises `ArgumentError` for values, `ArgumentTypeError` for types that cannot be used.
    """

    _plain = True  # whether every state is a tensor (L·D, B, size) of real numbers

    def __init__(
        self,
        cell: str | type[nn.Module] | nn.Module,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        batch_first: bool = False,
        learn_initial_state: bool = False,
        checkpoint: bool | int = False,
        truncate: int | None = None,
        clip_state_grad: float | None = None,
        state_sizes: StateSizes | None = None,
        **cell_options: object,
    ) -> None:
        super().__init__()
        input_size = check_size("input_size", input_size)
        hidden_size = check_size("hidden_size", hidden_size)
        num_layers = check_size("num_layers", num_layers, most=1000)
        dropout = _check_dropout(dropout, num_layers)
        bidirectional = check_flag("bidirectional", bidirectional)
        batch_first = check_flag("batch_first", batch_first)
        learn_initial_state = check_flag("learn_initial_state", learn_initial_state)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bidirectional, self.dropout, self.batch_first = bidirectional, dropout, batch_first
        self.directions = 2 if bidirectional else 1
        if not isinstance(checkpoint, bool | np.bool_):
            checkpoint = check_size("checkpoint", checkpoint)
        self.checkpoint, self.truncate, self.clip_state_grad = checkpoint, truncate, clip_state_grad
        self._check_gradient_options()
        if isinstance(cell, nn.Module) and num_layers * self.directions > 1:
            raise ArgumentError(
                f"one built cell cannot be {num_layers} layers in {self.directions} directions, "
                "whose weights are independent: pass its class."
            )
        self.cells = nn.ModuleList()
        for k in range(num_layers * self.directions):
            size = input_size if k < self.directions else self.directions * self._output_size()
            self.cells.append(build_cell(cell, size, hidden_size, state_sizes, **cell_options))
        first = self._first()
        self.state_sizes = first.state_sizes
        self.output_size = self.directions * first.output_size
        states = self.states()
        self._plain = states.is_plain
        self.initial_state = None
        if learn_initial_state:
            self.initial_state = states.learned(zeros_like_of(first))

    def forward(
        self,
        x: Tensor,
        state: Tensor | Sequence[Tensor] | None = None,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor, State]:
        """Run the layer over a batch of sequences.

        Args:
            x: (T, B, I), or (B, T, I) with `batch_first`.
            state: the state to start from, each (L·D, B, size) in the cell's order (or
                (L·D, B, *shape); where sizes differ from layer to layer, a tuple of L·D tensors
                (B, size)); a tensor will do where the cell has one state. None starts from zeros
                or from the learned state.
            lengths: (B,), each row's steps, from 0 to T, on any device; None for all T. A row's
                outputs are zero past its end, its state is the one at its own last step, and
                the backward direction starts at its own end.
            reset: (T, B) bool (or (B, T) with `batch_first`): a row's state restarts before
                that step, so that nothing crosses the border in front of it, in either direction.

        Returns out (T, B, D·O) or (B, T, D·O), and the last state in the form of `state`: a tuple
        in the cell's order, with one state too (`recurra.GRU` returns the tensor, as torch.nn).
        Raises `ShapeError` when something does not fit.
        """
        if is_proxy(x):
            node: tuple[Tensor, State] = as_node(self, x, state, lengths, reset)
            return node
        x = self._check_input(x)
        T, B, _ = x.shape
        fresh = self.fresh_state(x, B)
        start = fresh if state is None else self.check_state(state, x, B)
        fresh, start = self.flat_state(fresh), self.flat_state(start)
        if lengths is not None:
            lengths = check_lengths(lengths, T, B, x.device)
        if reset is not None:
            reset = check_reset(reset, T, B, x.device, self.batch_first)
        run = run_stack
        if self.truncate is not None:
            self._check_gradient_options()  # they may have been set since
        if self.truncate is not None and torch.compiler.is_compiling():
            from recurra.layers.uncompiled import run_uncompiled as run  # no graph can be cut off
        out, last = run(
            self.cell_list(),
            self.directions,
            x,
            start,
            lengths=lengths,
            reset=reset,
            fresh=fresh,
            dropout=self.dropout if self.training else 0.0,
            checkpoint=self._segment(T),
            truncate=self.truncate,
            clip_states=self.clip_state_grad,
        )
        last = self.whole_state(last)
        return out.transpose(0, 1) if self.batch_first else out, last

    def __prepare_scriptable__(self) -> nn.Module:
        """Refuse `torch.jit.script`, which cannot compile any cell's code."""
        raise ArgumentError(
            "torch.jit.script does not compile a Recurrent: use torch.jit.trace(layer, (x,)), "
            "torch.export.export(layer, (x,)) or recurra.export_onnx."
        )

    def stream(self, batch_size: int = 1) -> Stream:
        """Return a stream over endless input: `push` pieces, the state is kept between them.

        Raises `ArgumentError` for a bidirectional layer, which needs the end before the beginning.
        """
        batch_size = check_size("batch_size", batch_size)
        return open_stream(self, batch_size)

    def cell_list(self) -> list[Cell]:
        """Return the cell of layer 0 forward, layer 0 backward, layer 1 forward, ..."""
        return [cell for cell in self.cells if isinstance(cell, Cell)]

    def states(self) -> LayerStates:
        """Return what the states are, in all cells."""
        return LayerStates.of([cell for cell in self.cells if isinstance(cell, Cell)])

    def cell_places(self) -> list[Place]:
        """Return where the cells are held: while these are in place, `cell_list` is the same."""
        cells = self.cells._modules
        count: Place = (self.cells, "_modules", None, len(cells))
        each: list[Place] = [(self.cells, "_modules", key, cell) for key, cell in cells.items()]
        return [(self, "_modules", "cells", self.cells), count, *each]

    def extra_repr(self) -> str:
        """Show what the cells' own lines do not."""
        shown = [f"{self.input_size}, {self.hidden_size}"]
        for name, default in (
            ("num_layers", 1),
            ("bidirectional", False),
            ("dropout", 0.0),
            ("batch_first", False),
            ("checkpoint", False),
            ("truncate", None),
            ("clip_state_grad", None),
        ):
            if getattr(self, name) != default:
                shown.append(f"{name}={getattr(self, name)}")
        return ", ".join(shown)

    def _check_gradient_options(self) -> None:
        if self.truncate is not None:
            check_size("truncate", self.truncate)
        if self.clip_state_grad is not None:
            check_number("clip_state_grad", self.clip_state_grad, above=0)
        others = {"checkpoint": self.checkpoint, "clip_state_grad": self.clip_state_grad}
        for name, value in others.items():
            if self.truncate is not None and value:
                raise ArgumentError(f"truncate={self.truncate} goes without {name}={value}.")

    def _segment(self, T: int) -> int | None:
        if isinstance(self.checkpoint, bool):
            return max(1, math.isqrt(T)) if self.checkpoint else None
        return self.checkpoint

    def _first(self) -> Cell:
        cell = self.cells[0]
        assert isinstance(cell, Cell)
        return cell

    def _output_size(self) -> int:
        return self._first().output_size

    def _check_input(self, x: Tensor) -> Tensor:
        if not isinstance(x, Tensor):
            raise ArgumentTypeError(f"x must be a tensor, got {type(x).__name__}.")
        check_dense("x", x)
        axes = "(B, T, I)" if self.batch_first else "(T, B, I)"
        if x.dim() != 3 or x.shape[-1] != self.input_size:
            raise ShapeError(
                f"x must be of {axes} with I = {self.input_size}, got {tuple(x.shape)}."
            )
        weight = like_of(self._first())
        if weight is None:
            weight = x
        bare = next(self._first().parameters(), None) is None
        if bare and torch.promote_types(weight.dtype, x.dtype) is x.dtype:
            weight = x  # the buffers of a cell without parameters are raised to x's dtype
        if not same_dtype(x, weight) and not self._takes_complex(x):
            # A complex weight would lose its imaginary part by layer.to(a real dtype).
            whole = any(p.is_complex() for p in self.parameters())
            other = "" if whole else f" or the layer by layer.to({x.dtype})"
            raise ShapeError(
                f"x is {x.dtype}, but the layer's weights are {weight.dtype}: "
                f"convert x by x.to({weight.dtype}){other}."
            )
        if x.device != weight.device:
            raise ShapeError(f"x is on {x.device}, but the layer's weights are on {weight.device}.")
        return x.transpose(0, 1) if self.batch_first else x

    def fresh_state(self, like: Tensor, B: int) -> State:
        """Return the state that B rows start from, each (L·D, B, size): zeros or the learned."""
        if self.initial_state is not None:
            return self.states().started(self.initial_state, like, B)
        if self._plain:
            return tuple(like.new_zeros(len(self.cells), B, n) for n in self.state_sizes.values())
        return self.states().zeros(like, B)

    def check_state(self, state: Tensor | Sequence[Tensor], like: Tensor, B: int) -> State:
        """Return a state of B rows as a tuple; raises `ShapeError` unless it fits."""
        return self.states().check(state, like, B)

    def flat_state(self, state: State) -> State:
        """Return a state of the layer as its cells' runs have it, each (L·D, B, size)."""
        return state if self._plain else self.states().flat(state)

    def whole_state(self, state: State) -> State:
        """Return a state that its cells' runs have as the layer takes and gives it."""
        return state if self._plain else self.states().whole(state)

    def _takes_complex(self, x: Tensor) -> bool:
        first = next(self.parameters(), x)
        return x.is_complex() and x.dtype == first.dtype and self._plain


def _check_dropout(dropout: object, num_layers: int) -> float:
    number = isinstance(dropout, int | float | np.integer | np.floating)
    if isinstance(dropout, bool) or not number or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise ArgumentError(f"dropout must be a probability from 0 to 1, got {dropout!r}.")
    if dropout and num_layers == 1:
        warnings.warn(
            f"dropout={dropout} acts between layers, and there is only one: it does nothing.",
            stacklevel=3,
        )
    return float(dropout)  # type: ignore[arg-type]
