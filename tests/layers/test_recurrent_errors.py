"""`Recurrent`: what it refuses, and what it says then."""

import pytest
import torch

from recurra import Recurrent
from recurra.cells import CELLS
from recurra.errors import ArgumentError, ArgumentTypeError, RecurraError, ShapeError

T, B, I, H = 6, 4, 3, 5  # noqa: E741 - the axes' names


GRU_SHAPE = (4, B, H)
WRONG_STATES: dict[str, tuple[object, str]] = {
    "one layer too few": (torch.zeros(3, B, H), r"state 'h' .* = \(4, 4, 5\), got \(3, 4, 5\)"),
    "another batch": (torch.zeros(4, B + 1, H), r"got \(4, 5, 5\)"),
    "another size": (torch.zeros(4, B, H + 1), r"got \(4, 4, 6\)"),
    "no batch": (torch.zeros(4, H), r"got \(4, 5\)"),
    "one axis too many": (torch.zeros(4, B, H, 1), r"got \(4, 4, 5, 1\)"),
    "a scalar": (torch.zeros(()), r"got \(\)"),
    "another dtype": (torch.zeros(GRU_SHAPE, dtype=torch.float64), "is torch.float64 on cpu"),
    "whole numbers": (torch.zeros(GRU_SHAPE, dtype=torch.int64), "is torch.int64 on cpu"),
    "another device": (torch.zeros(GRU_SHAPE, device="meta"), "is torch.float32 on meta"),
    "two of one": ((torch.zeros(GRU_SHAPE), torch.zeros(GRU_SHAPE)), r"each of \(h\), got 2"),
    "none of one": ((), r"each of \(h\), got 0"),
    "None in a tuple": ((None,), "got NoneType"),
    "a nested tuple": (((torch.zeros(GRU_SHAPE),),), "got tuple"),
    "a number": (5, r"state must be tensors \(h\), got int"),
    "a text": ("h0", "got 2"),
}


@pytest.mark.parametrize("what", WRONG_STATES)
def test_a_state_that_does_not_fit_is_refused(what: str) -> None:
    state, message = WRONG_STATES[what]
    layer = Recurrent("gru", I, H, 2, bidirectional=True)
    with pytest.raises(ShapeError, match=message):
        layer(torch.zeros(T, B, I), state)


def test_one_tensor_for_two_states_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"each of \(h, c\), got 1"):
        Recurrent("lstm", I, H)(torch.zeros(T, B, I), torch.zeros(1, B, H))
    with pytest.raises(ShapeError, match="state 'c' must be of"):
        Recurrent("lstm", I, H)(torch.zeros(T, B, I), (torch.zeros(1, B, H), torch.zeros(1, B, 2)))


# --- other arguments ---------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        (torch.zeros(T, I), ShapeError, r"\(T, B, I\) with I = 3, got \(6, 3\)"),
        (torch.zeros(T, B, I + 1), ShapeError, r"got \(6, 4, 4\)"),
        (torch.zeros(T, B, I, 1), ShapeError, r"got \(6, 4, 3, 1\)"),
        (torch.zeros(()), ShapeError, r"got \(\)"),
        (torch.zeros(T, B, I, dtype=torch.float64), ShapeError, "x is torch.float64, but .*32"),
        (torch.zeros(T, B, I, dtype=torch.float16), ShapeError, "x is torch.float16"),
        (torch.zeros(T, B, I, dtype=torch.int64), ShapeError, "x is torch.int64"),
        (torch.zeros(T, B, I, device="meta"), ShapeError, "x is on meta, but .* on cpu"),
        ([[[0.0] * I] * B] * T, ArgumentTypeError, "x must be a tensor, got list"),
        (None, ArgumentTypeError, "x must be a tensor, got NoneType"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(
    x: object, kind: type[RecurraError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        Recurrent("gru", I, H)(x)


def test_lengths_and_resets_that_do_not_fit_are_refused() -> None:
    layer = Recurrent("gru", I, H, batch_first=True)
    x = torch.zeros(B, T, I)
    with pytest.raises(ShapeError, match="lengths must lie between 0 and T=6, got 1 to 7"):
        layer(x, lengths=[1, 2, 3, 7])
    with pytest.raises(ValueError, match=r"lengths must be of \(4,\)"):
        layer(x, lengths=[1, 2])
    with pytest.raises(ShapeError, match=r"reset .* of \(B, T\) = \(4, 6\), got .*\(6, 4\)"):
        layer(x, reset=torch.zeros(T, B, dtype=torch.bool))


@pytest.mark.parametrize("name", ["input_size", "hidden_size", "num_layers"])
@pytest.mark.parametrize(
    ("size", "kind"), [(0, ArgumentError), (-1, ArgumentError), (2.0, ArgumentTypeError)]
)
def test_sizes_that_are_no_whole_number_above_zero_are_refused(
    name: str, size: object, kind: type[RecurraError]
) -> None:
    sizes = {"input_size": I, "hidden_size": H, "num_layers": 1} | {name: size}
    with pytest.raises(kind, match=f"{name} must be .*, got {size}"):
        Recurrent("gru", **sizes)


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"bidirectional": True}])
def test_one_built_cell_cannot_be_several(options: dict[str, object]) -> None:
    with pytest.raises(ArgumentError, match=r"one built cell cannot be .*: pass its class"):
        Recurrent(CELLS["gru"](I, H), I, H, **options)


def test_unknown_cells_and_options_are_refused() -> None:
    with pytest.raises(ArgumentError, match="Did you mean 'lstm'"):
        Recurrent("lstmm", I, H)
    with pytest.raises(ArgumentError, match="GRU has no option 'activation'"):
        Recurrent("gru", I, H, activation="relu")
