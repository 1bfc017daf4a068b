"""Whole cells: ours, torch's, a user's, and those of the literature."""

import pytest
import torch
import torch.nn.functional as F
from literature import CELLS
from torch import Tensor, nn
from tracing import B, H, K, Step, assert_agrees, numbers, tensors

from recurra import cells
from recurra.cells import as_cell
from recurra.errors import TraceError
from recurra.program.reference import run
from recurra.program.trace import Random, trace

OURS: dict[str, cells.Cell] = {
    "lstm": cells.LSTM(K, H),
    "lstm of the lesson": cells.LSTM(K, H, squash_cell=True),
    "lstm without bias": cells.LSTM(K, H, bias=False),
    "lstm with projection": cells.LSTM(K, H, proj_size=3),
    "gru": cells.GRU(K, H),
    "gru of the paper": cells.GRU(K, H, reset_after=False),
    "elman": cells.Elman(K, H, output_size=2),
    "elman of gelu": cells.Elman(K, H, activation="gelu"),
    "fcn": cells.FCN(K, H, depth=3, width=5, output_size=4),
}
TORCHS: dict[str, tuple[nn.Module, tuple[str, ...]]] = {
    "LSTMCell": (nn.LSTMCell(K, H), ("h", "c")),
    "GRUCell": (nn.GRUCell(K, H), ("h",)),
    "RNNCell": (nn.RNNCell(K, H), ("h",)),
    "RNNCell relu": (nn.RNNCell(K, H, nonlinearity="relu", bias=False), ("h",)),
}


class UsersLSTM(nn.Module):
    """What a user brings: two linear layers or one on the joined input, a tuple for the state."""

    def __init__(self, joined: bool) -> None:
        super().__init__()
        self.joined = joined
        self.of_x = nn.Linear(K + H if joined else K, 4 * H)
        self.of_h = nn.Linear(H, 4 * H, bias=False)

    def forward(
        self, x: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if state is None:
            state = (x.new_zeros(x.size(0), H), x.new_zeros(x.size(0), H))
        h, c = state
        gates = self.of_x(torch.cat((x, h), dim=1) if self.joined else x)
        if not self.joined:
            gates = gates + self.of_h(h)
        i, f, g, o = gates.chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, (h, c)


class PassingOn(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, state = self.inner(x, (h, c))
        return output, state


@pytest.mark.parametrize("name", OURS)
def test_our_cells_trace(name: str) -> None:
    assert_agrees(OURS[name], K, OURS[name].state_sizes)


@pytest.mark.parametrize("name", TORCHS)
def test_torchs_cells_trace(name: str) -> None:
    module, states = TORCHS[name]
    cell = as_cell(module, K, H, states)
    assert_agrees(cell, K, cell.state_sizes)


@pytest.mark.parametrize("joined", [False, True])
def test_a_users_lstm_traces(joined: bool) -> None:
    assert_agrees(PassingOn(UsersLSTM(joined)), K, {"h": H, "c": H})


@pytest.mark.parametrize("name", CELLS)
def test_the_cells_of_the_literature_trace(name: str) -> None:
    module, states = CELLS[name](K, H)
    assert_agrees(module, K, dict.fromkeys(states, H), scale=0.5)


def test_a_state_that_is_made_or_passed_on_is_a_row() -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            return x, (torch.full_like(h, -0.5), h)

    assert_agrees(Odd(), K, {"h": H, "c": H})


def test_a_traced_module_is_left_as_it_was() -> None:
    cell = cells.LSTM(K, H)
    before = {name: id(value) for name, value in cell.__dict__.items()}
    kept = {name: p.clone() for name, p in cell.named_parameters()}
    trace(cell, K, cell.state_sizes)
    assert {name: id(value) for name, value in cell.__dict__.items()} == before
    assert all(torch.equal(p, kept[name]) for name, p in cell.named_parameters())


def test_the_program_does_not_depend_on_the_numbers() -> None:
    cell = cells.GRU(K, H)
    traced = trace(cell, K, cell.state_sizes)
    cell.gates.reset_parameters()
    assert trace(cell, K, cell.state_sizes) == traced
    assert trace(cells.GRU(K, H), K, cell.state_sizes).program == traced.program


def test_buffers_are_leaves_under_their_names() -> None:
    step = Step(lambda m, x, h: h * m.mask.to(h.dtype) + m.scale * h)
    step.register_buffer("mask", torch.tensor([True, False] * (H // 2)))
    step.register_buffer("scale", torch.tensor(2.0))
    assert set(assert_agrees(step).names) == {"mask", "scale"}


def test_one_parameter_under_two_names_is_one() -> None:
    layer = nn.Linear(H, H)
    tied = nn.Linear(H, H)
    tied.weight = layer.weight
    step = Step(lambda m, x, h: m.a(torch.tanh(m.b(h))), a=layer, b=tied)
    assert len(assert_agrees(step).program.parameters) == 3


def test_tensors_that_are_not_registered_are_read_anew_at_each_call() -> None:
    step = Step(lambda m, x, h: h * torch.exp(m.plain) + m.other)
    step.plain, step.other = torch.zeros(H), torch.tensor(0.0)
    traced = trace(step, K, {"h": H})
    step.plain.fill_(1.0)
    step.other.fill_(2.0)
    first, second = traced.leaves({})
    assert torch.allclose(first, torch.tensor(1.0).exp())
    assert second.tolist() == [2.0] * H


def test_parameters_that_are_not_registered_get_their_gradient() -> None:
    weight = torch.randn(H, H, requires_grad=True)
    traced = trace(Step(lambda m, x, h: F.linear(h, weight.t())), K, {"h": H})
    (leaf,) = traced.leaves({})
    leaf.sum().backward()
    assert torch.equal(weight.grad, torch.ones(H, H))


def test_leaves_follow_the_gradient_mode_of_the_call_and_of_the_cell() -> None:
    def equations(m: nn.Module, x: Tensor, h: Tensor) -> Tensor:
        with torch.no_grad():
            fixed = m.b * 2
        return h * fixed + m.b

    step = Step(equations, b=torch.randn(H))
    traced = trace(step, K, {"h": H})
    assert {leaf.requires_grad for leaf in traced.leaves(tensors(step))} == {True, False}
    with torch.no_grad():
        derived = trace(Step(lambda m, x, h: h * m.b.exp(), b=torch.randn(H)), K, {"h": H})
        assert not derived.leaves({"b": torch.zeros(H, requires_grad=True)})[0].requires_grad


def with_randoms(equations: object) -> tuple[tuple[Random, ...], object]:
    """Return the random inputs of a cell, and its result on ones with what they drew."""
    traced = trace(Step(equations), K, {"h": H}, torch.float64)
    x, h = torch.ones(1, B, K).double(), torch.ones(B, H).double()
    drawn = [numbers(random.draw(1, B, x)) for random in traced.randoms]
    result = run(traced.program, [numbers(x), *drawn], [numbers(h)], [])
    return traced.randoms, (result.outputs[0][0], [d[0] for d in drawn])


def test_dropout_in_training_is_a_random_input() -> None:
    layer = nn.Dropout(0.25)
    randoms, (result, drawn) = with_randoms(lambda m, x, h: layer(h))
    assert randoms == (Random("dropout", H, 0.25),)
    assert (result == drawn[0]).all()
    assert set(result.ravel().tolist()) <= {0.0, 1 / 0.75}


def test_random_numbers_of_other_kinds_are_inputs_too() -> None:
    def equations(m: nn.Module, x: Tensor, h: Tensor) -> Tensor:
        mask = (torch.rand_like(h) < 0.5).to(h.dtype)
        noise = torch.randn(h.size(0), H, dtype=h.dtype)
        keep = torch.bernoulli(torch.full_like(h, 0.5))
        return mask * h + noise * keep

    randoms, (result, drawn) = with_randoms(equations)
    assert randoms == (Random("uniform", H), Random("normal", H), Random("bernoulli", H, 0.5))
    assert (result == (drawn[0] < 0.5) + drawn[1] * drawn[2]).all()


def test_dropout_of_everything_leaves_zeros() -> None:
    assert Random("dropout", 3, 1.0).draw(2, 2, torch.ones(1)).eq(0).all()


def test_nothing_is_dropped_out_of_training_or_with_p_of_0() -> None:
    step = Step(lambda m, x, h: m.drop(F.dropout(h, 0.0)), drop=nn.Dropout(0.5)).eval()
    assert assert_agrees(step).randoms == ()


def test_x_may_be_of_any_dtype_and_device_that_the_module_has() -> None:
    cell = cells.LSTM(K, H)
    assert trace(cell.to("meta"), K, cell.state_sizes).program.parameters
    assert trace(cells.LSTM(K, H).double(), K, cell.state_sizes).program
    assert trace(cells.LSTM(K, H).bfloat16(), K, cell.state_sizes).program


class Holding(nn.Module):
    """A cell that reaches its parameters in roundabout ways."""

    def __init__(self) -> None:
        super().__init__()
        self.listed = nn.ParameterList([nn.Parameter(torch.randn(H)) for _ in range(2)])
        self.named = nn.ParameterDict({"U": nn.Parameter(torch.randn(H, H))})
        self.layers = nn.ModuleDict({"of_x": nn.Linear(K, H)})
        self.plain_list = [self.layers["of_x"], self.listed[0]]
        self.bound = self.transformed

    def transformed(self, h: Tensor) -> Tensor:
        return h @ self.named["U"] * self.listed[1]

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        layer, scale = self.plain_list
        h = torch.tanh(layer(x) * scale + self.bound(h) * self.listed[0])
        return h, (h,)


def test_parameters_are_found_wherever_a_cell_keeps_them() -> None:
    cell = Holding()
    traced = assert_agrees(cell)
    assert set(traced.names) == {name for name, _ in cell.named_parameters()}


def test_a_tensor_that_the_cell_makes_may_be_filled_before_it_is_used_but_not_after() -> None:
    def before(m: nn.Module, x: Tensor, h: Tensor) -> Tensor:
        scale = torch.zeros(H, dtype=h.dtype)
        scale[2] = 3.0
        return h * scale

    def after(m: nn.Module, x: Tensor, h: Tensor) -> Tensor:
        scale = torch.zeros(H, dtype=h.dtype)
        first = h * scale
        scale += 1
        return first + h * scale

    assert_agrees(Step(before))
    with pytest.raises(TraceError, match="in place"):
        trace(Step(after), K, {"h": H}, torch.float64)
