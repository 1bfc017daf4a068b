"""The short form of benchmarks/reliability/mutations.py: damaged and forged models."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "reliability" / "mutations.py"
GOOD = {
    "damaged: refused",
    "damaged: loaded, the same answers",  # the card was hit, or nothing changed
    "forged: refused",
    "forged: loaded, the same answers",
    "forged: loaded, other answers of the same form",
    "forged: loaded, refuses the question",
}


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limit on memory")
def test_two_thousand_damaged_and_forged_models_are_refused_or_harmless() -> None:
    done = subprocess.run(
        [sys.executable, PROGRAM, "2000"], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, last = done.stdout.splitlines()
    assert last == "not as it must be: 0"
    counts = dict(line.rsplit(": ", 1) for line in lines if line.startswith(("damaged", "forged")))
    numbers = {came: int(count.replace(",", "")) for came, count in counts.items()}
    assert numbers.keys() <= GOOD
    assert sum(numbers.values()) == 2000
    assert numbers["damaged: refused"] > 1000
    assert numbers["forged: refused"] > 200
