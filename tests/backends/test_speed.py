"""A cell is left to its loop where the loop is faster by far, and only there."""

import pytest
import torch
from torch import Tensor, nn

from every_kind import on
from recurra import Recurrent, explain, use_backend
from recurra.backends.prepare import Prepared, prepare
from recurra.cells import CELLS

pytest.importorskip("recurra._core")


class Reversed(nn.Module):
    """Its features in reverse: every one of them is a copy in the machine, one call in torch."""

    state_sizes = ("h",)

    def __init__(self, size: int) -> None:
        super().__init__()
        self.input_size = self.hidden_size = size
        self.out = nn.Linear(size, size)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.out(x) * h.flip(1) + x)
        return h, h


def test_a_cell_that_moves_every_feature_by_itself_is_left_to_its_loop() -> None:
    layer = Recurrent(Reversed(512), 512, 512)
    with torch.no_grad():
        (cell,) = explain(layer).cells
    assert cell.backend == "eager"
    assert cell.reason.startswith("the loop is faster: about ")
    assert "rows and one thread" in str(cell)
    with use_backend("native"):
        assert explain(layer).cells[0].backend == "native"
    x = torch.randn(2, 3, 512, requires_grad=True)
    state = [torch.randn(1, 3, 512)]
    for found, wanted in zip(
        on("auto", layer, x, state), on("native", layer, x, state), strict=True
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert torch.equal(on("auto", layer, x, state)[0], on("eager", layer, x, state)[0])


def test_the_same_cell_with_few_features_runs_natively() -> None:
    (cell,) = explain(Recurrent(Reversed(16), 16, 16)).cells
    assert (cell.backend, cell.reason) == ("native", "")


def test_gradients_that_are_cut_off_stay_native() -> None:
    layer = Recurrent(Reversed(512), 512, 512, truncate=2)
    x = torch.randn(4, 2, 512)
    assert torch.equal(on("auto", layer, x)[0], on("native", layer, x)[0])


@pytest.mark.parametrize("name", CELLS)
def test_no_cell_of_the_library_is_left_to_its_loop(name: str) -> None:
    for size in (1, 7, 64, 1024):
        with torch.device("meta"):
            layer = Recurrent(name, size, size)
        layer = layer.to_empty(device="cpu")
        prepared = prepare(layer.cell_list()[0], torch.float32)
        assert isinstance(prepared, Prepared)
        for gradients in (False, True):
            assert prepared.faster_loop(gradients, gradients) is None, size
