"""Lyapunov exponents of systems whose exponents are known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.parametrizations import weight_norm

import recurra
from recurra import Cell, Recurrent, lyapunov_spectrum
from recurra.errors import ArgumentError, ShapeError

I, H = 2, 4  # noqa: E741 - the axes' names


def linear(matrix: Tensor) -> Recurrent:
    layer = Recurrent("elman", I, len(matrix), activation="identity").double()
    layer.cells[0].affine.weight_hh.detach().copy_(matrix)
    return layer


def test_a_diagonal_matrix_has_the_logs_of_its_entries() -> None:
    values = torch.tensor([0.5, -1.2, 0.9, 0.1], dtype=torch.float64)
    found = lyapunov_spectrum(linear(torch.diag(values)), torch.randn(300, 2, I))
    wanted = np.sort(np.log(np.abs(values.numpy())))[::-1]
    np.testing.assert_allclose(found.exponents, wanted, atol=1e-6)
    assert found.spectral_radius == {"affine.weight_hh": pytest.approx(1.2)}
    assert (found.steps, found.rows, found.cell) == (270, 2, "Elman")


def test_a_matrix_that_is_not_normal_has_the_logs_of_its_eigenvalues() -> None:
    basis = torch.randn(H, H, dtype=torch.float64)
    values = torch.tensor([1.1, 0.8, 0.5, 0.3], dtype=torch.float64)
    matrix = basis @ torch.diag(values) @ torch.linalg.inv(basis)
    assert float(torch.linalg.matrix_norm(matrix, 2)) > 1.3  # the norm says something else
    found = lyapunov_spectrum(linear(matrix), torch.randn(400, 1, I), burn_in=200)
    np.testing.assert_allclose(found.exponents, np.log(values.numpy()), atol=1e-3)
    two = lyapunov_spectrum(linear(matrix), torch.randn(400, 1, I), 2, burn_in=200)
    np.testing.assert_allclose(two.exponents, np.log(values.numpy()[:2]), atol=1e-3)


def test_an_orthogonal_matrix_and_the_identity_are_at_the_border() -> None:
    turn = torch.linalg.qr(torch.randn(H, H, dtype=torch.float64)).Q
    for matrix in (turn, torch.eye(H, dtype=torch.float64)):
        found = lyapunov_spectrum(linear(matrix), torch.randn(50, 2, I))
        np.testing.assert_allclose(found.exponents, 0, atol=1e-12)
        assert "at the border of chaos" in found.meaning
        assert found.spectral_radius["affine.weight_hh"] == pytest.approx(1)


def test_tanh_at_its_fixed_point_has_the_log_of_its_slope_there() -> None:
    layer = Recurrent("elman", 1, 1, bias=False).double()
    layer.cells[0].affine.weight_hh.detach().fill_(2.0)
    layer.cells[0].affine.weight_ih.detach().fill_(1.0)
    x = torch.zeros(400, 1, 1, dtype=torch.float64)
    x[0] = 1.0  # away from 0, which is a fixed point too
    point = 1.0
    for _ in range(200):
        point = math.tanh(2 * point)
    found = lyapunov_spectrum(layer, x, burn_in=100)
    np.testing.assert_allclose(found.exponents, math.log(2 * (1 - point**2)), rtol=1e-9)
    assert "contracting" in found.meaning


class Logistic(Cell):
    """h ↦ 4·h·(1 - h), pushed by x."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"h": hidden_size})

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        h = 4 * h * (1 - h) + x
        return h, (h,)


class Henon(Cell):
    """(h, k) ↦ (1 - 1.4·h² + k, 0.3·h), pushed by x."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"h": hidden_size, "k": hidden_size})

    def forward(self, x: Tensor, h: Tensor, k: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        h, k = 1 - 1.4 * h * h + k + x, 0.3 * h
        return h, (h, k)


def pushed_at_the_start(*values: float, steps: int = 400) -> Tensor:
    x = torch.zeros(steps, len(values), 1, dtype=torch.float64)
    x[0, :, 0] = torch.tensor(values, dtype=torch.float64)
    return x


def test_the_logistic_map_has_the_log_of_2() -> None:
    x = pushed_at_the_start(*torch.rand(12).tolist())
    found = lyapunov_spectrum(Recurrent(Logistic, 1, 1), x)
    error = abs(found.exponents[0] - math.log(2))
    assert error < 0.01
    assert error < 4 * found.error[0]
    assert "chaotic" in found.meaning
    assert "2-fold" in found.meaning or "2.0" in found.meaning or "1.9" in found.meaning


def test_the_henon_map_has_its_two_exponents() -> None:
    x = pushed_at_the_start(*np.linspace(-0.1, 0.1, 12), steps=500)
    found = lyapunov_spectrum(Recurrent(Henon, 1, 1), x)
    np.testing.assert_allclose(found.exponents, [0.4192, math.log(0.3) - 0.4192], atol=0.01)
    assert found.exponents.sum() == pytest.approx(math.log(0.3), rel=1e-9)  # area shrinks by 0.3
    assert (found.error < 0.01).all()
    assert (found.error > 0).all()


def test_the_error_shrinks_with_the_rows() -> None:
    layer = Recurrent(Logistic, 1, 1)
    errors = [
        lyapunov_spectrum(layer, pushed_at_the_start(*torch.rand(n).tolist(), steps=100)).error[0]
        for n in (1, 100)
    ]
    assert 3 < errors[0] / errors[1] < 40


def test_a_state_that_is_lost_at_once_has_minus_infinity() -> None:
    layer = Recurrent("elman", I, H, activation="relu")
    layer.cells[0].affine.bias_ih.detach().fill_(-100)
    found = lyapunov_spectrum(layer, torch.randn(20, 2, I))
    assert (found.exponents == -math.inf).all()
    assert "wiped out" in found.meaning


def test_every_cell_of_a_stack_has_its_own_spectrum() -> None:
    stack = recurra.GRU(I, H, 2, bidirectional=True).double()
    x = torch.randn(40, 2, I, dtype=torch.float64)
    with torch.no_grad():
        first = recurra.GRU(I, H, bidirectional=True).double()
        for name, weight in first.named_parameters():
            weight.copy_(getattr(stack, name))
        between, _ = first(x)
    second = recurra.GRU(2 * H, H).double()
    for name, weight in second.named_parameters():
        weight.detach().copy_(getattr(stack, name.replace("l0", "l1") + "_reverse"))
    alone = lyapunov_spectrum(second, between.flip(0), 3)
    last = lyapunov_spectrum(stack, x, 3)
    np.testing.assert_allclose(last.exponents, alone.exponents, rtol=1e-9)
    every = [tuple(lyapunov_spectrum(stack, x, 3, index=k).exponents) for k in range(4)]
    assert len(set(every)) == 4
    assert every[3] == tuple(last.exponents)


def test_torchs_layers_have_the_spectrum_of_the_drop_ins() -> None:
    theirs, ours = nn.LSTM(I, H), recurra.LSTM(I, H)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(30, 2, I)
    a, b = lyapunov_spectrum(theirs, x), lyapunov_spectrum(ours, x)
    np.testing.assert_array_equal(a.exponents, b.exponents)
    assert len(a.exponents) == 2 * H
    assert list(a.spectral_radius) == [f"gates.weight_hh[{k}]" for k in range(4)]
    W = theirs.weight_hh_l0.detach().double().chunk(4)[2]
    wanted = float(torch.linalg.eigvals(W).abs().max())
    assert a.spectral_radius["gates.weight_hh[2]"] == pytest.approx(wanted)
    assert type(theirs) is nn.LSTM


class Once(torch.autograd.Function):
    """sin, which can be differentiated once only."""

    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        context.save_for_backward(x)
        return torch.sin(x)

    @staticmethod
    @once_differentiable
    def backward(context, gradient: Tensor) -> Tensor:
        (x,) = context.saved_tensors
        return gradient * torch.cos(x)


class Sine(recurra.cells.Elman):
    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        h = Once.apply(self.affine(x, h))
        return h, (h,)


def test_a_cell_that_cannot_be_differentiated_twice_has_the_same_spectrum() -> None:
    layer, plain = Recurrent(Sine, I, H), Recurrent("elman", I, H, activation="sin")
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(30, 2, I)
    a, b = lyapunov_spectrum(layer, x), lyapunov_spectrum(plain, x)
    np.testing.assert_allclose(a.exponents, b.exponents, rtol=1e-9)


def test_the_radius_of_a_vector_a_stack_and_a_projection() -> None:
    x = torch.randn(10, 2, I)
    ind = Recurrent("ind_rnn", I, H)
    radius = lyapunov_spectrum(ind, x).spectral_radius
    assert radius == {"u": pytest.approx(float(ind.cells[0].u.detach().abs().max()))}
    heads = lyapunov_spectrum(Recurrent("s_lstm", I, H, heads=2), x).spectral_radius
    assert set(heads) == {f"weight_hh[{k}]" for k in range(4)}
    assert all(value == pytest.approx(1, rel=1e-5) for value in heads.values())
    assert lyapunov_spectrum(nn.LSTM(I, 5, proj_size=2), x).spectral_radius == {}


def test_the_radius_of_a_parametrised_weight_is_that_of_the_weight() -> None:
    layer, x = Recurrent("elman", I, H), torch.randn(10, 2, I)
    plain = lyapunov_spectrum(layer, x).spectral_radius
    weight_norm(layer.cells[0].affine, "weight_hh")
    layer.cells[0].affine.parametrizations.weight_hh.original0.detach().mul_(2)
    doubled = {name: 2 * radius for name, radius in plain.items()}
    assert lyapunov_spectrum(layer, x).spectral_radius == pytest.approx(doubled)


def test_nothing_is_changed() -> None:
    layer, x = Recurrent("lstm", I, H).train(), torch.randn(10, 2, I)
    numbers = torch.get_rng_state()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    found = lyapunov_spectrum(layer, x)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(torch.equal(v, before[n]) for n, v in layer.state_dict().items())
    assert layer.training
    np.testing.assert_array_equal(lyapunov_spectrum(layer, x).exponents, found.exponents)
    assert "exponents, nats a step: -0." in str(found)


BAD: dict[str, tuple[Callable[[Recurrent, Tensor], object], type[Exception], str]] = {
    "k too large": (
        lambda layer, x: lyapunov_spectrum(layer, x, 5),
        ArgumentError,
        "k must be at most 4",
    ),
    "k of 0": (
        lambda layer, x: lyapunov_spectrum(layer, x, 0),
        ArgumentError,
        "k must be at least 1",
    ),
    "burn-in of all": (
        lambda layer, x: lyapunov_spectrum(layer, x, burn_in=20),
        ArgumentError,
        "burn_in must lie between 0 and T - 1 = 19, got 20",
    ),
    "index": (
        lambda layer, x: lyapunov_spectrum(layer, x, index=1),
        ArgumentError,
        "one of the layer's 1",
    ),
    "no layer": (
        lambda layer, x: lyapunov_spectrum(nn.Linear(I, H), x),
        ArgumentError,
        "no recurrent layer ran in Linear",
    ),
    "no module": (
        lambda layer, x: lyapunov_spectrum("gru", x),
        TypeError,
        "layer must be a torch.nn",
    ),
    "no steps": (lambda layer, x: lyapunov_spectrum(layer, x[:0]), ShapeError, "no steps"),
    "not finite": (
        lambda layer, x: lyapunov_spectrum(layer, x.index_fill(0, torch.tensor([4]), torch.nan)),
        ArgumentError,
        "the state that leaves step 4 is not finite",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_has_no_exponents_is_said(what: str) -> None:
    run, kind, text = BAD[what]
    with pytest.raises(kind, match=text):
        run(Recurrent("gru", I, H), torch.randn(20, 2, I))
