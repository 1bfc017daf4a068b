"""Thousands of calls that do not fit, in processes of their own: no crash, nothing accepted."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("recurra._core")

HERE = Path(__file__).parent


def run_script(name: str, seed: int, count: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HERE / name), str(seed), str(count)],
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.parametrize(
    ("name", "total", "least"),
    [("malformed_calls.py", 2000, (700, 700)), ("malformed_plans.py", 2000, (600, 300))],
    ids=["layers", "plans"],
)
def test_what_does_not_fit_is_refused_or_right(
    name: str, total: int, least: tuple[int, int]
) -> None:
    batches = 4
    each = total // batches
    with ThreadPoolExecutor(2) as two:
        runs = list(two.map(lambda i: run_script(name, i * each, each), range(batches)))
    refused = right = 0
    for done in runs:
        last = done.stdout.splitlines()[-1:]
        assert done.returncode == 0, f"code {done.returncode} at {last}: {done.stderr[-2000:]}"
        found = re.fullmatch(r"refused (\d+) right (\d+) wrong 0", last[0])
        assert found, "\n".join(
            line for line in done.stdout.splitlines() if line.startswith("WRONG")
        )
        refused, right = refused + int(found[1]), right + int(found[2])
    assert refused + right == total
    assert refused >= least[0]
    assert right >= least[1]
