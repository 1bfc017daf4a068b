"""Parameters, histories and networks: from an estimator to a file and back."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forged import forge, forge_file
from invented import invented_names, small_generator
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

import recurra
from recurra import cells
from recurra.errors import ArgumentError, ModelFileError
from recurra.tasks.saving.restoring import at_most_parameters


def forge_parameter(folder: Path, name: str, value: Any) -> None:
    parameters = json.loads((folder / "config.json").read_bytes())["parameters"]
    forge(folder, {"parameters": {**parameters, name: value}})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", 10**9),
        ("hidden_size", -1),
        ("hidden_size", 10**30),
        ("hidden_size", "24"),
        ("hidden_size", 24.0),
        ("hidden_size", True),
        ("num_layers", 2**40),
        ("num_layers", 10**6),
        ("bidirectional", 0),
        ("bidirectional", True),
        ("cell", "os.system"),
        ("cell", ["lstm"]),
        ("cell_options", {"unheard": 1}),
        ("clip", [1.0, 0.0]),
        ("clip", [0.0, float("nan")]),
        ("clip", [0.0, 1.0, 2.0]),
        ("learning_rate", float("nan")),
        ("unheard", 1),
        ("device", "cuda"),
        ("__class__", "x"),
    ],
)
def test_a_parameter_that_lies_is_refused_in_no_time(saved: Path, name: str, value: Any) -> None:
    forge_parameter(saved, name, value)
    with pytest.raises(ModelFileError):
        recurra.load(saved)


def test_parameters_of_other_types_are_refused_by_name(saved: Path) -> None:
    forge_parameter(saved, "hidden_size", "24")
    with pytest.raises(ModelFileError, match="the parameter hidden_size: Input should be a valid"):
        recurra.load(saved)


def test_what_works_as_a_parameter_can_be_saved_and_comes_back(tmp_path: Path) -> None:
    given = {"epochs": np.int64(1), "dropout": None, "clip": [0, 1], "patience": None}
    model = small_generator(**given)
    model.fit(*invented_names(n=10))
    loaded = recurra.load(model.save(tmp_path / "model"))
    assert (loaded.epochs, loaded.dropout, loaded.clip) == (1, None, (0.0, 1.0))


def test_a_cell_of_the_user_s_own_is_saved_by_name_and_asked_for(tmp_path: Path) -> None:
    class Mine(cells.GRU):
        pass

    class Another(cells.GRU):
        pass

    model = small_generator(cell=Mine, epochs=1).fit(*invented_names(n=10))
    folder = model.save(tmp_path / "mine")
    assert json.loads((folder / "config.json").read_text())["parameters"]["cell"] == {
        "class": "Mine"
    }
    for wrong in (None, Another):
        with pytest.raises(ModelFileError, match=r"'Mine'.*pass that class"):
            recurra.load(folder, cell=wrong)
    loaded = recurra.load(folder, cell=Mine)
    assert loaded.generate("A", "Vowland", 3, random_state=0) == model.generate(
        "A", "Vowland", 3, random_state=0
    )


def test_weights_that_two_parts_share_are_saved_for_both(tmp_path: Path) -> None:
    class Tied(nn.Module):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__()
            self.state_sizes = {"h": hidden_size}
            self.read = nn.Linear(input_size, hidden_size)
            self.a, self.b = (nn.Linear(hidden_size, hidden_size) for _ in range(2))
            self.b.weight = self.a.weight

        def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
            h = (self.read(x) + self.a(h) * self.b(h)).tanh()
            return h, (h,)

    model = small_generator(cell=Tied, epochs=1).fit(*invented_names(n=10))
    loaded = recurra.load(model.save(tmp_path / "tied"), cell=Tied)
    wanted = model.score(*invented_names(n=5))
    assert loaded.score(*invented_names(n=5)) == pytest.approx(wanted, rel=1e-6)


def test_a_parameter_that_json_cannot_hold_is_named(tmp_path: Path) -> None:
    model = small_generator(cell="elman", cell_options={"activation": torch.tanh}, epochs=1)
    model.fit(*invented_names(n=10))
    with pytest.raises(ArgumentError, match="cell_options"):
        model.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": [{"number": 1}]}, "epochs.0.train_loss: "),
        ({"epochs": "x"}, "epochs: "),
        ({"band": [0, 1, 2]}, "band"),
        ({"gradient_norms": ["1"]}, "gradient_norms.0: "),
        ({"unheard": 1}, "there is no unheard"),
    ],
)
def test_a_record_of_training_of_another_form_is_refused(
    saved: Path, change: dict[str, Any], message: str
) -> None:
    record = {**json.loads((saved / "history.json").read_bytes()), **change}
    forge_file(saved, "history.json", json.dumps(record).encode())
    with pytest.raises(ModelFileError, match=f"history.json: damaged, .*{message}"):
        recurra.load(saved)


def test_a_network_is_built_no_further_than_there_are_weights() -> None:
    built = []

    def build() -> None:
        with at_most_parameters(10):
            while len(built) < 100:
                built.append(nn.Linear(1, 1))

    with pytest.raises(ValueError, match="more tensors than are saved"):
        build()
    assert len(built) == 5
    nn.ModuleList(nn.Linear(1, 1) for _ in range(100))  # the limit is gone


def test_what_another_thread_builds_meanwhile_is_not_counted() -> None:
    built: list[nn.Module] = []
    thread = threading.Thread(target=lambda: built.append(nn.Linear(1, 1)))
    with at_most_parameters(0):
        thread.start()
        thread.join()
    assert len(built) == 1


def test_the_network_described_takes_no_memory_until_it_fits(saved: Path) -> None:
    devices = set()
    hook = register_module_parameter_registration_hook(
        lambda module, name, parameter: devices.add(parameter.device.type)
    )
    try:
        forge_parameter(saved, "hidden_size", 1000)
        with pytest.raises(ModelFileError, match=r"is torch.float32 of .*, not torch.float32 of"):
            recurra.load(saved)
    finally:
        hook.remove()
    assert devices == {"meta"}


def test_a_fault_in_what_was_fitted_is_said_where_it_is(saved: Path) -> None:
    fitted = json.loads((saved / "config.json").read_bytes())["fitted"]
    forge(saved, {"fitted": {**fitted, "lexicon": {**fitted["lexicon"], "symbols": ["a", 2]}}})
    with pytest.raises(ModelFileError, match=r"damaged, symbols.1: Input should be a valid str"):
        recurra.load(saved)


def test_fitted_parts_that_are_missing_or_of_other_types_are_refused(saved: Path) -> None:
    fitted = json.loads((saved / "config.json").read_bytes())["fitted"]
    lexicon = fitted["lexicon"]
    for change in (
        {},
        {**fitted, "lexicon": {**lexicon, "symbols": lexicon["symbols"] * 2}},
        {**fitted, "lexicon": {**lexicon, "symbols": [1, 2]}},
        {**fitted, "lexicon": {**lexicon, "text": "yes"}},
        {**fitted, "lexicon": {**lexicon, "starts": []}},
        {**fitted, "lexicon": [1]},
        {**fitted, "baseline_loss": {}},
    ):
        forge(saved, {"fitted": change})
        with pytest.raises(ModelFileError, match="damaged"):
            recurra.load(saved)
