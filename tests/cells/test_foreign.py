"""Modules that were not written for Recurra, as cells."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from recurra import Recurrent
from recurra.cells import build_cell
from recurra.errors import ArgumentError, ArgumentTypeError, ShapeError

# Another order of additions moves the last bits, no more, in float64.
ROUNDING = {"rtol": 1e-14, "atol": 1e-15}


class OwnForm(nn.Module):
    """A plain module in Recurra's form: forward(x, h, m) -> output, (h, m)."""

    def __init__(self, input_size: int, hidden_size: int, scale: float = 1.0) -> None:
        super().__init__()
        self.state_sizes = {"h": hidden_size, "m": 2}
        self.scale = scale
        self.inner = nn.Linear(input_size + hidden_size + 2, hidden_size + 2)

    def forward(self, x: Tensor, h: Tensor, m: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        new = torch.tanh(self.scale * self.inner(torch.cat([x, h, m], -1)))
        h, m = new[:, :-2], new[:, -2:]
        return torch.cat([h, m], -1), (h, m)


class BareState(nn.Module):
    """A plain module in Recurra's form with its one new state not in a tuple."""

    state_sizes = ("h",)

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.inner = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.inner(torch.cat([x, h], -1)))
        return 2 * h, h


class Returns(nn.Module):
    """A plain module with one state that returns whatever it is told to."""

    def __init__(self, returned: Callable[[Tensor, Tensor], object]) -> None:
        super().__init__()
        self.state_sizes = {"h": 4}
        self.returned = returned

    def forward(self, x: Tensor, h: Tensor) -> object:
        return self.returned(x, h)


TORCH_CELLS: dict[str, tuple[type[nn.Module], tuple[str, ...]]] = {
    "RNNCell": (nn.RNNCell, ("h",)),
    "GRUCell": (nn.GRUCell, ("h",)),
    "LSTMCell": (nn.LSTMCell, ("h", "c")),
}


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("built", [False, True], ids=["class", "instance"])
@pytest.mark.parametrize("name", TORCH_CELLS)
def test_torchs_cells_run_as_they_would_step_by_step(name: str, built: bool) -> None:
    kind, state_sizes = TORCH_CELLS[name]
    layer = Recurrent(kind(3, 4) if built else kind, 3, 4, state_sizes=state_sizes).double()
    cell = next(m for m in layer.modules() if isinstance(m, kind))
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    out, last = layer(x)
    state = [x.new_zeros(2, 4) for _ in state_sizes]
    for t in range(5):
        new = cell(x[t], tuple(state) if len(state) > 1 else state[0])
        state = list(new) if len(state) > 1 else [new]
        torch.testing.assert_close(out[t], state[0], **ROUNDING)
    torch.testing.assert_close([s[0] for s in last], state, **ROUNDING)


def test_options_reach_torchs_cells() -> None:
    layer = Recurrent(nn.RNNCell, 3, 4, state_sizes=("h",), nonlinearity="relu", bias=False)
    cell = next(m for m in layer.modules() if isinstance(m, nn.RNNCell))
    assert (cell.nonlinearity, cell.bias) == ("relu", False)


@pytest.mark.usefixtures("backend")
def test_a_module_in_the_form_of_a_cell_is_run_step_by_step() -> None:
    layer = Recurrent(OwnForm, 3, 4, num_layers=2, scale=0.5).double()
    assert layer.state_sizes == {"h": 4, "m": 2}
    assert layer.output_size == 6
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    out, last = layer(x)
    cells = [m for m in layer.modules() if isinstance(m, OwnForm)]
    assert [cell.inner.in_features for cell in cells] == [9, 12]
    lower = list(x)
    for k, cell in enumerate(cells):
        h, m = x.new_zeros(2, 4), x.new_zeros(2, 2)
        for t in range(5):
            lower[t], (h, m) = cell(lower[t], h, m)
        torch.testing.assert_close(last[0][k], h, **ROUNDING)
        torch.testing.assert_close(last[1][k], m, **ROUNDING)
    torch.testing.assert_close(out, torch.stack(lower), **ROUNDING)


@pytest.mark.usefixtures("backend")
def test_a_module_may_return_its_one_state_without_a_tuple() -> None:
    layer = Recurrent(BareState, 3, 4).double()
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    out, (last,) = layer(x)
    h = x.new_zeros(2, 4)
    cell = next(m for m in layer.modules() if isinstance(m, BareState))
    for t in range(5):
        y, h = cell(x[t], h)
        torch.testing.assert_close(out[t], y, **ROUNDING)
    torch.testing.assert_close(last[0], h, **ROUNDING)


def test_the_state_sizes_that_are_passed_win_over_the_modules_own() -> None:
    module = nn.GRUCell(3, 4)
    module.state_sizes = {"wrong": 7}
    assert build_cell(module, 3, 4, state_sizes={"h": 4}).state_sizes == {"h": 4}


@pytest.mark.parametrize("built", [False, True], ids=["class", "instance"])
@pytest.mark.parametrize("name", TORCH_CELLS)
def test_torchs_cells_and_their_subclasses_need_no_state_sizes(name: str, built: bool) -> None:
    kind, names = TORCH_CELLS[name]

    class Mine(kind):
        pass

    for each in (kind, Mine):
        layer = Recurrent(each(3, 4) if built else each, 3, 4)
        assert layer.state_sizes == dict.fromkeys(names, 4)
    with pytest.raises(ShapeError, match=r"hidden_size is 5, but the cell's states are \{'h': 4"):
        Recurrent(kind(3, 4), 3, 5)


def test_a_layer_of_torchs_is_no_cell() -> None:
    with pytest.raises(ArgumentTypeError, match=r"torch.nn.LSTM is a layer.*recurra.LSTM"):
        build_cell(nn.LSTM, 3, 4)


def test_a_module_whose_state_cannot_be_found_is_refused_with_what_was_tried() -> None:
    with pytest.raises(
        ArgumentError, match=r"(?s)what state Linear carries is not known.*beside x"
    ):
        build_cell(nn.Linear, 3, 4)


@pytest.mark.parametrize(
    ("kind", "state_sizes"),
    [(nn.LSTMCell, ("h",)), (nn.GRUCell, ("h", "c")), (nn.RNNCell, ("h", "c"))],
)
def test_torchs_cells_with_a_wrong_number_of_states_are_refused(
    kind: type[nn.Module], state_sizes: tuple[str, ...]
) -> None:
    with pytest.raises(ShapeError, match=f"{kind.__name__} failed on one step"):
        build_cell(kind, 3, 4, state_sizes=state_sizes)


@pytest.mark.parametrize("hidden_size", [3, 5])
def test_a_module_with_states_of_another_size_is_refused(hidden_size: int) -> None:
    with pytest.raises(ShapeError, match="GRUCell failed on one step"):
        build_cell(nn.GRUCell(3, 4), 3, hidden_size, state_sizes=("h",))


def test_a_module_with_another_input_size_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"GRUCell failed on one step with inputs of x \(5, 5\)"):
        build_cell(nn.GRUCell(3, 4), 5, 4, state_sizes=("h",))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (lambda x, h: x.new_zeros(5, 6), r"gave \(5, 6\); state 'h' must be of \(5, 4\)"),
        (lambda x, h: h.new_zeros(4), r"gave \(4,\); the output must be of \(B, O\) = \(5, O\)"),
        (lambda x, h: (h, (h, h)), r"gave tuple of \(\(5, 4\), tuple of \(\(5, 4\), \(5, 4\)\)\)"),
        (lambda x, h: (h, (h[:, :2],)), r"\(5, 2\).*; state 'h' must be of \(5, 4\)"),
        (lambda x, h: (h.sum(), (h,)), r"gave tuple of \(\(\), .*the output must be of \(B, O\)"),
        (lambda x, h: (h, h, h), r"gave tuple of \(\(5, 4\), \(5, 4\), \(5, 4\)\)"),
        (lambda x, h: None, r"forward\(x, h\): gave NoneType"),
        (lambda x, h: 1.0, r"forward\(x, h\): gave float"),
    ],
)
def test_a_module_that_returns_other_shapes_than_it_says_is_refused(
    returned: Callable[[Tensor, Tensor], object], message: str
) -> None:
    with pytest.raises(ArgumentError, match=f"(?s)Returns failed on one step.*{message}"):
        build_cell(Returns(returned), 3, 4)
