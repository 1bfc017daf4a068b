"""The figures beside the table: one step, ragged batches, memory, a busy neighbour."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from probe import fresh
from rows import LOOP, ONNX, ROWS, TRAIN, Shape, inputs, layer_pass, native, torch_pass
from timing import Effort, measure, medians, say

LSTM = ROWS[0]


@dataclass(frozen=True)
class Figure:
    """One line: what, ours, the others, what was wanted, and whether it is so (None: no target)."""

    what: str
    ours: str
    others: str = ""
    wanted: str = ""
    reached: bool | None = None


def first_call(keys: list[str], quick: bool) -> Iterator[Figure]:
    shape = Shape(2, 5, 4, 8) if quick else Shape(32, 100, 64, 128)
    for row in (row for row in ROWS if row.key in keys):
        found = [fresh("first", row.key, shape) for _ in range(1 if quick else 3)]
        texts = [each for each in found if isinstance(each, str)]
        what = f"{row.title}: first call, above a later one ({shape})"
        if texts:
            yield Figure(what, texts[0])
            continue
        each = [f["first ms"] - f["later ms"] for f in found if not isinstance(f, str)]
        middle = statistics.median(each)
        yield Figure(what, f"{middle:.1f} ms", "", "≤ 50 ms", middle <= 50)


def stream(effort: Effort, peers: bool) -> Iterator[Figure]:
    """One step at B = 1, the state carried from one to the next."""
    shape = Shape(1, 1, 64, 128)
    layer = LSTM.layer(shape)
    streamed = layer if hasattr(layer, "stream") else recurra.Recurrent("lstm", 64, 128)
    x = inputs(shape)[0]
    contestants: dict[str, Callable[[], object]] = {}
    with torch.inference_mode(), recurra.use_backend(native()):
        if hasattr(streamed, "stream"):
            stepper = streamed.stream()
            contestants["ours"] = lambda: stepper.push(x[0])
        twin = LSTM.twin(layer, shape)
        contestants["torch.nn.LSTM"] = _carried(twin, x)
        if peers:
            from onnx_peer import onnx_step

            contestants[ONNX] = onnx_step(LSTM, layer, shape)
        found = medians(measure(contestants, effort))
    ours = found.pop("ours", None)
    what = "one step, B = 1, I = 64, H = 128"
    if ours is None:
        yield Figure(what, "no stream() yet", _microseconds(found))
        return
    reached = 8 * ours <= found["torch.nn.LSTM"] and 2 * ours <= found.get(ONNX, 2 * ours)
    wanted = "≤ 1/8 of torch.nn, ≤ 1/2 of onnxruntime"
    yield Figure(what, f"{1e6 * ours:.1f} µs", _microseconds(found, ours), wanted, reached)


def _carried(layer: nn.Module, x: torch.Tensor) -> Callable[[], object]:
    state = layer(x)[1]

    def step() -> object:
        nonlocal state
        out, state = layer(x, state)
        return out

    return step


def _microseconds(found: dict[str, float], ours: float | None = None) -> str:
    parts = []
    for name, seconds in found.items():
        times = "" if ours is None else f" ({seconds / ours:.1f} ×)"
        parts.append(f"{name} {1e6 * seconds:.1f} µs{times}")
    return ", ".join(parts)


def ragged(shapes: list[Shape], effort: Effort) -> Iterator[Figure]:
    """Lengths uniform in 1..T beside the full batch, forward and backward."""
    for shape in shapes:
        layer = recurra.Recurrent("lstm", shape.I, shape.H)
        twin = nn.LSTM(shape.I, shape.H)
        generator = torch.Generator().manual_seed(2)
        lengths = torch.randint(1, shape.T + 1, (shape.B,), generator=generator)

        def ours(x: torch.Tensor, layer: nn.Module = layer, n: torch.Tensor = lengths) -> object:
            return layer(x, lengths=n)[0]

        def packed(x: torch.Tensor, twin: nn.Module = twin, n: torch.Tensor = lengths) -> object:
            out = twin(pack_padded_sequence(x, n, enforce_sorted=False))[0]
            return nn.utils.rnn.pad_packed_sequence(out, total_length=len(x))[0]

        parameters, theirs = list(layer.parameters()), list(twin.parameters())
        found = medians(
            measure(
                {
                    "full": layer_pass(layer, shape, TRAIN, native()),
                    "ragged": torch_pass(ours, parameters, shape, TRAIN, native()),
                    "torch full": layer_pass(twin, shape, TRAIN),
                    "torch packed": torch_pass(packed, theirs, shape, TRAIN),
                },
                effort,
            )
        )
        ratio, other = found["ragged"] / found["full"], found["torch packed"] / found["torch full"]
        real = float(lengths.float().mean()) / shape.T
        yield Figure(
            f"lengths uniform in 1…T over all T ({shape}; {real:.2f} of the steps are real)",
            f"{ratio:.2f} of the time",
            f"torch.nn packed {other:.2f}",
            "≤ 0.6",
            ratio <= 0.6,
        )


def memory(shapes: list[Shape]) -> Iterator[Figure]:
    """Peak memory of a training step, each in a process of its own."""
    for shape in shapes:
        say(f"memory, {shape}")
        ours, theirs = fresh("training", "ours", shape), fresh("training", "torch", shape)
        what = f"LSTM: peak memory of a training step ({shape})"
        if isinstance(ours, str) or isinstance(theirs, str):
            yield Figure(what, str(ours), str(theirs))
            continue
        a, b = ours["MB"], theirs["MB"]
        # The heap grows by pages and arenas: a tenth of a MB is noise.
        yield Figure(what, f"{a:.1f} MB", f"torch.nn {b:.1f} MB", "≤ torch.nn", a <= b + 0.1)


def long_sequences(quick: bool) -> Iterator[Figure]:
    shape = Shape(1, 300 if quick else 100_000, 64, 128)
    say(f"a long sequence, {shape}")
    found = fresh("long", "ours", shape)
    what = f"LSTM: training with checkpoint= over T = {shape.T:,}, B = 1, H = 128, above x"
    if isinstance(found, str):
        yield Figure(what, found)
    else:
        text = f"{found['MB']:.0f} MB, {found['s']:.1f} s"
        yield Figure(what, text, "", "≤ 512 MB", found["MB"] <= 512)
    shape = shape._replace(T=1000 if quick else 1_000_000)
    say(f"a long sequence, {shape}")
    found = fresh("inference", "ours", shape)
    what = f"LSTM: inference over T = {shape.T:,}, B = 1, H = 128, above x"
    if isinstance(found, str):
        yield Figure(what, found)
    else:
        size = found["in and out"]
        text = f"{found['MB']:.0f} MB, {found['s']:.1f} s"
        others, wanted = f"x and out {size:.0f} MB", "≤ 2 × (x + out)"
        yield Figure(what, text, others, wanted, found["MB"] <= 2 * size)


@contextmanager
def busy_process() -> Iterator[None]:
    """Keep one other process spinning, on the processors that this one has."""
    spinner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        yield
    finally:
        spinner.kill()
        spinner.wait()


def neighbour(shapes: list[Shape], effort: Effort) -> Iterator[Figure]:
    """How much slower a training step is beside one busy process."""
    for shape in shapes:
        say(f"a busy neighbour, {shape}")
        layer = LSTM.layer(shape)
        user = next(row for row in ROWS if row.key == "user").layer(shape)
        contestants = {
            "ours": layer_pass(layer, shape, TRAIN, native()),
            "torch.nn.LSTM": layer_pass(LSTM.twin(layer, shape), shape, TRAIN),
            LOOP: layer_pass(user, shape, TRAIN, "eager"),
        }
        alone = medians(measure(contestants, effort))
        with busy_process():
            beside = medians(measure(contestants, effort))
        slower = {name: beside[name] / alone[name] for name in contestants}
        ours = slower.pop("ours")
        # A thread that shares its processor with one other process runs at half its speed.
        yield Figure(
            f"LSTM: slow-down beside one busy process ({shape})",
            f"{ours:.2f} ×",
            ", ".join(f"{name} {ratio:.2f} ×" for name, ratio in slower.items()),
            "≤ about 2 ×",
            ours <= 2.1,
        )
