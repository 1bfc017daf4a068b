"""Every cell's first and second derivatives against finite differences."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call

from recurra.cells import FCN, GRU, LSTM, Cell, Elman

CELLS: dict[str, Callable[[], Cell]] = {
    "elman": lambda: Elman(2, 3),
    "elman-no-bias": lambda: Elman(2, 3, bias=False),
    "elman-sigmoid-read-out": lambda: Elman(2, 3, activation="sigmoid", output_size=2),
    "elman-softplus": lambda: Elman(2, 3, activation="softplus"),
    "fcn-1": lambda: FCN(2, 3, depth=1),
    "fcn-2-read-out": lambda: FCN(2, 3, depth=2, width=2, output_size=2),
    "fcn-3": lambda: FCN(2, 3, depth=3, width=2),
    "gru": lambda: GRU(2, 3),
    "gru-before": lambda: GRU(2, 3, reset_after=False),
    "lstm": lambda: LSTM(2, 3),
    "lstm-lesson": lambda: LSTM(2, 3, squash_cell=True),
    "lstm-projected": lambda: LSTM(2, 3, proj_size=2),
}


@pytest.mark.parametrize("name", CELLS)
def test_the_derivatives_are_those_of_finite_differences(name: str) -> None:
    cell = CELLS[name]().double()
    for parameter in cell.parameters():
        nn.init.normal_(parameter, std=0.5)
    names = [key for key, _ in cell.named_parameters()]
    inputs = [
        torch.randn(2, size, dtype=torch.float64, requires_grad=True)
        for size in (cell.input_size, *cell.state_sizes.values())
    ]

    def step(*values: Tensor) -> tuple[Tensor, ...]:
        weights = dict(zip(names, values[len(inputs) :], strict=True))
        output, state = functional_call(cell, weights, values[: len(inputs)])
        return output, *state

    values = (*inputs, *(p.detach().requires_grad_() for p in cell.parameters()))
    assert gradcheck(step, values)
    assert gradgradcheck(step, values)
