"""The short form of benchmarks/reliability/kills.py: a training killed at random moments."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "reliability" / "kills.py"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and fork")
def test_killed_five_times_nothing_is_lost_but_the_last_interval() -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, "5"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("trainings killed: 5 (")
    assert lines[1:3] == [
        "newest complete checkpoint not readable: 0",
        "complete checkpoints lost: 0",
    ]
    assert lines[4].endswith("other bits than the unbroken run: 0")
