"""torchrun: processes that are started again find one another, and go on where they were."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from recurra.data.sources.conversations import make_conversations

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2")
SCRIPT = """
import os, time
from pathlib import Path
from recurra.training.processes import join

again, rank = os.environ["TORCHELASTIC_RESTART_COUNT"], os.environ["RANK"]
if (again, rank) == ("1", "1"):
    time.sleep(2)  # where the other one would find the address of the process before this one
sums = join().sums(1.0, 2.0)
Path(__file__).with_name(f"{again}-{rank}").write_text(str(sums))
if again == "0":
    os._exit(3)
"""


@contextmanager
def running(*command: str) -> Iterator["subprocess.Popen[str]"]:
    """Run torchrun; it ends with the block, and its processes with it."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.terminate()  # which it tells those it started
        process.communicate()


def test_processes_that_are_started_again_find_one_another(tmp_path: Path) -> None:
    script = tmp_path / "joins.py"
    script.write_text(SCRIPT)
    with running(*TORCHRUN, "--max-restarts=1", str(script)) as torchrun:
        said, _ = torchrun.communicate(timeout=120)
    for name in ("0-0", "0-1", "1-0", "1-1"):
        assert (tmp_path / name).exists(), said
        assert (tmp_path / name).read_text() == "[2.0, 4.0]"


def training(table: Path, name: str) -> AbstractContextManager["subprocess.Popen[str]"]:
    """Run a training of some seconds that saves itself every two steps."""
    folder = table.with_name(name)
    options = ("--model", str(folder), "--checkpoint", f"{folder}-run", "--resume")
    sizes = ("--checkpoint-steps", "2", "--hidden-size", "8", "--epochs", "8", "--patience", "9")
    command = ("-m", "recurra", "train", "classify", str(table), *options, *sizes)
    return running(*TORCHRUN, "--max-restarts=1", *command)


def worker(torchrun: int, rank: int) -> int:
    """Return the process that torchrun started as number `rank`."""
    for child in Path(f"/proc/{torchrun}/task/{torchrun}/children").read_text().split():
        if f"\0RANK={rank}\0" in "\0" + Path(f"/proc/{child}/environ").read_text():
            return int(child)
    raise AssertionError("it has no such process")


def test_a_worker_that_was_killed_is_started_again_and_the_command_ends_as_if_unbroken(
    tmp_path: Path,
) -> None:
    made = make_conversations(120)
    table = tmp_path / "talks.csv"
    rows = (f'"{text}",{label}' for text, label in zip(made.texts, made.labels, strict=True))
    table.write_text("\n".join(["text,label", *rows]))
    with training(table, "unbroken") as unbroken:
        said, _ = unbroken.communicate(timeout=180)
        assert "accuracy" in said, said
    with training(table, "broken") as broken:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("broken-run/step-*"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(worker(broken.pid, 1), signal.SIGKILL)
        said, _ = broken.communicate(timeout=180)
    assert said.count("another process of this training was lost") == 1, said
    assert said.count("accuracy") == 1, said
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("unbroken", "broken")]
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name
