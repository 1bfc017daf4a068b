"""The short form of benchmarks/reliability/model_kills.py."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "reliability" / "model_kills.py"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and fork")
@pytest.mark.parametrize("how", [[], ["--two-renames"]])
def test_killed_twenty_times_there_is_a_model(how: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, "20", *how], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("programs killed: 20 (")
    assert lines[3] == "neither the old model nor the new one: 0"
    assert lines[4] == "left beside after the next save: 0"
