"""Every cell's first and second derivatives against finite differences."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call

from recurra.cells import CELLS, FCN, GRU, LSTM, RHN, SLSTM, Cell, Elman, IndRNN, MinGRU

KINDS: dict[str, Callable[[], Cell]] = {
    name: (lambda kind=kind: kind(2, 3)) for name, kind in CELLS.items()
} | {
    "elman-no-bias": lambda: Elman(2, 3, bias=False),
    "elman-sigmoid-read-out": lambda: Elman(2, 3, activation="sigmoid", output_size=2),
    "elman-softplus": lambda: Elman(2, 3, activation="softplus"),
    "fcn-1": lambda: FCN(2, 3, depth=1),
    "fcn-2-read-out": lambda: FCN(2, 3, depth=2, width=2, output_size=2),
    "fcn-3": lambda: FCN(2, 3, depth=3, width=2),
    "gru-before": lambda: GRU(2, 3, reset_after=False),
    "lstm-lesson": lambda: LSTM(2, 3, squash_cell=True),
    "lstm-projected": lambda: LSTM(2, 3, proj_size=2),
    "ind_rnn-tanh": lambda: IndRNN(2, 3, activation="tanh"),
    "min_gru-linear": lambda: MinGRU(2, 3, positive=False),
    "rhn-1": lambda: RHN(2, 3, depth=1),
    "s_lstm-3-heads": lambda: SLSTM(2, 3, heads=3),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_derivatives_are_those_of_finite_differences(name: str) -> None:
    cell = KINDS[name]().double()
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
