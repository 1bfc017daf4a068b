"""What `explain` says of layers and cells."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import recurra
from recurra import Explanation, explain, use_backend
from recurra.cells import CELLS
from recurra.errors import ArgumentError, ArgumentTypeError, RecurraWarning
from recurra.program.cost import Flops

pytest.importorskip("recurra._core")


class Impatient(recurra.Cell):
    """Looks at its numbers."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"h": hidden_size})
        self.inner = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        if h.sum() > 1:  # the line that is named
            h = h / 2
        h = torch.tanh(self.inner(x) + h)
        return h, (h,)


class Dropping(recurra.Cell):
    """Draws random numbers in training."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"h": hidden_size})
        self.inner = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        h = nn.functional.dropout(torch.tanh(self.inner(x) + h), 0.25, self.training)
        return h, (h,)


def only(explanation: Explanation) -> Any:
    (cell,) = explanation.cells
    return cell


LSTM = """\
LSTM: x 2, h 3, c 3, out 3, float32; runs natively

once a call, from the weights alone
  t1 = bias_ih + bias_hh       12
before the loop, all steps at once
  t2 = weight_ih · x           12
  t3 = t2 + t1                 12
in the loop, step by step
  t4 = weight_hh · h           12
  t5 = t3 + t4                 12
  t6 = sigmoid(t5[3:6])         3
  t7 = t6 * c                   3
  t8 = sigmoid(t5[0:3])         3
  t9 = tanh(t5[6:9])            3
  t10 = t8 * t9                 3
  c' = t7 + t10                 3
  t11 = sigmoid(t5[9:12])       3
  t12 = tanh(c')                3
  h' = t11 * t12                3
after the loop, all steps at once
  out = h'                      3
adjoint, before its loop, all steps at once: nothing
adjoint, in its loop, from the last step to the first
  d1 = ∂out + ∂h'               3
  d2 = d1 * t12                 3
  d3 = d1 * t11                 3
  d4 = t12 * t12                3
  d5 = 1 - d4                   3
  d6 = d3 * d5                  3
  d7 = 1 - t11                  3
  d8 = d7 * t11                 3
  d9 = d2 * d8                  3
  d10 = ∂c' + d6                3
  d11 = d10 * t9                3
  d12 = d10 * t8                3
  d13 = t9 * t9                 3
  d14 = 1 - d13                 3
  d15 = d12 * d14               3
  d16 = 1 - t8                  3
  d17 = d16 * t8                3
  d18 = d11 * d17               3
  d19 = d10 * c                 3
  ∂c = d10 * t6                 3
  d20 = 1 - t6                  3
  d21 = d20 * t6                3
  d22 = d19 * d21               3
  d23 = [d18, d22, d15, d9]    12
  ∂h = weight_hhᵀ · d23         3
adjoint, after its loop, all steps at once
  ∂x = weight_ihᵀ · d23         2
adjoint, its sums over all rows and steps
  ∂weight_hh = Σ d23 · hᵀ    12×3
  ∂weight_ih = Σ d23 · xᵀ    12×2
  ∂t1 = Σ d23                  12

FLOPs a row and step       forward    backward
  products                     120         240
  pointwise                     51          81
kept for the backward pass: 84 bytes a row and step
weights: 336 bytes

W · x is a product, a * b goes feature by feature; h enters the step, h' leaves it;
∂h is the gradient of h, Σ the sum over all rows and steps."""


def test_the_whole_text_of_a_small_lstm() -> None:
    explanation = explain(recurra.LSTM(2, 3))
    assert str(explanation) == LSTM
    assert repr(explanation) == LSTM
    assert str(explain(recurra.Recurrent("lstm", 2, 3))) == LSTM
    assert str(explain(recurra.cells.LSTM(2, 3))) == LSTM


def test_the_same_as_data() -> None:
    cell = only(explain(recurra.GRU(2, 3)))
    assert (cell.cell, cell.input_size, cell.state_sizes, cell.output_size) == (
        "GRU", 2, {"h": 3}, 3,
    )  # fmt: skip
    assert (cell.backend, cell.reason, cell.dtype) == ("native", "", "float32")
    assert (cell.where, cell.count) == ("", 1)
    assert cell.weight_bytes == 4 * (9 * 2 + 9 * 3 + 9 + 9)
    work = cell.work
    # The work of a GRU is counted by hand in tests/program/test_cost.py.
    assert work.forward == Flops(2 * 9 * (2 + 3), 17 * 3)
    assert work.backward == Flops(4 * 9 * (2 + 3), 24 * 3)
    # h, the product U·h with its bias, r, z and n.
    assert work.kept_bytes == 4 * (3 + 9 + 3 + 3 + 3)
    assert len(work.program.loop) > len(work.program.before) > 0
    assert len(work.adjoint.program.sums) == 4


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_is_explained(name: str) -> None:
    cell = only(explain(recurra.Recurrent(name, 4, 4)))
    assert cell.backend == "native"
    assert cell.work.forward.products > 0 or name == "ind_rnn"
    assert cell.work.backward.total > cell.work.forward.total
    assert "in the loop, step by step\n" in str(cell)
    assert cell.weight_bytes > 0


def test_a_cell_that_cannot_be_traced_says_which_line_is_why() -> None:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    number = next(k for k, line in enumerate(lines, 1) if "the line that is named" in line)
    cell = only(explain(recurra.Recurrent(Impatient, 2, 3)))
    assert cell.backend == "eager"
    assert cell.reason.startswith("a data-dependent `if`")
    assert cell.reason.endswith(f"(test_explain.py, line {number})")
    assert cell.work is None
    assert str(explain(Impatient(2, 3))) == (
        "Impatient: x 2, h 3, out 3, float32; runs in the eager loop\n"
        f"not natively: {cell.reason}\n"
        "weights: 36 bytes"
    )


def test_cells_that_are_the_same_are_explained_once() -> None:
    layer = recurra.Recurrent("gru", 6, 3, num_layers=3, bidirectional=True)
    cell = only(explain(layer))
    assert (cell.where, cell.count) == ("layers 0-2, both directions", 6)
    assert str(cell).startswith("GRU (layers 0-2, both directions): x 6, h 3, out 3, float32; ")
    assert str(cell).endswith(" bytes each")
    first, others = explain(recurra.GRU(2, 3, 3, bidirectional=True)).cells
    assert (first.where, first.input_size) == ("layer 0, both directions", 2)
    assert (others.where, others.input_size) == ("layers 1-2, both directions", 6)
    assert only(explain(recurra.RNN(3, 3, 4))).where == "layers 0-3"


def test_a_cell_that_differs_is_told_apart() -> None:
    layer = recurra.Recurrent("elman", 6, 3, num_layers=4, bidirectional=True)
    layer.cells[3].activation = "relu"
    same, other = explain(layer).cells
    assert same.where == "layers 0, 2-3, both directions; layer 1, forward"
    assert (other.where, other.count) == ("layer 1, backward", 1)
    assert "h' = relu(" in str(other)


def test_the_backend_that_is_set_is_the_one_that_is_named() -> None:
    with use_backend("eager"):
        cell = only(explain(recurra.LSTM(2, 3)))
    assert (cell.backend, cell.reason) == ("eager", 'use_backend("eager") is set')
    assert "\nwhat the native engine would run:\n" in str(cell)
    with use_backend("torch"):
        assert only(explain(recurra.LSTM(2, 3))).backend == "torch"
        cell = only(explain(recurra.Recurrent("mgu", 2, 3)))
    assert cell.backend == "none"
    assert "torch has no kernel for the equations of MGU" in str(cell)
    with use_backend("native"):
        assert only(explain(recurra.LSTM(2, 3))).reason == ""
        assert "does not run\nnot natively: the backend 'native'" in str(explain(Impatient(2, 3)))


def test_what_the_engine_does_not_run_has_its_reason() -> None:
    cell = only(explain(recurra.LSTM(2, 3).to(torch.bfloat16)))
    assert cell.backend == "torch"
    assert cell.reason == "the machine computes in float32 and float64, not torch.bfloat16"
    assert cell.dtype == "bfloat16"
    assert only(explain(recurra.LSTM(2, 3).double())).work.kept_bytes == 2 * 84


def test_without_its_core_that_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    choose = sys.modules["recurra.backends.choose"]
    monkeypatch.setattr(choose, "native", None)
    choose._say_once_that_there_is_no_core.cache_clear()
    with pytest.warns(RecurraWarning, match="without its compiled core"):
        cell = only(explain(recurra.Recurrent("mgu", 2, 3)))
    assert cell.backend == "eager"
    assert cell.reason == "Recurra was installed without its compiled core"
    assert cell.work is not None


def test_random_numbers_are_told() -> None:
    cell = Dropping(2, 3)
    assert "drawn for every row and step\n  dropout ~ dropout(0.25)" in str(explain(cell))
    assert "drawn" not in str(explain(cell.eval()))


def test_modules_that_are_no_cells_of_ours() -> None:
    cell = only(explain(nn.LSTMCell(2, 3), state_sizes=["h", "c"]))
    assert (cell.cell, cell.backend) == ("LSTMCell", "native")
    assert "t2 = weight_ih · x" in str(cell)
    assert only(explain(nn.LSTMCell(2, 3))).state_sizes == {"h": 3, "c": 3}
    with pytest.raises(ArgumentError, match="what state Linear carries is not known"):
        explain(nn.Linear(2, 3), input_size=2, hidden_size=3)
    with pytest.raises(ArgumentError, match="what input_size Linear has is not known"):
        explain(nn.Linear(2, 3))
    with pytest.raises(ArgumentTypeError, match="a layer or a cell, got 'lstm'"):
        explain("lstm")  # type: ignore[arg-type]


def test_a_layer_that_has_been_explained_runs_as_before() -> None:
    layer = recurra.GRU(2, 3)
    x = torch.randn(4, 2, 2)
    before, _ = layer(x)
    random = torch.get_rng_state()
    explain(layer)
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(layer(x)[0], before)
