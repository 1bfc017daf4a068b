import contextlib
import hashlib
import json
import math
import os
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from invented import invented_names, small_generator

import recurra
from recurra import SequenceGenerator, cells
from recurra.errors import ArgumentError, ModelFileError
from recurra.tasks.storage import Config


@pytest.fixture
def saved(fitted: SequenceGenerator, tmp_path: Path) -> Path:
    return fitted.save(tmp_path / "model")


def edit(folder: Path, change: dict[str, Any]) -> None:
    """Change the config and its checksum: a lie, not damage."""
    file = folder / "config.json"
    record = {**json.loads(file.read_text()), **change}
    with contextlib.suppress(ValueError):
        record["sha256"] = Config.model_validate(record).checksum()
    file.write_text(json.dumps(record))


def test_a_loaded_model_is_the_saved_one(fitted: SequenceGenerator, saved: Path) -> None:
    loaded = recurra.load(saved)
    assert isinstance(loaded, SequenceGenerator)
    for name, value in fitted.network_.state_dict().items():
        assert torch.equal(value, loaded.network_.state_dict()[name])
    names, countries = invented_names(seed=4, n=5)
    assert loaded.score(names, countries) == fitted.score(names, countries)
    assert loaded.generate("A", "Vowland", 5, random_state=1) == fitted.generate(
        "A", "Vowland", 5, random_state=1
    )
    assert loaded.history_ == fitted.history_
    assert loaded.baseline_loss_ == fitted.baseline_loss_
    assert loaded.get_params() == fitted.get_params()


def test_an_open_band_survives_saving(tmp_path: Path) -> None:
    model = small_generator(epochs=1, clip=(0.0, math.inf)).fit(*invented_names(n=10))
    assert recurra.load(model.save(tmp_path / "model")).clip == (0.0, math.inf)


def test_a_loaded_model_can_be_fitted_again(saved: Path) -> None:
    loaded = SequenceGenerator.load(saved)
    assert isinstance(loaded, SequenceGenerator)
    loaded.set_params(epochs=1).fit(*invented_names(n=10))


def test_the_folder_holds_safetensors_and_json_only(saved: Path) -> None:
    assert sorted(file.name for file in saved.iterdir()) == [
        "config.json",
        "history.json",
        "model.safetensors",
    ]
    for name in ("config.json", "history.json"):
        assert isinstance(json.loads((saved / name).read_text()), dict)


def test_loading_runs_no_pickle_and_imports_nothing_by_name(saved: Path) -> None:
    events: list[str] = []
    watching = True

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event in ("pickle.find_class", "exec", "compile", "os.system"):
            events.append(event)

    recurra.load(saved)  # everything is imported by now
    sys.addaudithook(audit)
    recurra.load(saved)
    watching = False
    assert events == []


def test_saving_again_replaces_the_model_and_leaves_nothing_beside_it(
    fitted: SequenceGenerator, saved: Path
) -> None:
    other = small_generator(epochs=1, hidden_size=5).fit(*invented_names(n=10))
    (saved / "report.html").write_text("old")
    other.save(saved)
    assert recurra.load(saved).hidden_size == 5
    assert [path.name for path in saved.parent.iterdir()] == ["model"]
    assert not (saved / "report.html").exists()


def test_saving_over_what_is_no_model_is_refused(fitted: SequenceGenerator, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(ModelFileError, match="is no model; it was left as it is"):
        fitted.save(folder)
    assert (folder / "thesis.tex").read_text() == "years of work"


def test_a_save_that_fails_leaves_the_old_model_and_no_rest(
    fitted: SequenceGenerator, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (saved / "config.json").read_bytes()
    real = os.fsync
    calls = 0

    def full(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        fitted.save(saved)
    monkeypatch.undo()
    assert (saved / "config.json").read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["model"]
    recurra.load(saved)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "history.json"])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ModelFileError, match=name):
        recurra.load(saved)


def test_a_missing_folder_or_a_file_in_its_place_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="no such model folder"):
        recurra.load(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFileError, match="is a file"):
        recurra.load(tmp_path / "file")


def test_a_newer_format_is_refused_by_name(saved: Path) -> None:
    edit(saved, {"version": 99, "recurra": "7.1", "something_new": 1})
    with pytest.raises(ModelFileError, match=r"newer Recurra \(7\.1, format 99\)"):
        recurra.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"task": "Unheard"},
        {"extra": 1},
        {"parameters": {"hidden_size": 10**9}},
        {"parameters": {"hidden_size": -1}},
        {"parameters": {"num_layers": 2**40}},
        {"parameters": {"unheard": 1}},
        {"parameters": []},
        {"fitted": {}},
        {"weights_sha256": "0" * 64},
        {"history_sha256": "0" * 64},
        {"version": "1"},
    ],
)
def test_a_config_that_lies_is_refused(saved: Path, change: dict[str, Any]) -> None:
    edit(saved, change)
    with pytest.raises(ModelFileError):
        recurra.load(saved)


@pytest.mark.parametrize("change", ["shape", "dtype", "missing", "extra"])
def test_weights_that_are_not_the_network_s_are_refused_by_name(saved: Path, change: str) -> None:
    file = saved / "model.safetensors"
    tensors = safetensors.torch.load_file(file)
    match change:
        case "shape":
            tensors["bias"] = tensors["bias"][:-1].clone()
        case "dtype":
            tensors["bias"] = tensors["bias"].double()
        case "missing":
            del tensors["bias"]
        case "extra":
            tensors["bias_of_mine"] = tensors["bias"].clone()
    safetensors.torch.save_file(tensors, file)
    edit(saved, {"weights_sha256": hashlib.sha256(file.read_bytes()).hexdigest()})
    with pytest.raises(ModelFileError, match="the tensor bias"):
        recurra.load(saved)


def test_random_damage_never_loads_as_another_model(
    fitted: SequenceGenerator, saved: Path, tmp_path: Path
) -> None:
    draw = random.Random(0)
    probe = invented_names(seed=5, n=3)
    expected = fitted.score(*probe)
    refused = 0
    for _ in range(150):
        damaged = tmp_path / "damaged"
        shutil.copytree(saved, damaged)
        file = damaged / draw.choice(["config.json", "model.safetensors", "history.json"])
        content = bytearray(file.read_bytes())
        match draw.randrange(3):
            case 0:
                content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
            case 1:
                del content[draw.randrange(len(content)) :]
            case 2:
                k = draw.randrange(len(content))
                content[k:k] = draw.randbytes(draw.randint(1, 8))
        file.write_bytes(content)
        try:
            loaded = recurra.load(damaged)
        except ModelFileError:
            refused += 1
        else:  # the damage hit white space of the JSON: the model is the same
            assert file.name == "config.json"
            assert loaded.get_params() == fitted.get_params()
            assert loaded.lexicon_ == fitted.lexicon_
            assert loaded.score(*probe) == expected
        shutil.rmtree(damaged)
    assert refused > 120


def test_a_cell_of_the_user_s_own_is_saved_by_name_and_asked_for(tmp_path: Path) -> None:
    class Mine(cells.GRU):
        pass

    model = small_generator(cell=Mine, epochs=1).fit(*invented_names(n=10))
    folder = model.save(tmp_path / "mine")
    with pytest.raises(ModelFileError, match=r"'Mine'.*pass that class"):
        recurra.load(folder)
    loaded = recurra.load(folder, cell=Mine)
    assert loaded.generate("A", "Vowland", 3, random_state=0) == model.generate(
        "A", "Vowland", 3, random_state=0
    )


def test_a_parameter_that_json_cannot_hold_is_named(tmp_path: Path) -> None:
    model = small_generator(cell="elman", cell_options={"activation": torch.tanh}, epochs=1)
    model.fit(*invented_names(n=10))
    with pytest.raises(ArgumentError, match="cell_options"):
        model.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
