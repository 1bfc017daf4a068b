"""Layers as ONNX files: every cell, stacks, directions, lengths, streams; what is not kept."""

import copy
import hashlib
import json
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from running import close, close_as_float32, run_file
from torch import Tensor, nn

import recurra
from every_kind import KINDS, build
from recurra import Cell, Recurrent
from recurra.cells import CELLS
from recurra.errors import ArgumentError, ArgumentTypeError, MissingDependencyError
from recurra.export import ExportError, export_onnx
from recurra.export.check import difference
from recurra.export.graph import Graph
from recurra.export.operations import OPERATIONS

I, H = 3, 4  # noqa: E741 - the axes' names
every_kind = pytest.mark.parametrize("kind", KINDS)


def test_the_kinds_are_all_cells() -> None:
    assert set(CELLS) <= set(KINDS)


def agrees(
    layer: Recurrent, x: Tensor, found: dict[str, np.ndarray], lengths: list[int] | None = None
) -> None:
    exact = copy.deepcopy(layer).double()
    with torch.no_grad():
        out, last = layer(x, lengths=lengths)
        wide, wide_last = exact(x.double(), lengths=lengths)
    close_as_float32(found["out"], out, wide)
    for name, state, wide_state in zip(layer.state_sizes, last, wide_last, strict=True):
        close_as_float32(found[f"new_{name}"], state, wide_state)


@every_kind
def test_a_stack_in_both_directions_agrees_at_other_sizes_and_lengths(
    kind: str, tmp_path: Path
) -> None:
    layer = build(kind, I, H, num_layers=2, bidirectional=True)
    path = export_onnx(layer, tmp_path / "layer.onnx", lengths=True).path
    for T, lengths in ((1, [1]), (7, [7, 0, 3, 1]), (20, [4, 20])):
        x = torch.randn(T, len(lengths), I)
        found = run_file(path, x=x.numpy(), lengths=np.array(lengths))
        agrees(layer, x, found, lengths)


@every_kind
def test_a_stream_in_pieces_is_the_whole(kind: str, tmp_path: Path) -> None:
    layer = build(kind, I, H, num_layers=2)
    path = export_onnx(layer, tmp_path / "layer.onnx", streaming=True).path
    x = torch.randn(9, 2, I)
    names = list(layer.state_sizes)
    state = {f"state_{name}": torch.zeros(2, 2, n).numpy() for name, n in layer.state_sizes.items()}
    pieces = []
    for piece in x.split([1, 5, 3]):
        found = run_file(path, x=piece.numpy(), **state)
        pieces.append(found["out"])
        state = {f"state_{name}": found[f"new_{name}"] for name in names}
    agrees(layer, x, {**found, "out": np.concatenate(pieces)})


def test_a_long_run_keeps_agreeing(tmp_path: Path) -> None:
    layer = build("lstm", I, H)
    path = export_onnx(layer, tmp_path / "layer.onnx").path
    x = torch.randn(500, 1, I)
    close(run_file(path, x=x.numpy())["out"], layer(x)[0].detach())


def test_padding_may_hold_anything(tmp_path: Path) -> None:
    layer = build("gru", I, H, bidirectional=True)
    path = export_onnx(layer, tmp_path / "layer.onnx", lengths=True).path
    x = torch.randn(4, 2, I)
    x[2:, 0] = torch.nan
    found = run_file(path, x=x.numpy(), lengths=np.array([2, 4]))["out"]
    close(found, layer(x, lengths=[2, 4])[0].detach())
    assert (found[2:, 0] == 0).all()


def test_double_precision_batch_first_and_a_learned_state(tmp_path: Path) -> None:
    layer = build("lstm", I, H, torch.float64, batch_first=True, learn_initial_state=True)
    path = export_onnx(layer, tmp_path / "layer.onnx").path
    x = torch.randn(2, 6, I, dtype=torch.float64)
    out, _ = layer(x)
    assert layer.initial_state is not None
    assert any(float(s.detach().abs().max()) > 0 for s in layer.initial_state)
    close(run_file(path, x=x.numpy())["out"], out.detach(), "float64")


def test_a_stream_is_told_the_learned_state_to_start_from(tmp_path: Path) -> None:
    layer = build("lstm", I, H, learn_initial_state=True)
    made = export_onnx(layer, tmp_path / "layer.onnx", streaming=True)
    start = json.loads(made.notes.read_text())["start"]
    state = {name: np.array(rows, np.float32)[:, np.newaxis] for name, rows in start.items()}
    x = torch.randn(6, 1, I)
    agrees(layer, x, run_file(made.path, x=x.numpy(), **state))
    assert "at first start in the notes: h" in made.inputs[1].about


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_drop_in_agrees(kind: str, tmp_path: Path) -> None:
    layer = getattr(recurra, kind)(I, H, 2, bidirectional=True, batch_first=True)
    path = export_onnx(layer, tmp_path / "layer.onnx", lengths=True).path
    x = torch.randn(2, 6, I)
    out, last = layer(x)
    found = run_file(path, x=x.numpy(), lengths=np.array([6, 6]))
    close(found["out"], out.detach())
    close(found["new_h"], (last[0] if kind == "LSTM" else last).detach())
    one = getattr(recurra, kind)(I, H)
    assert export_onnx(one, tmp_path / "one.onnx", streaming=True).checked.difference < 2e-6


class Noted(Cell):
    """A cell of a user's own: an output that is no state, a part of the input let through."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, {"h": hidden_size, "n": 1}, output_size=hidden_size + 1)
        self.map = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, x: Tensor, h: Tensor, n: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        new = torch.nn.functional.gelu(self.map(torch.cat([x, h], -1)))
        return torch.cat([new + h, x[:, :1] * n], -1), (new, torch.ones_like(n))


def test_a_cell_of_the_users_own_agrees(tmp_path: Path) -> None:
    layer = Recurrent(Noted, I, H)
    path = export_onnx(layer, tmp_path / "own.onnx").path
    x = torch.randn(8, 3, I)
    close(run_file(path, x=x.numpy())["out"], layer(x)[0].detach())


class Branches(Noted):
    def forward(self, x: Tensor, h: Tensor, n: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if x.sum() > 0:
            h = -h
        return super().forward(x, h, n)


def test_a_cell_that_cannot_be_traced_is_refused_with_its_line(tmp_path: Path) -> None:
    said = r"Branches \(test_layers.py, line \d+\) cannot be exported: .*test_layers.py"
    with pytest.raises(ExportError, match=said):
        export_onnx(Recurrent(Branches, I, H), tmp_path / "own.onnx")
    assert list(tmp_path.iterdir()) == []


def test_what_computes_something_else_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "layer.onnx"
    before = export_onnx(build("elman", I, H), path).path.read_bytes()
    monkeypatch.setitem(OPERATIONS, "tanh", OPERATIONS["sigmoid"])
    with pytest.raises(ExportError, match=r"'out' is [01]\.\d+ from the model's at B = 3, T = 5"):
        export_onnx(build("elman", I, H), path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["layer.json", "layer.onnx"]


def test_what_onnxruntime_cannot_run_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(OPERATIONS, "tanh", lambda call: call.add("Bend", *call.inputs))
    with pytest.raises(ExportError, match=r"onnxruntime cannot run the export: .*Bend"):
        export_onnx(build("elman", I, H), tmp_path / "layer.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_difference_counts_shapes_types_and_what_is_not_finite() -> None:
    a = np.array([1.0, 200.0])
    assert difference(a, a) == 0
    assert difference(a + np.array([0, 2]), a) == pytest.approx(0.01)
    assert difference(np.array([0.1]), np.array([0.3])) == pytest.approx(0.2)
    assert difference(a, a[:1]) == difference(a.astype(np.float32), a) == np.inf
    assert difference(np.array([np.nan, 1]), a) == difference(a, np.array([1, np.inf])) == np.inf
    assert difference(np.array([np.nan, 1]), np.array([np.nan, 1])) == 0


def test_the_notes_say_what_goes_in_and_out(tmp_path: Path) -> None:
    exported = export_onnx(build("lstm", I, H), tmp_path / "layer.onnx", streaming=True)
    notes = json.loads(exported.notes.read_text())
    assert [port["name"] for port in notes["inputs"]] == ["x", "state_h", "state_c"]
    assert notes["inputs"][0]["axes"] == ["T", "B", I]
    assert notes["outputs"][1] == {
        "name": "new_h",
        "dtype": "float32",
        "axes": [1, "B", H],
        "about": "the state after the last step: h",
    }
    assert notes["sha256"] == hashlib.sha256(exported.path.read_bytes()).hexdigest()
    assert notes["check"]["difference"] == exported.checked.difference


def test_the_file_keeps_to_the_standard(tmp_path: Path) -> None:
    layer = build("layer_norm_lstm", I, H, num_layers=2, bidirectional=True)
    path = export_onnx(layer, tmp_path / "layer.onnx", lengths=True).path
    import_module("onnx").checker.check_model(path, full_check=True)


def test_the_layer_is_left_as_it_was(tmp_path: Path) -> None:
    layer = Recurrent("lstm", I, H, 2, dropout=0.5)
    layer.cells[0].eval()
    export_onnx(layer, tmp_path / "layer.onnx")
    assert layer.training
    assert not layer.cells[0].training


def test_bad_input_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, path = build("elman", I, H), tmp_path / "layer.onnx"
    both = build("elman", I, H, bidirectional=True)
    for error, said, model, place, options in (
        (ExportError, "a bidirectional layer needs the end", both, path, {"streaming": True}),
        (ExportError, "goes without lengths", layer, path, {"streaming": True, "lengths": True}),
        (ExportError, "in torch.bfloat16: convert it", build("elman", I, H).bfloat16(), path, {}),
        (ArgumentTypeError, "or a fitted estimator, got Linear", nn.Linear(2, 3), path, {}),
        (ArgumentError, "must end in .onnx", layer, tmp_path / "layer.json", {}),
        (ArgumentError, "there is no folder", layer, tmp_path / "none" / "layer.onnx", {}),
    ):
        with pytest.raises(error, match=said):
            export_onnx(model, place, **options)
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(ArgumentError, match="a folder where a file is to be"):
        export_onnx(layer, tmp_path / "folder.onnx")


def test_without_the_packages_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = build("elman", I, H)
    for name in ("onnxruntime", "onnx"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(
            MissingDependencyError, match=rf"{name}: pip install 'recurra\[export\]"
        ):
            export_onnx(layer, tmp_path / "layer.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_body_reads_what_is_around_it_and_constants_are_kept_once() -> None:
    graph = Graph()
    body = Graph(outer=graph)
    assert body.constant(1.0, np.float32) == graph.constant(1.0, np.float32)
    assert graph.constant(0.0, np.float32) != graph.constant(-0.0, np.float32)
