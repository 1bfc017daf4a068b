"""The Jacobians of steps and of their product: norms, against torch's own and each other."""

from importlib import import_module

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.func import jacrev, vmap

from every_kind import KINDS, build
from recurra import Cell, Recurrent, gradient_flow
from recurra.gradients.linearised import jacobians, linearised, step_of

measuring = import_module("recurra.gradients.jacobians")

T, B, I, H = 6, 3, 3, 4  # noqa: E741 - the axes' names


@pytest.mark.parametrize("kind", KINDS)
def test_a_steps_jacobian_is_torchs(kind: str) -> None:
    cell = build(kind, I, H, torch.float64).cells[0]
    N = sum(cell.state_sizes.values())
    x = torch.randn(5, I, dtype=torch.float64)
    state = torch.empty(5, N, dtype=torch.float64).uniform_(0.5, 1)

    def one(x: Tensor, state: Tensor) -> Tensor:
        return step_of(cell, x.unsqueeze(0))(state.unsqueeze(0)).squeeze(0)

    wanted = vmap(jacrev(one, 1))(x, state).detach()
    found = jacobians(cell, x, state)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)
    v = torch.randn(5, N, dtype=torch.float64)
    up, down = linearised(step_of(cell, x), state)
    torch.testing.assert_close(up(v), (wanted @ v.unsqueeze(-1)).squeeze(-1))
    torch.testing.assert_close(down(v), (wanted.mT @ v.unsqueeze(-1)).squeeze(-1))


def test_norms_are_geometric_means_over_the_first_rows() -> None:
    layer, x = Recurrent("lstm", I, H), torch.randn(T, 6, I)
    flow = gradient_flow(layer, x, compare=False)
    rows = [gradient_flow(layer, x[:, b : b + 1], compare=False) for b in range(4)]
    for name in ("local", "product", "bound"):
        logs = [np.log(getattr(row, name)) for row in rows]
        np.testing.assert_allclose(getattr(flow, name), np.exp(np.mean(logs, axis=0)), rtol=1e-10)
    assert any("4 rows out of 6" in note for note in flow.notes)


def test_the_product_of_jacobians_bounds_the_gradient_and_its_norms_bound_the_product() -> None:
    layer, x = Recurrent("elman", I, H), torch.randn(12, 1, I)
    flow = gradient_flow(layer, x, compare=False)
    of_last = flow.norms[0, 0, -1]
    assert (of_last <= flow.product[0, 0] * of_last[-1] * (1 + 1e-12)).all()
    assert (flow.product <= flow.bound * (1 + 1e-12)).all()
    assert flow.product[0, 0, 0] < 0.9 * flow.bound[0, 0, 0]


def test_products_out_of_float64s_range_do_not_spoil_those_inside() -> None:
    layer = Recurrent("elman", 1, 2, activation="identity")
    layer.cells[0].affine.weight_hh.detach().copy_(1e-5 * torch.eye(2))
    flow = gradient_flow(layer, torch.randn(80, 1, 1), compare=False)
    np.testing.assert_allclose(
        np.log10(flow.product[0, 0, 20:]), -5.0 * np.arange(59, -1, -1), rtol=1e-6, atol=1e-6
    )
    assert flow.product[0, 0, 0] == 0


def test_large_states_give_the_same_without_whole_matrices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = Recurrent("lstm", I, 6, bidirectional=True)
    x, lengths = torch.randn(8, 1, I), [7]
    whole = gradient_flow(layer, x, lengths=lengths, compare=False)
    monkeypatch.setattr(measuring, "_MOST_WHOLE", 0)
    other = gradient_flow(layer, x, lengths=lengths, compare=False)
    assert any("Lanczos" in note for note in other.notes)
    np.testing.assert_allclose(other.local, whole.local, rtol=1e-9)
    known = ~np.isnan(other.product)
    np.testing.assert_allclose(other.product[known], whole.product[known], rtol=1e-9)
    assert set(7 - np.flatnonzero(known[0, 0])) == {1, 2, 3, 5}  # distances, as the row has them
    assert set(np.flatnonzero(known[0, 1])) == {0, 1, 2, 3, 5}


class Once(torch.autograd.Function):
    """tanh, which can be differentiated once only."""

    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        y = torch.tanh(x)
        context.save_for_backward(y)
        return y

    @staticmethod
    @once_differentiable
    def backward(context, gradient: Tensor) -> Tensor:
        (y,) = context.saved_tensors
        return gradient * (1 - y * y)


def test_a_large_state_that_cannot_be_differentiated_twice_is_measured_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "_MOST_WHOLE", 0)
    layer = Recurrent("elman", I, H, activation=lambda v: Once.apply(v) + v / 2)
    plain = Recurrent("elman", I, H, activation=lambda v: torch.tanh(v) + v / 2)
    x = torch.randn(T, 1, I)
    plain.load_state_dict(layer.state_dict())
    a, b = gradient_flow(layer, x, compare=False), gradient_flow(plain, x, compare=False)
    assert any("whole" in note for note in a.notes)
    np.testing.assert_allclose(a.local, b.local, rtol=1e-9)
    assert np.isfinite(a.product).all()


@pytest.mark.parametrize("parameters", [True, False])
def test_a_step_that_forgets_its_state_has_jacobians_of_zero(parameters: bool) -> None:
    class Forgetful(Cell):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__(input_size, {"h": hidden_size})
            self.linear = torch.nn.Linear(input_size, hidden_size)

        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            h = self.linear(x) if parameters else x.sum(-1, keepdim=True).expand(h.shape)
            return h, (h,)

    cell, x, state = Forgetful(I, H), torch.randn(2, I), torch.randn(2, H)
    assert not jacobians(cell, x, state).any()
    up, down = linearised(step_of(cell, x), state)
    assert not up(torch.ones(2, H)).any()
    assert not down(torch.ones(2, H)).any()
    flow = gradient_flow(Recurrent(Forgetful, I, H), torch.randn(T, B, I), compare=False)
    assert not flow.local.any()
    assert flow.verdict == "No gradient arrives from any earlier step."


def test_what_is_not_finite_has_no_norm_and_the_others_have() -> None:
    matrices = torch.eye(3, dtype=torch.float64).repeat(3, 1, 1)
    matrices[1, 0, 2] = torch.nan
    logs = measuring._spectral_log(matrices)
    assert logs[0] == logs[2] == 0
    assert torch.isnan(logs[1])
