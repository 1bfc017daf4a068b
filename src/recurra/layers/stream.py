"""Endless input, a piece at a time: a layer that keeps its state between the pieces."""

from collections.abc import Sequence
from threading import RLock
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from recurra.backends import (
    Place,
    State,
    Steppers,
    check_dense,
    is_ordinary,
    steppers,
    steppers_may_run,
)
from recurra.cells.cell import Cell
from recurra.cells.like import zeros_like_of
from recurra.errors import ArgumentError, ArgumentTypeError, ShapeError
from recurra.layers.rows import rows_named
from recurra.layers.stack import run_stack, together

_PLAIN = (Tensor, nn.Parameter)


def _keys(tensor: Tensor) -> int:
    """Return what torch's dispatcher knows of a tensor, as bits: device, layout, what is lazy."""
    keys: int = torch._C._dispatch_keys(tensor).raw_repr()
    return keys


with torch.inference_mode():
    _ORDINARY = {_keys(torch.empty(0))}
_ORDINARY |= {_keys(torch.empty(0, requires_grad=flag)) for flag in (False, True)}


class Streamed(Protocol):
    """A layer as its stream sees it: `Recurrent`, and the drop-ins in torch.nn's form."""

    input_size: int
    batch_first: bool
    bidirectional: bool

    def cell_list(self) -> list[Cell]:
        """Return the cells of the stack, with the weights of now."""
        ...

    def cell_places(self) -> list[Place] | None:
        """Return what `cell_list` depends on; None where the cells must be asked for every time."""
        ...

    def fresh_state(self, like: Tensor, B: int) -> State:
        """Return the state that B rows start from."""
        ...

    def check_state(self, state: Any, like: Tensor, B: int) -> State:
        """Return a state of B rows as a tuple; raises `ShapeError` unless it fits."""
        ...

    def flat_state(self, state: State) -> State:
        """Return a state as its cells' runs have it, each (L, B, size) or one (B, size) a cell."""
        ...

    def whole_state(self, state: State) -> Any:
        """Return a state that its cells' runs have as the layer takes and gives it."""
        ...


class Stream:
    """A layer run along a stream: `push` what has come, read what comes out.

    Pieces of any size give the same bits as the whole at once. Nothing is recorded for
    gradients, and there is no dropout between layers. Made by `layer.stream(batch_size)`.

    Every push computes with the layer as it is then: its weights, whatever wrote to them (an
    optimiser, `.data`, NumPy, another process), its cells, their attributes, modes and hooks, its
    dtype. For that the numbers of its weights are looked at before each push. Of a cell with more
    than 512 kB of weights only a share of each is looked at, 128 kB for every step that is pushed:
    there a change of single numbers that torch's own counters do not show is found after some
    pushes; `refresh` finds it at once.

    Threads may push to one stream: one push waits for another. A copy (`copy`, `deepcopy`, pickle)
    is a stream of its own, with a state of its own.
    """

    def __init__(self, layer: Streamed, batch_size: int = 1) -> None:
        if not hasattr(layer, "cell_places"):
            raise ArgumentTypeError(
                f"a stream is of a Recurrent, LSTM, GRU or RNN of recurra, got "
                f"{type(layer).__module__}.{type(layer).__name__}."
            )
        self._layer, self._lock = layer, RLock()
        self._step = (batch_size, layer.input_size)
        self._state: list[State] = []
        self._follow()

    @property
    def state(self) -> Any:
        """The state now, each (L, B, size) in the cell's order: a copy.

        A tuple; of a drop-in in the form in which torch.nn returns it.
        """
        with self._lock:
            return self._layer.whole_state(self._stacked())

    @state.setter
    def state(self, state: Tensor | Sequence[Tensor]) -> None:
        with self._lock:
            self._follow_changes(1)
            given = self._layer.check_state(state, self._like, self._step[0])
            self._keep(self._layer.flat_state(given))

    def reset(self, rows: Tensor | Sequence[int] | Sequence[bool] | int | None = None) -> None:
        """Start anew, from zeros or the state that the layer has learned by now.

        rows: which of the batch's rows: a mask (B,) of booleans, or different whole numbers from
        0 to B - 1 (negative ones count from the end); None for all.
        Raises `ArgumentError` for anything else.
        """
        where = slice(None) if rows is None else rows_named(rows, self._step[0])
        with self._lock:
            fresh = self._fresh(self._like)
            for k, own in enumerate(self._state):
                for mine, start in zip(own, fresh, strict=True):
                    mine[where] = start[k].detach().to(mine)[where]

    def refresh(self) -> None:
        """Take the layer as it is now: every number of its weights is read anew."""
        with self._lock:
            self._follow()

    def push(self, x: Tensor) -> Tensor:
        """Run over the next steps and return their outputs.

        x: (B, I), one step, gives (B, O); (T, B, I), several ((B, T, I) with the layer's
        `batch_first`), gives (T, B, O). Raises `ShapeError` for anything else.
        """
        if torch.compiler.is_compiling():
            alone = torch.compiler.disable(self.push)  # type: ignore[no-untyped-call]
            out: Tensor = alone(x)  # a graph cannot keep a state
            return out
        with self._lock:
            if (
                self._steppers is not None
                and type(x) in _PLAIN
                and _keys(x) in _ORDINARY
                and x.shape == self._step
                and x.dtype is self._dtype
                and x.untyped_storage().nbytes() >= x.storage_offset() * self._item + self._bytes
                and x.is_contiguous()
                and steppers_may_run()
                and self._steppers.hold(1)
            ):
                return self._steppers.push(x)
            return self._push(x)

    def __getstate__(self) -> tuple[Streamed, int, State]:
        """Return what a copy is made from."""
        with self._lock:
            return self._layer, self._step[0], self._stacked()

    def __setstate__(self, made_from: tuple[Streamed, int, State]) -> None:
        """Become a stream of its own with the state of another."""
        layer, batch_size, state = made_from
        self.__init__(layer, batch_size)  # type: ignore[misc]
        self._keep(state)

    def _stacked(self) -> State:
        return together([tuple(s.clone() for s in own) for own in self._state])

    def _fresh(self, like: Tensor) -> State:
        return self._layer.flat_state(self._layer.fresh_state(like, self._step[0]))

    def _keep(self, state: State) -> None:
        with torch.no_grad():
            for k, own in enumerate(self._state):
                for mine, theirs in zip(own, state, strict=True):
                    one = theirs[k]  # a tensor by cell, or a tuple where cells differ in size
                    if torch._is_functional_tensor(one):
                        one = torch._from_functional_tensor(one)
                    mine.copy_(one)

    def _has_hooks(self) -> bool:
        own = vars(self._layer)
        return bool(own["_forward_hooks"] or own["_forward_pre_hooks"])

    def _follow_changes(self, steps: int) -> None:
        if self._steppers is None or not self._steppers.hold(steps):
            self._follow()

    def _follow(self) -> None:
        """Take the layer as it is now; its state stays, in the layer's dtype and on its device."""
        layer, B = self._layer, self._step[0]
        _refuse_other_forward(layer)
        cells, places = layer.cell_list(), layer.cell_places()
        like = zeros_like_of(cells[0])
        if not is_ordinary(like) and like.device.type == "cpu":
            like = torch.empty(0, dtype=like.dtype)
        if not like.is_floating_point():
            raise ArgumentError(f"a stream needs weights of floating numbers, got {like.dtype}.")
        with torch.inference_mode(False):  # states are written to, inside that mode or not
            if not self._state:
                fresh = self._fresh(like)
                self._state = [
                    tuple(s[k].detach().clone() for s in fresh) for k in range(len(cells))
                ]
            wanted = [[(B, n) for n in cell.state_sizes.values()] for cell in cells]
            if [[tuple(s.shape) for s in own] for own in self._state] != wanted:
                raise ShapeError(
                    f"the layer's cells carry states of {wanted} now, those of this stream are of "
                    f"{[[tuple(s.shape) for s in own] for own in self._state]}: open another by "
                    "layer.stream()."
                )
            self._state = [tuple(s.to(like) for s in own) for own in self._state]
        self._cells, self._like, self._dtype = cells, like, like.dtype
        self._step, self._item = (B, layer.input_size), like.element_size()
        self._bytes = B * layer.input_size * self._item
        self._steppers: Steppers | None = None
        if places is not None and not self._has_hooks():
            none: list[Place] = [
                (layer, "_forward_hooks", None, 0),
                (layer, "_forward_pre_hooks", None, 0),
                (layer, None, "forward", ...),
            ]
            self._steppers = steppers(cells, self._state, places + none)

    def _push(self, x: Tensor) -> Tensor:
        _refuse_other_than_memory(x)
        one = x.dim() == 2
        batch_first = self._layer.batch_first and not one
        steps = x.shape[1 if batch_first else 0] if x.dim() == 3 else 1
        self._follow_changes(steps)
        self._check(x)
        if one:
            x = x.unsqueeze(0)
        elif batch_first:
            x = x.transpose(0, 1)
        out = self._run(x)
        return out[0] if one else out.transpose(0, 1) if batch_first else out

    def _check(self, x: Tensor) -> None:
        B, features = self._step
        if x.dim() == 2:
            fits = x.shape == self._step
        else:
            batch = 0 if self._layer.batch_first else 1
            fits = x.dim() == 3 and x.shape[2] == features and x.shape[batch] == B
        if not fits or x.dtype != self._like.dtype or x.device != self._like.device:
            axes = "(B, T, I)" if self._layer.batch_first else "(T, B, I)"
            raise ShapeError(
                f"x must be of (B, I) = {self._step} or {axes}, {self._like.dtype} on "
                f"{self._like.device}; got {tuple(x.shape)}, {x.dtype} on {x.device}."
            )

    def _run(self, x: Tensor) -> Tensor:
        """Return the outputs (T, B, O) for x (T, B, I)."""
        ours = is_ordinary(x) and x.shape[0] and not self._has_hooks() and steppers_may_run()
        if self._steppers is not None and ours:
            return self._steppers.push(x)
        with torch.no_grad():
            if self._has_hooks() or _has_global_hooks():
                out, last = self._call(x)
            else:
                out, last = run_stack(self._cells, 1, x, self._stacked())
        self._keep(last)
        return out

    def _call(self, x: Tensor) -> tuple[Tensor, State]:
        """Call the layer itself, for the hooks on it."""
        layer: Any = self._layer
        if layer.training and layer.dropout and layer.num_layers > 1:
            raise ArgumentError(
                f"the layer has hooks, for which it must be called, and dropout={layer.dropout}, "
                "which a stream does not apply: call layer.eval() first."
            )
        x = x.transpose(0, 1) if layer.batch_first else x
        out, last = layer(x, layer.whole_state(self._stacked()))
        last = layer.flat_state((last,) if isinstance(last, Tensor) else last)
        return out.transpose(0, 1) if layer.batch_first else out, last


def open_stream(layer: Streamed, batch_size: int) -> Stream:
    """Return a stream of the layer; raises `ArgumentError` where it runs backwards in time too."""
    if layer.bidirectional:
        raise ArgumentError(
            "a bidirectional layer needs the end of the input before its beginning: it cannot "
            "run along a stream. Build the layer with bidirectional=False."
        )
    return Stream(layer, batch_size)


def _has_global_hooks() -> bool:
    return bool(nn.modules.module._has_any_global_hook())  # type: ignore[no-untyped-call]


def _refuse_other_forward(layer: Streamed) -> None:
    """Raise where the layer's `forward` is not the one of the class that lists its cells."""
    kind = type(layer)
    known = next(each for each in kind.__mro__ if "cell_places" in vars(each))
    if kind.forward is not known.forward or "forward" in vars(layer):  # type: ignore[attr-defined]
        raise ArgumentError(
            f"{kind.__name__} has a forward of its own, which a stream cannot run piece by piece: "
            f"open the stream of a plain {known.__name__}, or call the layer with its state."
        )


def _refuse_other_than_memory(x: object) -> None:
    """Raise unless x is a tensor whose numbers can be read here."""
    if not isinstance(x, Tensor):
        raise ArgumentTypeError(f"x must be a tensor, got {type(x).__name__}.")
    if torch._C._functorch.peek_interpreter_stack() is not None:
        raise ArgumentError(
            "a stream keeps one state, so it cannot be pushed inside torch.func's transforms: "
            "call the layer with a state there."
        )
    check_dense("x", x)
