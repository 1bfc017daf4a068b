"""torch.compile of a cell's loop, beside ours, in a process of its own.

    python benchmarks/engine/compiled.py user 32 100 64 128 whole

"whole" compiles the loop over time, which unrolls it; "step" compiles the cell and loops over that.
A process of its own, because compiling an unrolled loop may take any time: `beside_ours` starts
one, waits as long as it is told to, and ends it with all that it has started.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import recurra
from rows import ROWS, TRAIN, Row, Shape, inputs, layer_pass, loop, native, torch_pass
from timing import QUICK, Effort, limit_threads, measure

OURS, THEIRS = "ours", "torch.compile"
REST = 60.0  # seconds for what is not compiling: to start, and to measure


def beside_ours(
    row: Row, shape: Shape, what: str, limit: float, quick: bool
) -> dict[str, Any] | str:
    """Return what the process below prints, or in words why there is nothing."""
    with tempfile.TemporaryDirectory() as cache:  # nothing compiled before is found again
        process = subprocess.Popen(
            [sys.executable, Path(__file__), row.key, *map(str, shape), what, *["quick"] * quick],
            env=os.environ | {"TORCHINDUCTOR_CACHE_DIR": cache},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            told, errors = process.communicate(timeout=limit + REST)
        except subprocess.TimeoutExpired:
            return f"did not finish in {limit:.0f} s"
        finally:
            _end(process)
    if process.returncode:
        return f"failed: {(errors.strip().splitlines() or ['no message'])[-1]}"
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found if found["first"] <= limit else f"did not finish in {limit:.0f} s"


def _end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the session it leads: its compilers too
    process.wait()


def main() -> None:
    key, *sizes, what = sys.argv[1:7]
    effort = QUICK if "quick" in sys.argv[7:] else Effort(limit=30.0)
    limit_threads()
    row = next(row for row in ROWS if row.key == key)
    shape = Shape(*map(int, sizes))
    layer = row.layer(shape)
    cell = layer.cells[0]
    assert isinstance(cell, nn.Module)
    # The module that a user has, where it is not ours: what adapts it is not to be compiled too.
    step = getattr(cell, "module", None)
    called = cell if step is None else lambda x, *state: _torch_form(step(x, state))
    run = torch.compile(loop(called)) if what == "whole" else loop(torch.compile(called))
    start = [torch.zeros(shape.B, size) for size in layer.state_sizes.values()]

    def forward(x: Tensor) -> Tensor:
        return run(x, *start)

    theirs = torch_pass(forward, list(layer.parameters()), shape, TRAIN)
    ours = layer_pass(layer, shape, TRAIN, native())
    with recurra.use_backend("eager"):
        layer(inputs(shape)[0])  # torch's own first call is nobody's fault
    began = time.perf_counter()
    theirs()
    first = time.perf_counter() - began
    for a, b in zip(ours(), theirs(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    seconds = measure({OURS: ours, THEIRS: theirs}, effort)
    print(json.dumps({"first": first, **seconds}))


def _torch_form(new: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    return new[0], new


if __name__ == "__main__":
    main()
