"""The parts of a parameter's gradient by time distance, against formulas and whole gradients."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recurra import Recurrent, gradient_flow

T, B, I, H = 6, 3, 3, 4  # noqa: E741 - the axes' names


def test_a_linear_networks_parts_are_those_of_the_formula() -> None:
    layer = Recurrent("elman", I, H, activation="identity").double()
    x = torch.randn(T, B, I, dtype=torch.float64)
    affine = layer.cells[0].affine
    W = affine.weight_hh.detach().mul_(0.7)
    out = layer(x)[0].detach()
    entering = torch.cat([torch.zeros(1, B, H, dtype=torch.float64), out[:-1]])
    wanted: dict[str, list[list[float]]] = {"weight_hh": [], "weight_ih": [], "bias_ih": []}
    for d in range(T):
        parts: dict[str, list[float]] = {name: [] for name in wanted}
        for t in range(d, T):
            at_step = out[t] @ torch.linalg.matrix_power(W, d)  # ∂L_t/∂h of step t - d
            parts["weight_hh"].append(float((at_step.T @ entering[t - d]).norm()))
            parts["weight_ih"].append(float((at_step.T @ x[t - d]).norm()))
            parts["bias_ih"].append(float(at_step.sum(0).norm()))
        for name, found in parts.items():
            wanted[name].append(found)
    flow = gradient_flow(layer, x, compare=False)
    for name, by_distance in wanted.items():
        means = [np.mean(found) for found in by_distance]
        found = flow.contributions[f"cells.0.affine.{name}"]
        np.testing.assert_allclose(found, means, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("cell", ["lstm", "s_lstm", "rhn"])
def test_the_part_of_one_step_is_the_gradient_of_a_model_that_lets_no_other_through(
    cell: str,
) -> None:
    layer = Recurrent(cell, I, H).double()
    x = torch.randn(T, B, I, dtype=torch.float64)
    frozen = Recurrent(cell, I, H).double().requires_grad_(False)
    frozen.load_state_dict(layer.state_dict())
    flow = gradient_flow(layer, x, times=[T - 1], compare=False)
    for distance in range(T):
        state = tuple(x.new_zeros(B, n) for n in layer.state_sizes.values())
        for t, step in enumerate(x):
            through = layer if t == T - 1 - distance else frozen
            out, state = through.cells[0](step, *state)
        parameters = dict(layer.named_parameters())
        gradients = torch.autograd.grad(out.square().sum() / 2, list(parameters.values()))
        for name, gradient in zip(parameters, gradients, strict=True):
            found = flow.contributions[name][distance]
            np.testing.assert_allclose(found, float(gradient.norm()), rtol=1e-10, atol=1e-15)


def test_a_read_out_works_at_distance_0_only() -> None:
    layer = Recurrent("elman", I, H, output_size=2)
    flow = gradient_flow(layer, torch.randn(T, B, I), compare=False)
    read_out = flow.contributions["cells.0.readout.weight"]
    assert read_out[0] > 0
    assert not read_out[1:].any()
    assert flow.contributions["cells.0.affine.weight_ih"].all()


def test_only_parameters_of_the_recurrent_layers_have_parts() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.rnn = nn.Embedding(7, I), nn.GRU(I, H)

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(self.embedding(x))[0]

    flow = gradient_flow(Model(), torch.randint(7, (T, B)), compare=False)
    assert {name.split(".")[0] for name in flow.contributions} == {"rnn"}
    assert all(part.shape == (T,) for part in flow.contributions.values())


def test_eight_losses_stand_for_many() -> None:
    layer, x = Recurrent("elman", I, H), torch.randn(24, B, I)
    flow = gradient_flow(layer, x, compare=False)
    some = gradient_flow(layer, x, times=[3, 6, 9, 12, 14, 17, 20, 23], compare=False)
    assert any(note == "contributions: of 8 losses" for note in flow.notes)
    for name, part in flow.contributions.items():
        np.testing.assert_allclose(part, some.contributions[name], rtol=1e-10)
