"""What gradient flow refuses, and the small and the extreme that it does not."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recurra import Recurrent, gradient_flow
from recurra.errors import ArgumentError, ShapeError

T, B, I, H = 6, 3, 3, 4  # noqa: E741 - the axes' names


def random_input(T: int = T) -> Tensor:
    return torch.randn(T, B, I)


class Last(nn.Module):
    def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:
        return pair[0][-1, :1]


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(I, H)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0]


WRONG_SHAPE = "loss must return one number a step"
BAD: dict[str, tuple[Callable[[Recurrent, Tensor], object], type[Exception], str]] = {
    "no recurrent layer": (
        lambda layer, x: gradient_flow(nn.Linear(I, H), x),
        ArgumentError,
        r"no recurrent layer ran in Linear: looked for recurra.Recurrent.*recurra.Recurrent\(cell",
    ),
    "no module": (lambda layer, x: gradient_flow(None, x), TypeError, "model must be a torch.nn"),
    "no steps": (lambda layer, x: gradient_flow(layer, x[:0]), ShapeError, r"no steps \(T = 0\)"),
    "no rows": (lambda layer, x: gradient_flow(layer, x[:, :0]), ShapeError, r"empty batch \(B ="),
    "a loss by feature": (
        lambda layer, x: gradient_flow(layer, x, loss=lambda out: out),
        ShapeError,
        rf"{WRONG_SHAPE}.*got \(6, 3, 4\)",
    ),
    "a loss by row": (
        lambda layer, x: gradient_flow(layer, x, loss=lambda out: out.sum((0, 2))),
        ShapeError,
        rf"{WRONG_SHAPE}.*got \(3,\)",
    ),
    "a loss that is no tensor": (
        lambda layer, x: gradient_flow(layer, x, loss=lambda out: 1.0),
        TypeError,
        "loss must return a tensor, got float",
    ),
    "a loss that is detached": (
        lambda layer, x: gradient_flow(layer, x, loss=lambda out: out.detach().sum((1, 2))),
        ArgumentError,
        "the loss does not depend on any state through the graph",
    ),
    "a loss of other things": (
        lambda layer, x: gradient_flow(layer, x, loss=lambda out: torch.ones(T).requires_grad_()),
        ArgumentError,
        "does not depend on any state of the layer.*gradients are all None",
    ),
    "NaN in the input": (
        lambda layer, x: gradient_flow(layer, x.index_fill(0, torch.tensor([2]), torch.nan)),
        ArgumentError,
        "the loss at step 2 is nan",
    ),
    "an infinite derivative": (
        lambda layer, x: gradient_flow(
            layer, x, loss=lambda out: (out - out.detach()).abs().sqrt().sum((1, 2))
        ),
        ArgumentError,
        "the gradient of the loss at step 0 with respect to the state of step 0 is not finite",
    ),
    "a time that is none": (
        lambda layer, x: gradient_flow(layer, x, times=[0, 6]),
        ArgumentError,
        "times must be steps that have a loss, 0 to 5; got 6",
    ),
    "no times": (lambda layer, x: gradient_flow(layer, x, times=[]), ArgumentError, "got none"),
    "targets of another shape": (
        lambda layer, x: gradient_flow(layer, x, torch.zeros(3)),
        ShapeError,
        r"y must be of out's shape \(6, 3, 4\), got \(3,\)",
    ),
    "classes of another shape": (
        lambda layer, x: gradient_flow(layer, x, torch.zeros(3, dtype=torch.int64)),
        ShapeError,
        r"y of whole numbers must be classes of \(6, 3\)",
    ),
    "an output without steps": (
        lambda layer, x: gradient_flow(nn.Sequential(nn.GRU(I, H), Last()), x),
        ShapeError,
        r"the model's output must be of \(T, B, ...\) = \(6, 3, ...\).*got \(1, 4\)",
    ),
    "lengths that are not taken": (
        lambda layer, x: gradient_flow(nn.GRU(I, H), x, lengths=[1, 2, 3]),
        ArgumentError,
        "GRU.forward takes no lengths=.*PackedSequence",
    ),
    "a layer that is not there": (
        lambda layer, x: gradient_flow(Tagger(), x, layer="gru"),
        ArgumentError,
        "layer='gru' did not run; those that did: 'rnn'",
    ),
    "an input that does not fit": (
        lambda layer, x: gradient_flow(layer, x[..., :2]),
        ShapeError,
        "x must be of",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_measured_is_said(what: str) -> None:
    run, kind, text = BAD[what]
    with pytest.raises(kind, match=text):
        run(Recurrent("lstm", I, H), random_input())


def test_one_step_has_a_gradient_and_no_way_back() -> None:
    flow = gradient_flow(Recurrent("lstm", I, H), random_input(T=1))
    assert flow.norms.shape == (1, 1, 1, 1)
    assert flow.norms.item() > 0
    assert flow.arrives.item() == flow.product.item() == 1
    assert np.isnan(flow.rate.item())
    assert "one step only" in flow.verdict


def test_a_gradient_that_is_all_zero_is_no_error() -> None:
    layer = Recurrent("elman", I, H, activation="relu")
    layer.cells[0].affine.bias_ih.detach().fill_(-100)
    flow = gradient_flow(layer, random_input())
    assert not flow.norms.any()
    assert not flow.local.any()
    assert np.isnan(flow.rate).all()
    assert flow.underflow["float32"]["distance"] is None
    assert flow.verdict == "No gradient arrives from any earlier step."


def test_a_gradient_that_leaves_float64_is_infinite_and_no_error() -> None:
    layer = Recurrent("elman", I, H, activation="sin")
    layer.cells[0].affine.weight_hh.detach().mul_(1e12)
    flow = gradient_flow(layer, random_input(T=60), compare=False)
    assert np.isinf(flow.norms[0, 0, -1, 0])
    assert np.isfinite(flow.norms[0, 0, -1, 50:]).all()
    assert np.isfinite(flow.rate).all()
    assert "exploding" in flow.verdict
    assert flow.underflow["float32"]["kind"] == "overflow"
