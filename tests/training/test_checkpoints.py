"""The folder of checkpoints: what is kept, what is refused, what happens when something fails."""

import errno
import json
import os
import pathlib
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from runs import Run, same
from torch import nn

from recurra.errors import ArgumentError, ModelFileError, RecurraWarning
from recurra.training import Checkpoints, checkpoints
from recurra.training.checkpoint import pack, unpack


def state(step: int) -> dict[str, Any]:
    draw = torch.Generator().manual_seed(step)
    return {"step": step, "w": torch.randn(5, generator=draw), "losses": (0.1, float("inf"))}


def written(folder: Path, steps: int, **options: Any) -> Checkpoints:
    made = Checkpoints(folder, **options)
    for step in range(1, steps + 1):
        made.write(state(step), step)
    return made


def test_what_is_written_is_read() -> None:
    shared = torch.randn(3, 4)
    given = {
        "tied": {"a": shared, "b": shared, "part": shared[1], "turned": shared.t()},
        "types": [torch.tensor([k]).to(t) for k, t in enumerate((torch.bool, torch.bfloat16))],
        "numbers": {3: 1, "x": 0.1, "n": float("nan"), "big": 2**70, "no": None, "yes": True},
        "nested": ([], (), {}, [(1, "ö"), [None]]),
        "none": torch.empty(0, 3),
        "zeros": "0" * 64,
    }
    same(unpack(pack(given), Path("a")), given)


def test_what_is_code_is_refused() -> None:
    with pytest.raises(
        ArgumentError, match=r"model\.head holds a Linear, which a checkpoint cannot"
    ):
        pack({"model": {"head": nn.Linear(1, 1)}})
    with pytest.raises(ArgumentError, match=r"model has the key \(1, 2\)"):
        pack({"model": {(1, 2): 0}})


def test_a_checkpoint_is_safetensors_and_json_and_opens_elsewhere(tmp_path: Path) -> None:
    Run(tmp_path).go()
    file = Checkpoints(tmp_path).files()[-1]
    names = safetensors.torch.load_file(file)
    assert ".trainer.model.head.weight" in names
    with safetensors.safe_open(file, "pt") as opened:
        assert isinstance(json.loads(opened.metadata()["record"]), dict)


def test_no_byte_can_be_changed_unseen() -> None:
    content = pack(state(1))
    draw = random.Random(0)
    places = range(len(content)) if len(content) < 2000 else draw.sample(range(len(content)), 2000)
    for place in places:
        bad = bytearray(content)
        bad[place] ^= 1 << draw.randrange(8)
        with pytest.raises(ModelFileError, match="a: "):
            unpack(bytes(bad), Path("a"))
    for end in draw.sample(range(len(content)), 200):
        with pytest.raises(ModelFileError, match="a: damaged"):
            unpack(content[:end], Path("a"))


def test_the_newest_are_kept(tmp_path: Path) -> None:
    made = written(tmp_path, 7, keep=3)
    assert [file.name[-14:-12] for file in made.files()] == ["05", "06", "07"]
    newest = made.newest()
    assert newest is not None
    same(newest, state(7))
    assert Checkpoints(tmp_path / "none").newest() is None


def test_a_damaged_one_is_passed_over_with_a_warning(tmp_path: Path) -> None:
    made = written(tmp_path, 3)
    *_, before, newest = made.files()
    newest.write_bytes(newest.read_bytes()[:-1])
    with pytest.warns(RecurraWarning, match=rf"{newest.name}: damaged.*The one before is used"):
        same(made.newest(), state(2))
    before.write_bytes(b"")
    with pytest.warns(RecurraWarning, match="damaged") as told:
        same(made.newest(), state(1))
    assert len(told) == 2
    made.files()[0].write_bytes(b"\0" * 100)
    with (
        pytest.warns(RecurraWarning),
        pytest.raises(ModelFileError, match="There is no older checkpoint that is whole"),
    ):
        made.newest()


def test_what_was_passed_over_is_removed_when_the_next_is_written(tmp_path: Path) -> None:
    made = written(tmp_path, 3)
    made.files()[-1].write_bytes(b"")
    made.write(state(2), 2)
    assert [file.name[-13:-12] for file in made.files()] == ["1", "2"]


def test_a_run_goes_on_from_the_one_before_a_damaged_one(tmp_path: Path) -> None:
    wanted = Run(tmp_path, every_steps=2).go().state
    newest = Checkpoints(tmp_path).files()[-1]
    content = bytearray(newest.read_bytes())
    content[-9] ^= 4
    newest.write_bytes(content)
    with pytest.warns(RecurraWarning, match="its checksum does not fit"):
        same(Run(tmp_path, every_steps=2).go(resume=True).state, wanted)


def test_one_of_a_newer_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = written(tmp_path, 1)
    monkeypatch.setattr("recurra.training.checkpoint.FORMAT_VERSION", 9)
    made.write(state(2), 2)
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match="written by a newer Recurra"):
        made.newest()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("what", ["fsync", "rename"])
def test_a_run_that_cannot_save_ends_and_its_checkpoints_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, code: int
) -> None:
    place, name = {"fsync": (os, "fsync"), "rename": (pathlib.Path, "replace")}[what]
    real, calls = getattr(place, name), 0

    def failing(*given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == {"fsync": 7, "rename": 4}[what]:  # the fourth save
            raise OSError(code, os.strerror(code))
        return real(*given)

    wanted = Run().go().state
    monkeypatch.setattr(place, name, failing)
    with pytest.raises(OSError, match=os.strerror(code)):
        Run(tmp_path, every_steps=1).go()
    monkeypatch.undo()
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["lock", *(f"step-{k:012}.safetensors" for k in (1, 2, 3))]
    same(Run(tmp_path).go(resume=True).state, wanted)


def test_time_alone_can_be_what_a_run_is_saved_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 20.0  # seconds a step
        return now

    monkeypatch.setattr(checkpoints.time, "monotonic", clock)
    kept = Checkpoints.write
    steps: list[int] = []

    def noting(self: Checkpoints, given: Any, step: int) -> Path:
        steps.append(step)
        return kept(self, given, step)

    monkeypatch.setattr(Checkpoints, "write", noting)
    Run(tmp_path, every_epochs=None, every_minutes=1.5).go()
    assert steps == [5, 10, 12]  # 90 seconds are over at the fifth step after a save


TRAIN = """
import sys, time, pathlib
sys.path.insert(0, {tests!r})
from runs import Run
from recurra.training import Callback
class Wait(Callback):
    def on_epoch_begin(self, trainer, number):
        if number == 2:
            print("training", flush=True)
            time.sleep(60)
Run(pathlib.Path({folder!r}), callbacks=[Wait()]).go()
"""


def test_a_second_run_in_a_folder_is_refused_and_a_dead_ones_lock_is_not(tmp_path: Path) -> None:
    code = TRAIN.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"training\n"
        with pytest.raises(ArgumentError, match=rf"process {first.pid} is training there"):
            Run(tmp_path).go(resume=True)
        first.kill()
    same(Run(tmp_path).go(resume=True).state, Run().go().state)


def test_two_trainers_of_one_process_are_kept_apart_too(tmp_path: Path) -> None:
    with (
        checkpoints.Keeper(Checkpoints(tmp_path), Run().trainer),
        pytest.raises(ArgumentError, match=rf"process {os.getpid()} is training there"),
    ):
        Run(tmp_path).go()
    Run(tmp_path).go()


def test_a_lock_that_names_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("999999\n")
    Run(tmp_path).go()
    assert (tmp_path / "lock").read_text() == ""


def test_what_a_killed_run_had_not_finished_writing_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".step-000000000003.safetensors.new").write_bytes(b"half")
    Run(tmp_path).go()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"every_steps": 0}, "every_steps must be a whole number of at least 1, or None, got 0"),
        ({"every_epochs": 1.5}, "every_epochs must be a whole number of at least 1, or None"),
        ({"keep": None}, "keep must be a whole number of at least 1, got None"),
        ({"every_minutes": 0}, "every_minutes must be above 0, or None, got 0"),
        ({"every_minutes": "5"}, "every_minutes must be above 0, or None, got '5'"),
    ],
)
def test_numbers_that_cannot_be_used_are_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        Checkpoints("folder", **given)
