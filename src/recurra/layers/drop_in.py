"""`RNN`, `LSTM`, `GRU`: torch.nn's constructor, call, parameters and results, on our recurrence."""

import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from recurra import cells
from recurra.backends import Place, State, check_dense
from recurra.cells.activations import Activation, resolve_activation
from recurra.cells.cell import Cell, bind
from recurra.cells.sizes import check_flag, check_size
from recurra.errors import ArgumentError, ArgumentTypeError, RecurraWarning, ShapeError
from recurra.layers.node import as_node, is_proxy
from recurra.layers.stack import run_stack
from recurra.layers.stream import Stream, open_stream
from recurra.recurrence import same_dtype


class _DropIn(nn.RNNBase):
    """What the three share: torch.nn's parameters and checks, our forward.

    The parameters are torch.nn's own (`weight_ih_l0`, ...), so that a `state_dict`, an
    initialisation by name or a `flatten_parameters()` written for torch.nn works unchanged.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except ValueError as error:
            raise ArgumentError(str(error)) from None
        except TypeError as error:
            raise ArgumentTypeError(str(error)) from None
        except (RuntimeError, OverflowError) as error:
            if "alloc" in str(error):  # memory is short
                raise
            raise ArgumentError(f"torch.nn cannot build this layer: {error}") from None
        if not isinstance(self.bidirectional, int) or self.bidirectional not in (0, 1):
            check_flag("bidirectional", self.bidirectional)  # as torch.nn looks at the others
        self._cells()  # to have the skeletons ready: under vmap none can be built

    def _equations(self) -> tuple[Callable[..., Cell], dict[str, object]]:
        """Return the cell's class and the options that make it torch.nn's."""
        raise NotImplementedError

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size,)

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Run the layer as torch.nn's does.

        Args:
            input: (T, B, I), (B, T, I) with `batch_first`, (T, I) without a batch, or a
                `PackedSequence`.
            hx: the state to start from, each (L·D, B, size), without B where input has none;
                zeros if None.

        Returns the outputs in input's form, and the last state in hx's: of RNN and GRU the tensor
        itself, as torch.nn, where `Recurrent` returns a tuple of one.
        Raises `ShapeError`, which is a ValueError and a RuntimeError, when something does not fit.
        """
        if torch.compiler.is_dynamo_compiling():  # of a light copy it would make nothing
            return self._forward_in_graph(input, hx)
        if is_proxy(input):
            return as_node(self, input, hx)
        packed = input if isinstance(input, PackedSequence) else None
        if packed is None and not isinstance(input, Tensor):
            raise ArgumentTypeError(
                f"input must be a tensor or a PackedSequence, got {type(input).__name__}."
            )
        check_dense("input", input if packed is None else packed.data)
        batched = packed is not None or input.dim() == 3
        weights = self._weights()
        x, lengths = self._time_first(input, weights)
        state = self._start(hx, x, packed, batched)
        out, last = run_stack(
            self._cells(weights),
            2 if self.bidirectional else 1,
            x,
            state,
            lengths=lengths,
            dropout=self.dropout if self.training else 0.0,
        )
        result: Tensor | PackedSequence = out
        if packed is not None:
            result = _pack_like(packed, out)
            if packed.unsorted_indices is not None:
                last = tuple(s.index_select(1, packed.unsorted_indices) for s in last)
        elif not batched:
            result, last = out.squeeze(1), tuple(s.squeeze(1) for s in last)
        elif self.batch_first:
            result = out.transpose(0, 1)
        return result, last if len(last) > 1 else last[0]

    def stream(self, batch_size: int = 1) -> Stream:
        """Return a stream over endless input: `push` pieces, the state is kept between them.

        Raises `ArgumentError` for a bidirectional layer, which needs the end before the beginning.
        """
        batch_size = check_size("batch_size", batch_size)
        return open_stream(self, batch_size)

    def cell_list(self) -> list[Cell]:
        """Return the cells of the stack, computing with this module's own parameters."""
        return self._cells()

    def cell_places(self) -> list[Place] | None:
        """Return what the cells depend on; None where the weights are not parameters of ours."""
        names = [name for layer in self._all_weights for name in layer]
        if any(self._parameters.get(name) is None for name in names):
            return None
        weights: list[Place] = [(self, "_parameters", n, self._parameters[n]) for n in names]
        own = vars(self)
        options: list[Place] = [
            (self, None, key, own[key]) for key in ("nonlinearity", "_all_weights") if key in own
        ]
        return weights + options

    def fresh_state(self, like: Tensor, B: int) -> State:
        """Return the state that B rows start from, each (L, B, size): zeros."""
        return tuple(like.new_zeros(self.num_layers, B, n) for n in self._state_sizes())

    def check_state(self, state: Any, like: Tensor, B: int) -> State:
        """Return a stream's state of B rows as a tuple; raises `ShapeError` unless it fits."""
        if state is None:
            raise ShapeError(f"a state must be {len(self._state_sizes())} tensors, got None.")
        return self._start(state, like.new_empty(1, B, 0), None, batched=True)

    def flat_state(self, state: State) -> State:
        """Return a stream's state as its cells' runs have it: as it is."""
        return state

    def whole_state(self, state: State) -> Tensor | State:
        """Return a stream's state in torch.nn's form: a tensor where there is only one."""
        return state if len(state) > 1 else state[0]

    def _is_torchs(self) -> bool:
        """Return whether torch.nn's class computes the same."""
        return True

    def _forward_in_graph(self, input: Any, hx: Any) -> Any:
        """Run torch.nn's own forward, where torch.compile or a strict export takes the class."""
        if not self._is_torchs():
            from recurra.layers.uncompiled import call_uncompiled

            return call_uncompiled(self.forward, input, hx)
        return super().forward(input, hx)

    def __prepare_scriptable__(self) -> nn.RNNBase:
        """Return what `torch.jit.script` compiles in this one's place: torch.nn's layer.

        It has this one's parameters; torch puts it into the model itself, too.
        Raises `ArgumentError` where torch.nn has no such layer.
        """
        name = type(self).__name__
        if not self._is_torchs():
            raise ArgumentError(f"torch.nn has no {name} as {self}. Use torch.jit.trace.")
        if is_parametrized(self):
            raise ArgumentError(
                f"the weights of {name} are parametrised, which torch.jit.script does not "
                "compile. Call torch.nn.utils.parametrize.remove_parametrizations first."
            )
        kind = next(c for c in type(self).__mro__ if c in (nn.RNN, nn.LSTM, nn.GRU))
        twin: nn.RNNBase = kind.__new__(kind)
        twin.__dict__.update(self.__dict__)
        return twin

    @property
    def qconfig(self) -> Any:
        """How torch.ao is to quantise the layer; it looks for it in every module."""
        if "_qconfig" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute 'qconfig'")
        return self.__dict__["_qconfig"]

    @qconfig.setter
    def qconfig(self, value: Any) -> None:
        warnings.warn(
            f"torch.ao quantises torch.nn's own classes only, and leaves recurra's "
            f"{type(self).__name__} as it is: put recurra.export.to_torch(layer) in its place.",
            RecurraWarning,
            stacklevel=2,
        )
        self.__dict__["_qconfig"] = value

    @qconfig.deleter
    def qconfig(self) -> None:
        del self.__dict__["_qconfig"]

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise `ShapeError`, in torch.nn's words, unless input fits the layer."""
        self._check_input(input, batch_sizes, self._weights()[self._all_weights[0][0]])

    def _check_input(self, input: Tensor, batch_sizes: Tensor | None, weight: Tensor) -> None:
        if not same_dtype(input, weight):
            raise ShapeError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: "
                f"model.to({input.dtype})"
            )
        if input.device != weight.device:
            raise ShapeError(f"input is on {input.device}, but the weights are on {weight.device}")
        axes = 3 if batch_sizes is None else 2
        if input.dim() != axes:
            raise ShapeError(f"input must have {axes} dimensions, got {input.dim()}")
        if input.size(-1) != self.input_size:
            raise ShapeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {input.size(-1)}"
            )

    def _time_first(
        self, input: Any, weights: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """Return x (T, B, I), checked, and the rows' lengths if it was packed."""
        weight = weights[self._all_weights[0][0]]
        if isinstance(input, PackedSequence):
            _check_packed(input)
            self._check_input(input.data, input.batch_sizes, weight)
            rows_sorted = PackedSequence(input.data, input.batch_sizes)
            padded, lengths = pad_packed_sequence(rows_sorted)
            return padded, lengths.to(padded.device)
        if input.dim() not in (2, 3):
            raise ShapeError(
                f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.dim()}D instead"
            )
        x = input.unsqueeze(1) if input.dim() == 2 else input
        if input.dim() == 3 and self.batch_first:
            x = x.transpose(0, 1)
        self._check_input(x, None, weight)
        if x.shape[0] == 0:
            raise ShapeError("Expected sequence length to be larger than 0 in RNN")
        return x, None

    def _start(self, hx: Any, x: Tensor, packed: PackedSequence | None, batched: bool) -> State:
        """Return the state to start from, each (L·D, B, size), its rows in x's order."""
        rows = self.num_layers * (2 if self.bidirectional else 1)
        sizes = self._state_sizes()
        if hx is None:
            return tuple(x.new_zeros(rows, x.shape[1], size) for size in sizes)
        given = (hx,) if len(sizes) == 1 else hx
        if not isinstance(given, tuple | list) or len(given) != len(sizes):
            raise ShapeError(f"hx must be {len(sizes)} tensors, got {type(hx).__name__}.")
        state = []
        for k, (value, size) in enumerate(zip(given, sizes, strict=True)):
            name = "hidden size" if len(sizes) == 1 else f"hidden[{k}] size"
            wanted = (rows, x.shape[1], size) if batched else (rows, size)
            if isinstance(value, Tensor):
                check_dense(f"hx[{k}]" if len(sizes) > 1 else "hx", value)
            if not isinstance(value, Tensor) or tuple(value.shape) != wanted:
                got = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
                raise ShapeError(f"Expected {name} {wanted}, got {got}")
            if not same_dtype(value, x) or value.device != x.device:
                raise ShapeError(
                    f"Expected {name.removesuffix(' size')} to be {x.dtype} on {x.device}, "
                    f"got {value.dtype} on {value.device}"
                )
            state.append(value if batched else value.unsqueeze(1))
        if packed is not None and packed.sorted_indices is not None:
            state = [s.index_select(1, packed.sorted_indices) for s in state]
        return tuple(state)

    def _weights(self) -> dict[str, Tensor]:
        """Return the weights by their names, each read once: to read it may be to compute it."""
        # Not `_flat_weights`, as torch.nn: torch.func may have put others in their place.
        weights: dict[str, Any] = {
            name: getattr(self, name) for names in self._all_weights for name in names
        }
        first = weights[self._all_weights[0][0]]
        for name, weight in weights.items():
            if not isinstance(weight, Tensor):
                raise ShapeError(f"{name} must be a tensor, got {weight}")
            if weight.is_nested:  # it has no shape that could be checked
                raise ShapeError(f"{name} must be a dense tensor, got a nested one")
            if not same_dtype(weight, first) or weight.device != first.device:
                raise ShapeError(
                    f"{name} must be {first.dtype} on {first.device}, as the other weights, "
                    f"got {weight.dtype} on {weight.device}"
                )
        return weights

    def _cells(self, given: Mapping[str, Tensor] | None = None) -> list[Cell]:
        """Return the cells of the stack, computing with this module's own parameters.

        given: what `_weights` has returned, if it has been called.
        """
        given = self._weights() if given is None else given
        kind, options = self._equations()
        directions = 2 if self.bidirectional else 1
        bound = []
        for k, names in enumerate(self._all_weights):
            size = self.input_size if k < directions else directions * self._state_sizes()[0]
            cell, weights = _skeleton(kind, size, self.hidden_size, tuple(options.items()))
            tensors = {}
            for name in names:
                key, wanted = weights[name.partition("_l")[0]]
                tensors[key] = weight = given[name]
                if weight.shape != wanted:
                    raise ShapeError(
                        f"{name} must be of {tuple(wanted)}, got {tuple(weight.shape)}"
                    )
            bound.append(bind(cell, tensors))
        return bound


class RNN(_DropIn, nn.RNN):
    """`torch.nn.RNN`, with any activation: `nonlinearity` is a name or a function of a tensor."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        phi: str | Activation = args[3] if len(args) > 3 else kwargs.pop("nonlinearity", "tanh")
        resolve_activation(phi)
        # torch.nn.RNN knows these two; for the others its choice of kernel does not matter.
        known = phi if phi in ("tanh", "relu") else "tanh"
        if len(args) > 3:
            super().__init__(*args[:3], known, *args[4:], **kwargs)
        else:
            super().__init__(*args, nonlinearity=known, **kwargs)
        self.nonlinearity = phi

    def _equations(self) -> tuple[Callable[..., Cell], dict[str, object]]:
        return cells.Elman, {"bias": self.bias}

    def _is_torchs(self) -> bool:
        phi = self.nonlinearity
        return isinstance(phi, str) and self.mode == f"RNN_{phi.upper()}"

    def _cells(self, given: Mapping[str, Tensor] | None = None) -> list[Cell]:
        bound = super()._cells(given)
        for cell in bound:
            cell.activation = self.nonlinearity
        return bound


class LSTM(_DropIn, nn.LSTM):
    """`torch.nn.LSTM`, projections (`proj_size`) and packed sequences included."""

    def _equations(self) -> tuple[Callable[..., Cell], dict[str, object]]:
        return cells.LSTM, {"bias": self.bias, "proj_size": self.proj_size}

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.proj_size or self.hidden_size, self.hidden_size)


class GRU(_DropIn, nn.GRU):
    """`torch.nn.GRU`."""

    def _equations(self) -> tuple[Callable[..., Cell], dict[str, object]]:
        return cells.GRU, {"bias": self.bias}


@lru_cache(maxsize=256)
def _skeleton(
    kind: Callable[..., Cell],
    input_size: int,
    hidden_size: int,
    options: tuple[tuple[str, object], ...],
) -> tuple[Cell, dict[str, tuple[str, torch.Size]]]:
    """Return a cell without weights, to be bound to a drop-in's own, and what it wants of them.

    By a weight's name in torch.nn less its layer, as weight_ih: its name in the cell and shape.
    """
    with torch.device("meta"):
        cell = kind(input_size, hidden_size, **dict(options))
    weights = {
        name.rpartition(".")[2]: (name, weight.shape) for name, weight in cell.named_parameters()
    }
    return cell, weights


def _check_packed(packed: PackedSequence) -> None:
    """Raise `ShapeError` unless what was packed by hand is a batch, its rows sorted by length."""
    data, sizes = packed.data, packed.batch_sizes
    if not isinstance(data, Tensor) or data.dim() == 0:
        raise ShapeError(f"the data of the PackedSequence must be (steps, I), got {data!r}")
    if not isinstance(sizes, Tensor) or sizes.dtype != torch.int64 or sizes.dim() != 1:
        raise ShapeError(f"batch_sizes must be a 1-D tensor of torch.int64, got {sizes!r}")
    check_dense("batch_sizes", sizes)
    if sizes.is_meta or torch.compiler.is_compiling():
        return
    each = sizes.tolist()
    fits = each and min(each) > 0 and each == sorted(each, reverse=True)
    if not fits or sum(each) != data.shape[0]:
        shown = f"{each[:6]}".replace("]", ", ...]" if len(each) > 6 else "]")
        raise ShapeError(
            "batch_sizes, the rows that have each step, must be positive, must not grow, and must "
            f"add up to the {data.shape[0]} steps of data, got {shown} that add up to {sum(each)}"
        )
    for name in ("sorted_indices", "unsorted_indices"):
        order, wanted = getattr(packed, name), torch.arange(each[0])
        if order is None:
            continue
        if not isinstance(order, Tensor) or not torch.equal(order.cpu().sort()[0], wanted):
            raise ShapeError(f"{name} must hold each of 0 to {each[0] - 1} once, got {order!r}")


def _pack_like(packed: PackedSequence, out: Tensor) -> PackedSequence:
    """Return out (T, B, O), its rows sorted by length, in the layout of `packed`."""
    rows = torch.arange(out.shape[1])
    valid = (rows < packed.batch_sizes.unsqueeze(1)).to(out.device)
    return packed._replace(data=out[valid])
