"""The tests for a GPU, run where there is none: on a device that refuses what a GPU refuses."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_what_runs_on_a_gpu_runs_on_the_second_device() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(HERE / "test_cuda.py")],
        env={**os.environ, "RECURRA_TEST_DEVICE": "second"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]
    assert " passed" in done.stdout
