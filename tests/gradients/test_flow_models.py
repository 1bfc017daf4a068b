"""Gradient flow on models of the user's own: what it sees in them, and that it leaves no trace."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from recurra import Cell, GradientFlow, Recurrent, gradient_flow
from recurra.cells import Affine
from recurra.errors import ArgumentError

T, B, I, H = 6, 3, 3, 4  # noqa: E741 - the axes' names


class Model(nn.Module):
    """A recurrent layer somewhere inside."""

    def __init__(self, rnn: nn.Module, features: int = H) -> None:
        super().__init__()
        self.body = nn.ModuleDict({"rnn": rnn})
        self.head = nn.Linear(features, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body["rnn"](x)[0])


def same(a: GradientFlow, b: GradientFlow) -> None:
    np.testing.assert_allclose(a.norms, b.norms, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(a.local, b.local, rtol=1e-10)
    for name in a.contributions:
        np.testing.assert_allclose(a.contributions[name], b.contributions[name], rtol=1e-10)


OPTIONS: dict[str, dict[str, object]] = {
    "plain": {},
    "two layers both ways": {"num_layers": 2, "bidirectional": True},
    "batch first without biases": {"batch_first": True, "bias": False},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_torchs_layers_and_the_drop_ins_have_the_flow_of_the_same_cells(
    kind: str, options: dict[str, object]
) -> None:
    theirs = getattr(nn, kind)(I, H, **options)
    drop_in = getattr(recurra, kind)(I, H, **options)
    drop_in.load_state_dict(theirs.state_dict())
    cell = {"RNN": "elman"}.get(kind, kind.lower())
    ours = Recurrent(cell, I, H, **options)
    for layer_cell, names in zip(ours.cells, theirs._all_weights, strict=True):
        for name in names:
            affine = getattr(layer_cell, "gates", None) or layer_cell.affine
            getattr(affine, name.partition("_l")[0]).data.copy_(getattr(theirs, name))
    x, features = torch.randn(T, B, I), (1 + theirs.bidirectional) * H
    model = Model(theirs, features)
    flow = gradient_flow(model, x, compare=False)
    assert type(theirs) is getattr(nn, kind)
    for other in (drop_in, ours):
        head = copy.deepcopy(model)
        head.body["rnn"] = other
        found = gradient_flow(head, x, compare=False)
        np.testing.assert_allclose(found.norms, flow.norms, rtol=1e-10, atol=1e-14)
        assert found.cell == flow.cell == type(ours.cells[0]).__name__
    names = {f"body.rnn.{name}" for name, _ in theirs.named_parameters()}
    assert set(flow.contributions) == names


def test_projections_and_other_activations_are_torchs_too() -> None:
    x = torch.randn(T, B, I)
    for theirs, ours in (
        (nn.LSTM(I, H, proj_size=2), recurra.LSTM(I, H, proj_size=2)),
        (nn.RNN(I, H, nonlinearity="relu"), recurra.RNN(I, H, nonlinearity="relu")),
    ):
        ours.load_state_dict(theirs.state_dict())
        same(gradient_flow(theirs, x, compare=False), gradient_flow(ours, x, compare=False))


class Doubling(nn.LSTM):
    def forward(self, x: Tensor, state: object = None) -> object:
        return super().forward(2 * x, state)


def test_a_class_of_ones_own_over_torchs_keeps_its_forward() -> None:
    layer, plain, x = Doubling(I, H), nn.LSTM(I, H), torch.randn(T, B, I)
    plain.load_state_dict(layer.state_dict())
    same(gradient_flow(layer, x, compare=False), gradient_flow(plain, 2 * x, compare=False))
    assert type(layer) is Doubling


class StepByStep(nn.Module):
    def __init__(self, rnn: nn.Module) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = None, []
        for step in x.split(2):
            out, state = self.rnn(step, state)
            outputs.append(out)
        return torch.cat(outputs)


def test_calls_that_go_on_from_one_anothers_state_are_one_run() -> None:
    for layer in (nn.LSTM(I, H, 2), Recurrent("gru", I, H, 2)):
        x = torch.randn(5, B, I)
        whole = gradient_flow(layer, x, compare=False)
        parts = gradient_flow(StepByStep(layer), x, compare=False)
        np.testing.assert_allclose(parts.norms, whole.norms, rtol=1e-10, atol=1e-14)
        assert parts.T == 5


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(I, H)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0] - self.rnn(-x)[0]


def test_calls_that_do_not_are_refused() -> None:
    with pytest.raises(ArgumentError, match="the layer 'rnn' ran 2 times"):
        gradient_flow(Twice(), torch.randn(T, B, I))


def test_layers_one_after_the_other_are_one_stack_if_they_are_alike() -> None:
    stack, x = nn.LSTM(I, H, 2), torch.randn(T, B, I)
    first, second = nn.LSTM(I, H), nn.LSTM(H, H)
    for name, weight in stack.named_parameters():
        getattr(first if name.endswith("l0") else second, f"{name[:-1]}0").data.copy_(weight)

    class Chain(nn.Module):
        def __init__(self, a: nn.Module, b: nn.Module) -> None:
            super().__init__()
            self.a, self.b = a, b

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x)[0])[0]

    whole = gradient_flow(stack, x, compare=False)
    chain = Chain(first, second)
    np.testing.assert_allclose(gradient_flow(chain, x, compare=False).norms, whole.norms)
    last = gradient_flow(chain, x, layer="b", compare=False)
    np.testing.assert_allclose(last.norms, whole.norms[1:])
    mixed = Chain(first, nn.GRU(H, H))
    with pytest.raises(ArgumentError, match=r"'a', 'b' differ .* layer='a'"):
        gradient_flow(mixed, x)
    assert gradient_flow(mixed, x, layer="b").cell == "GRU"


def test_a_packed_sequence_is_measured_as_the_padded_one() -> None:
    layer, x, lengths = nn.GRU(I, H), torch.randn(T, B, I), [4, 6, 2]
    ours = Recurrent("gru", I, H)
    for name, weight in layer.named_parameters():
        getattr(ours.cells[0].gates, name[:-3]).data.copy_(weight)
    packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    a = gradient_flow(layer, packed, compare=False)
    b = gradient_flow(ours, x, lengths=lengths, compare=False)
    np.testing.assert_allclose(a.norms, b.norms, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    "options", [{"checkpoint": 2}, {"truncate": 1}, {"clip_state_grad": 1e-3}], ids=str
)
def test_what_a_layer_does_to_its_gradients_is_left_out(options: dict[str, object]) -> None:
    layer, plain = Recurrent("gru", I, H, 2, **options), Recurrent("gru", I, H, 2)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(T, B, I)
    same(gradient_flow(layer, x, compare=False), gradient_flow(plain, x, compare=False))
    (name,) = options
    assert getattr(layer, name) == options[name]


class Carrying(Cell):
    """A cell that hands one of its states on as it is."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"h": hidden_size, "memory": hidden_size})
        self.affine = Affine(input_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor, memory: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        h = torch.tanh(self.affine(x, h)) + memory
        return h, (h, memory)


def test_a_state_handed_on_as_it_is_has_a_gradient_at_every_step() -> None:
    x = torch.randn(T, B, I)

    class Copying(Carrying):
        def forward(self, *args: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            out, (h, memory) = super().forward(*args)
            return out, (h, memory + 0 * h)

    layer, other = Recurrent(Carrying, I, H), Recurrent(Copying, I, H)
    other.load_state_dict(layer.state_dict())
    a, b = gradient_flow(layer, x, compare=False), gradient_flow(other, x, compare=False)
    np.testing.assert_allclose(a.state_norms["memory"], b.state_norms["memory"], rtol=1e-10)
    assert (np.diag(a.state_norms["memory"][0, 0], -1) > 0).all()


class Halving(Cell):
    """A cell without a parameter, whose first state depends on nothing that has a gradient."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"h": hidden_size})

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        h = h / 2 + x.sum(-1, keepdim=True)
        return h, (h,)


def test_a_cell_without_parameters_has_a_flow() -> None:
    layer, x = Recurrent(Halving, I, H), torch.randn(T, B, I)
    flow = gradient_flow(layer, x, compare=False)
    out = layer(x.double())[0].norm(dim=-1).mean(-1).numpy()
    back = np.arange(T)[:, None] - np.arange(T)
    wanted = np.where(back >= 0, 0.5**back, 0) * out[:, None]
    np.testing.assert_allclose(flow.norms[0, 0], wanted, rtol=1e-10)
    assert flow.contributions == {}


def test_frozen_weights_have_a_flow_and_no_contributions() -> None:
    layer, x = nn.LSTM(I, H), torch.randn(T, B, I)
    free = gradient_flow(layer, x, compare=False)
    layer.requires_grad_(False)
    layer.bias_hh_l0.requires_grad_()
    frozen = gradient_flow(layer, x, compare=False)
    np.testing.assert_array_equal(frozen.norms, free.norms)
    assert list(frozen.contributions) == ["bias_hh_l0"]
    assert not layer.weight_hh_l0.requires_grad


# --- no trace -----------------------------------------------------------------


class Busy(Model):
    """A model with everything that a run could disturb; `copies` says whether it can be copied."""

    def __init__(self, copies: bool, casts: bool) -> None:
        super().__init__(nn.LSTM(I, H, 2, dropout=0.5))
        self.norm = nn.BatchNorm1d(I)
        self.copies, self.casts = copies, casts

    def __deepcopy__(self, memo: object) -> nn.Module:
        if not self.copies:
            raise RuntimeError("this model cannot be copied")
        twin = Busy(self.copies, self.casts)
        twin.load_state_dict(self.state_dict())
        return twin

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x.flatten(0, 1)).view(x.shape)
        random.random()
        return super().forward(x.float() if self.casts else x)


BUSY = {"a copy in float64": (True, False), "no copy": (False, False), "casts": (True, True)}


@pytest.mark.parametrize(("copies", "casts"), BUSY.values(), ids=BUSY)
@pytest.mark.parametrize("training", [True, False])
def test_the_model_and_the_random_numbers_are_left_as_they_were(
    copies: bool, casts: bool, training: bool
) -> None:
    model, x, y = Busy(copies, casts), torch.randn(T, B, I), torch.randint(5, (T, B))
    model.train(training)
    model.head.eval()
    model(x).sum().backward()
    model.head.weight.grad = None
    tensors = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = {n: None if p.grad is None else p.grad.clone() for n, p in model.named_parameters()}
    modes = [module.training for module in model.modules()]
    numbers, pythons = torch.get_rng_state(), random.getstate()
    flow = gradient_flow(model, x, y)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert random.getstate() == pythons
    assert all(torch.equal(value, tensors[name]) for name, value in model.state_dict().items())
    for name, parameter in model.named_parameters():
        before = gradients[name]
        assert (parameter.grad is None) == (before is None)
        assert before is None or torch.equal(parameter.grad, before)
    assert [module.training for module in model.modules()] == modes
    assert type(model.body["rnn"]) is nn.LSTM
    assert "_cells" not in vars(model.body["rnn"])
    dtype = "float64" if (copies, casts) == (True, False) else "float32"
    assert any(f"computed in {dtype}" in note for note in flow.notes)
    again = gradient_flow(model, x, y)
    if training:  # dropout between the layers draws from where the random numbers are
        np.testing.assert_array_equal(again.norms, flow.norms)


def test_a_failure_leaves_no_trace_either() -> None:
    model = Busy(copies=False, casts=False)
    with pytest.raises(ZeroDivisionError):
        gradient_flow(model, torch.randn(T, B, I), loss=lambda out: 1 / 0)
    assert type(model.body["rnn"]) is nn.LSTM
    assert "_cells" not in vars(model.body["rnn"])


def test_inside_no_grad_and_inference_mode_it_measures_the_same() -> None:
    layer, x = Recurrent("gru", I, H), torch.randn(T, B, I)
    flow = gradient_flow(layer, x)
    with torch.no_grad():
        same(gradient_flow(layer, x), flow)
    with torch.inference_mode():
        same(gradient_flow(layer, x.clone()), flow)


def test_a_model_in_float32_is_measured_to_the_digits_of_float64() -> None:
    layer, x = Recurrent("elman", I, H, activation="sigmoid"), torch.randn(80, B, I)
    flow = gradient_flow(layer, x, compare=False)
    assert 0 < flow.norms[0, 0, -1, 0] < 1e-46  # what float32 would call zero
    assert flow.underflow["float32"]["measured"]


def test_a_compiled_model_runs_as_it_was_written() -> None:
    model, x = Model(nn.GRU(I, H)), torch.randn(T, B, I)
    flow = gradient_flow(model, x, compare=False)
    compiled = gradient_flow(torch.compile(model, backend="eager"), x, compare=False)
    np.testing.assert_array_equal(compiled.norms, flow.norms)
