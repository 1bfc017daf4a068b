"""What has to be measured in a fresh process: memory, and the first call.

    python benchmarks/engine/probe.py training ours 32 100 64 128

Prints one JSON object. `fresh` starts such a process and returns it.
"""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

import recurra
from rows import ROWS, TRAIN, Shape, inputs, layer_pass, native
from timing import limit_threads

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def fresh(what: str, who: str, shape: Shape, limit: float = 600.0) -> dict[str, float] | str:
    """Return what a process of its own finds, or in words why there is nothing."""
    command = [sys.executable, Path(__file__), what, who, *map(str, shape)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return f"did not finish in {limit:.0f} s"
    if done.returncode:
        return f"failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


class Peak:
    """The memory above what was there before, in MB.

    The kernel's high-water mark, set back where Linux allows it; else `ru_maxrss`, whose mark may
    have been set before and hide what comes.
    """

    def __init__(self) -> None:
        try:
            RESET.write_text("5")
            self.exact = True
        except OSError:
            self.exact = False
        self.before = self._mark()

    def above(self) -> float:
        return (self._mark() - self.before) / 1e6

    def _mark(self) -> float:
        if self.exact:
            (line,) = (x for x in STATUS.read_text().splitlines() if x.startswith("VmHWM"))
            return float(line.split()[1]) * 1024
        unit = 1 if sys.platform == "darwin" else 1024
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def build(who: str, shape: Shape) -> nn.Module:
    """Return torch.nn.LSTM ("torch"), recurra.LSTM ("ours"), or the row of that key."""
    if who == "torch":
        return nn.LSTM(shape.I, shape.H)
    key = "lstm" if who == "ours" else who
    return next(row for row in ROWS if row.key == key).layer(shape)


def warm(layer: nn.Module, shape: Shape, backend: str | None) -> None:
    """Load everything that a pass needs, with two rows of two steps."""
    layer_pass(layer, shape._replace(B=min(2, shape.B), T=2), TRAIN, backend)()


def training(who: str, shape: Shape) -> dict[str, float]:
    """Measure a training step's peak memory: forward and backward, the gradients kept."""
    layer, backend = build(who, shape), None if who == "torch" else native()
    warm(layer, shape, backend)
    step = layer_pass(layer, shape, TRAIN, backend)
    peak = Peak()
    kept = step()
    assert kept
    return {"MB": peak.above()}


def long(who: str, shape: Shape) -> dict[str, float]:
    """Train over a very long sequence with `checkpoint=`: the peak memory, x not counted."""
    layer = recurra.Recurrent("lstm", shape.I, shape.H, checkpoint=True)
    warm(layer, shape, native())
    step = layer_pass(layer, shape, TRAIN, native())
    peak, began = Peak(), time.perf_counter()
    step()
    return {"MB": peak.above(), "s": time.perf_counter() - began}


def inference(who: str, shape: Shape) -> dict[str, float]:
    """Run over a very long sequence: the peak memory, x not counted, and input and output."""
    layer, backend = build(who, shape), None if who == "torch" else native()
    x, _ = inputs(shape._replace(T=2))
    context = recurra.use_backend(backend) if backend else recurra.use_backend("auto")
    with torch.inference_mode(), context:
        layer(x)
        x = torch.zeros(shape.T, shape.B, shape.I)
        peak, began = Peak(), time.perf_counter()
        out = layer(x)[0]
        took = time.perf_counter() - began
    return {"MB": peak.above(), "s": took, "in and out": (x.nbytes + out.nbytes) / 1e6}


def first(who: str, shape: Shape) -> dict[str, float]:
    """Time a layer's first pass, from the trace on, and a later one."""
    warm(nn.LSTM(shape.I, shape.H), shape, None)  # torch's own first call is not ours
    with recurra.use_backend("eager"):
        layer = build(who, shape)
    step = layer_pass(layer, shape, TRAIN, None if who == "torch" else native())
    times = []
    for _ in range(6):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return {"first ms": 1e3 * times[0], "later ms": 1e3 * min(times[1:])}


def main() -> None:
    os.environ.pop("PYTHONMALLOC", None)
    limit_threads()
    what, who, *sizes = sys.argv[1:]
    functions: dict[str, Any] = {f.__name__: f for f in (training, long, inference, first)}
    print(json.dumps(functions[what](who, Shape(*map(int, sizes)))))


if __name__ == "__main__":
    main()
