"""Layers whose states are matrices as ONNX files, and those whose states no graph can hold."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from running import close, run_file
from torch import Tensor, nn

from recurra import Recurrent
from recurra.errors import ExportError
from recurra.export import export_onnx

T, B, I, H = 6, 4, 3, 5  # noqa: E741 - the axes' names


class Memory(nn.Module):
    """Linear attention: S' = 0.9·S + k·vᵀ, y = S'ᵀ·q."""

    state_sizes: ClassVar = {"S": (2, H), "n": 1}

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(input_size, 2), nn.Linear(input_size, 2)
        self.v = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor, state: Any) -> Any:
        S, n = state
        S = 0.9 * S + torch.tanh(self.k(x)).unsqueeze(2) * self.v(x).unsqueeze(1)
        n = 0.5 * n + 1
        return (self.q(x).unsqueeze(2) * S).sum(1) / n, (S, n)


class Sized(nn.Module):
    """Its state is as large as x."""

    def __init__(self, input_size: int, hidden_size: int, dtype: Any = None) -> None:
        super().__init__()
        self.state_sizes = {"s": input_size if dtype is None else (input_size, dtype)}
        self.out = nn.Linear(input_size, hidden_size)

    def forward(self, x: Tensor, s: Tensor) -> Any:
        s = 0.5 * s + x
        return self.out(s.real if s.is_complex() else s), s


@pytest.mark.parametrize("learned", [False, True])
def test_a_matrix_state_goes_into_a_file_and_comes_out(learned: bool, tmp_path: Path) -> None:
    layer = Recurrent(Memory, I, H, 2, learn_initial_state=learned)
    for parameter in layer.initial_state or ():
        nn.init.normal_(parameter)
    x = torch.randn(T, B, I)
    out, (S, n) = layer(x)
    found = run_file(export_onnx(layer, tmp_path / "layer.onnx").path, x=x.numpy())
    for name, wanted in (("out", out), ("new_S", S), ("new_n", n)):
        close(found[name], wanted.detach().numpy())
    path = export_onnx(layer, tmp_path / "stream.onnx", streaming=True).path
    states = (torch.randn(2, B, 2, H), torch.randn(2, B, 1).abs())
    out, (S, n) = layer(x, states)
    feeds = {f"state_{name}": s.numpy() for name, s in zip("Sn", states, strict=True)}
    found = run_file(path, x=x.numpy(), **feeds)
    for name, wanted in (("out", out), ("new_S", S), ("new_n", n)):
        close(found[name], wanted.detach().numpy())
    assert np.shape(found["new_S"]) == (2, B, 2, H)


def test_states_that_no_graph_can_hold_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"state 's' is not of one size in all layers \(3, 5\)"):
        export_onnx(Recurrent(Sized, I, H, 2), tmp_path / "layer.onnx")
    with pytest.raises(ExportError, match="state 's' is complex"):
        export_onnx(Recurrent(Sized, I, H, dtype=torch.complex64), tmp_path / "layer.onnx")
