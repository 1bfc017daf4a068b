"""A model as a folder: what is written, that it comes back, and what a save may never lose."""

import json
import math
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from invented import invented_names, small_generator

import recurra
from recurra import SequenceGenerator
from recurra.errors import ArgumentError, ModelFileError
from recurra.tasks.saving import config as config_of_models
from recurra.tasks.saving import folder as folder_of_models

FILES = ["README.md", "config.json", "history.json", "model.safetensors"]
PROBE = invented_names(seed=5, n=3)


def test_a_loaded_model_is_the_saved_one(fitted: SequenceGenerator, saved: Path) -> None:
    loaded = recurra.load(saved)
    assert isinstance(loaded, SequenceGenerator)
    for name, value in fitted.network_.state_dict().items():
        assert torch.equal(value, loaded.network_.state_dict()[name])
    assert loaded.score(*PROBE) == fitted.score(*PROBE)
    assert loaded.generate("A", "Vowland", 5, random_state=1) == fitted.generate(
        "A", "Vowland", 5, random_state=1
    )
    assert loaded.history_ == fitted.history_
    assert loaded.baseline_loss_ == fitted.baseline_loss_
    assert loaded.about_ == fitted.about_
    assert loaded.get_params() == fitted.get_params()


def test_an_open_band_survives_saving(tmp_path: Path) -> None:
    model = small_generator(epochs=1, clip=(0.0, math.inf)).fit(*invented_names(n=10))
    assert recurra.load(model.save(tmp_path / "model")).clip == (0.0, math.inf)


def test_a_loaded_model_can_be_fitted_again(saved: Path) -> None:
    loaded = SequenceGenerator.load(saved)
    assert isinstance(loaded, SequenceGenerator)
    loaded.set_params(epochs=1).fit(*invented_names(n=10))


def test_the_folder_holds_safetensors_json_and_the_card_only(saved: Path) -> None:
    assert sorted(file.name for file in saved.iterdir()) == FILES
    for name in ("config.json", "history.json"):
        assert isinstance(json.loads((saved / name).read_text()), dict)


def test_what_is_told_of_a_model_stays_with_it_until_it_is_fitted_anew(tmp_path: Path) -> None:
    model = small_generator(epochs=1).fit(*invented_names(n=10))
    names, _ = invented_names(n=10)
    assert model.about_.examples is not None
    assert model.about_.validation is not None
    assert 1 <= model.about_.validation < model.about_.examples
    assert model.about_.examples + model.about_.validation == len(set(names))
    model.save(tmp_path / "a", about={"data": "names of 2026"})
    again = recurra.load(recurra.load(tmp_path / "a").save(tmp_path / "b"))
    assert again.about_ == model.about_
    assert again.about_.data == "names of 2026"
    again.fit(*invented_names(n=10))
    assert again.about_.data == ""


def test_what_is_told_of_a_model_must_be_what_it_can_hold(
    fitted: SequenceGenerator, tmp_path: Path
) -> None:
    for about in ({"date": "today"}, {"examples": "many"}, {"digest": "x"}):
        with pytest.raises(ArgumentError, match=f"about: {next(iter(about))}"):
            fitted.save(tmp_path / "model", about=about)
    assert list(tmp_path.iterdir()) == []


def test_saving_again_replaces_the_model_and_leaves_nothing_beside_it(saved: Path) -> None:
    other = small_generator(epochs=1, hidden_size=5).fit(*invented_names(n=10))
    (saved / "report.html").write_text("old")
    other.save(saved)
    assert recurra.load(saved).hidden_size == 5
    assert [path.name for path in saved.parent.iterdir()] == ["model"]
    assert not (saved / "report.html").exists()


def test_saving_over_where_a_model_came_from_leaves_it_as_it_was(saved: Path) -> None:
    loaded, bystander = recurra.load(saved), recurra.load(saved)
    assert isinstance(loaded, SequenceGenerator)
    assert isinstance(bystander, SequenceGenerator)
    expected = loaded.score(*PROBE)
    loaded.save(saved)
    assert bystander.score(*PROBE) == loaded.score(*PROBE) == expected
    assert SequenceGenerator.load(saved).score(*PROBE) == expected


@pytest.mark.parametrize("times", [1, 100])
def test_a_model_that_is_replaced_while_it_is_read_is_read_anew(
    saved: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    others = [small_generator(epochs=1, hidden_size=H).fit(*invented_names(n=10)) for H in (5, 6)]
    real, saves = folder_of_models.read_weights, 0

    def replaced_first(*given: Any) -> Any:
        nonlocal saves
        if saves < times:
            others[saves % 2].save(saved)
            saves += 1
        return real(*given)

    monkeypatch.setattr(folder_of_models, "read_weights", replaced_first)
    if times == 1:
        assert recurra.load(saved).hidden_size == 5
    else:
        with pytest.raises(ModelFileError, match="faster than one can be read"):
            recurra.load(saved)


def test_saving_to_a_link_saves_where_it_points(fitted: SequenceGenerator, saved: Path) -> None:
    link = saved.parent / "newest"
    link.symlink_to(saved)
    (saved / "model.safetensors").write_bytes(b"damaged")
    assert fitted.save(link) == link
    assert link.is_symlink()
    recurra.load(saved)
    recurra.load(link)


@pytest.mark.parametrize("name", ["thesis.tex", "config.json"])
def test_saving_over_what_is_no_model_is_refused(
    fitted: SequenceGenerator, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / name).write_text('{"format": "years of work"}')
    with pytest.raises(ModelFileError, match="is no model; it was left as it is"):
        fitted.save(folder)
    assert (folder / name).read_text() == '{"format": "years of work"}'


def test_a_damaged_model_can_be_replaced(fitted: SequenceGenerator, saved: Path) -> None:
    with (saved / "config.json").open("ab") as file:
        file.write(b"x")
    fitted.save(saved)
    recurra.load(saved)


def test_what_would_be_too_large_to_read_is_not_written(
    fitted: SequenceGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(config_of_models.MOST, "history.json", 100)
    with pytest.raises(ModelFileError, match=r"history.json: [\d,]+ bytes, and at most 100"):
        fitted.save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_model_with_a_number_that_is_none_is_not_saved(saved: Path, tmp_path: Path) -> None:
    model = recurra.SequenceRegressor(hidden_size=4, epochs=1, random_state=0)
    model.fit([[k, 1] for k in range(12)], list(range(12)))
    model.target_mean_[0] = math.nan
    with pytest.raises(ModelFileError, match=r"cannot be saved, .*target_mean is nan"):
        model.save(tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_place_with_a_pipe_in_it_is_no_model_and_not_waited_for(
    fitted: SequenceGenerator, tmp_path: Path
) -> None:
    (tmp_path / "m").mkdir()
    os.mkfifo(tmp_path / "m" / "config.json")
    with pytest.raises(ModelFileError, match="is no model; it was left as it is"):
        fitted.save(tmp_path / "m")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "history.json"])
def test_a_missing_file_is_named(saved: Path, name: str) -> None:
    (saved / name).unlink()
    with pytest.raises(ModelFileError, match=f"{name}: cannot be read, No such file"):
        recurra.load(saved)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "history.json"])
def test_a_file_of_another_model_is_refused(saved: Path, name: str, tmp_path: Path) -> None:
    other = small_generator(epochs=1).fit(*invented_names(seed=1, n=10)).save(tmp_path / "other")
    shutil.copy(other / name, saved / name)
    with pytest.raises(ModelFileError, match="damaged"):
        recurra.load(saved)


def test_a_card_that_was_edited_or_thrown_away_does_no_harm(saved: Path) -> None:
    (saved / "README.md").write_text("Ask Anna before you use this.")
    recurra.load(saved)
    (saved / "README.md").unlink()
    recurra.load(saved)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nothing", "no such model folder"),
        ("file", "is a file"),
        ("x" * 300, "File name too long"),
    ],
)
def test_where_there_is_no_folder_it_is_said(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFileError, match=message):
        recurra.load(tmp_path / path)


def test_random_damage_is_refused_wherever_it_hits(saved: Path) -> None:
    draw = random.Random(0)
    for _ in range(300):
        file = saved / draw.choice(["config.json", "model.safetensors", "history.json"])
        whole = file.read_bytes()
        k = draw.randrange(len(whole))
        changed = bytearray(whole)
        changed[k : k + 1] = draw.choice((b"", b" " + whole[k : k + 1], bytes([whole[k] ^ 1])))
        file.write_bytes(changed)
        with pytest.raises(ModelFileError):
            recurra.load(saved)
        file.write_bytes(whole)
    recurra.load(saved)


_WATCHED = """
import os, sys
import recurra
recurra.load(sys.argv[1])  # everything is imported by now
watching, seen = True, []
def audit(event, given):
    if not watching:
        return
    if event.startswith(("exec", "compile", "import", "pickle", "marshal", "os.", "subprocess",
                         "socket", "ctypes", "code", "shutil")) and event != "os.listdir":
        seen.append((event, given))
    if event == "open" and (given[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
        seen.append((event, given))
sys.addaudithook(audit)
model = recurra.load(sys.argv[1])
# HERE
watching = False
print(type(model).__name__, seen)
"""


def watched(saved: Path, code: str = "") -> str:
    """Return what a fresh program prints of what happens while it loads a model."""
    program = _WATCHED.replace("# HERE", code)
    done = subprocess.run(
        [sys.executable, "-c", program, saved], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_loading_runs_no_code_and_writes_nothing(saved: Path) -> None:
    assert watched(saved) == "SequenceGenerator []\n"


def test_the_watch_of_loading_sees_code_and_writing(saved: Path) -> None:
    seen = watched(
        saved, "import wave; eval('1'); open(os.devnull, 'w').close(); os.system('true')"
    )
    for event in ("import", "compile", "exec", "open", "os.system"):
        assert f"('{event}', " in seen


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_others_may_read_a_model_as_far_as_the_user_s_mask_says(
    fitted: SequenceGenerator, tmp_path: Path
) -> None:
    for mask, wanted in ((0o022, 0o755), (0o077, 0o700)):
        before = os.umask(mask)
        try:
            folder = fitted.save(tmp_path / f"{mask:o}")
        finally:
            os.umask(before)
        assert folder.stat().st_mode & 0o777 == wanted
