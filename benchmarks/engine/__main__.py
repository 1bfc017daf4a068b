"""The engine's figures: `make bench`, with more to compare `make bench-peers`.

    python benchmarks/engine [--peers] [--quick] [--rows lstm,user] [--shapes 0,3] [--output FILE]

Every cell at every shape beside torch.nn's layer of the same weights, or beside the loop of its
own equations in torch, forward and backward and inference. The contestants of one figure take
turns in one run, after their results were compared; a number is a ratio of medians.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from torch import nn

import extras
import foreign
import machine
import timing
from rows import (
    COMPILED,
    COMPILED_STEP,
    INFER,
    JAX,
    LOOP,
    NN,
    ONNX,
    PASSES,
    QUICK,
    ROWS,
    SHAPES,
    TRAIN,
    Pass,
    Row,
    Shape,
    flops,
    layer_pass,
    native,
)
from table import Measured, Results, render, render_figures
from timing import Effort, measure, medians, say

OURS = "Recurra"
EXTRAS = ("first", "stream", "ragged", "memory", "long", "neighbour")
RESULTS = Path(__file__).parents[1] / "results" / "engine.md"


def contestants(
    row: Row, layer: nn.Module, shape: Shape, which: str, peers: bool
) -> Iterator[tuple[str, Callable[[], Pass]]]:
    """Yield the names of those who run in this process, and what prepares them."""
    yield OURS, lambda: layer_pass(layer, shape, which, native())
    if row.torchs is None:
        yield LOOP, lambda: layer_pass(layer, shape, which, "eager")
    else:
        yield NN, lambda: layer_pass(row.twin(layer, shape), shape, which)
    if peers:
        from jax_peer import jax_pass

        yield JAX, lambda: jax_pass(row, layer, shape, which)
        if row.torchs is not None and which == INFER:
            from onnx_peer import onnx_pass

            yield ONNX, lambda: onnx_pass(row, layer, shape)


def difference(ours: Pass, theirs: Pass) -> float:
    """Return by how much two passes' results differ at most, over the largest of them."""
    most = 0.0
    for a, b in zip(map(np.asarray, ours()), map(np.asarray, theirs()), strict=True):
        most = max(most, float(np.abs(a - b).max() / max(1.0, np.abs(b).max())))
    return most


def measured(row: Row, shape: Shape, which: str, given: argparse.Namespace) -> Measured:
    """Measure one cell at one shape in one pass beside all the others."""
    layer, found, ready = row.layer(shape), Measured(), {}
    for name, prepare in contestants(row, layer, shape, which, given.peers):
        try:
            ready[name] = prepare()
            ready[name]()
            far = difference(ready[OURS], ready[name]) if OURS in ready else 0.0
            if far > 1e-3:
                raise ValueError(f"its results differ from ours by {far:.1g}")
        except Exception as error:  # a figure less, not a run less
            ready.pop(name, None)
            reason = f"failed: {error}".splitlines()[0].replace("|", "/")
            say(f"  {row.title}, {shape}, {which}: {name} {reason}")
            if name == OURS:
                found.ours = reason
            else:
                found.ratios[name] = reason
    times = measure(ready, given.effort)
    seconds = medians(times)
    if OURS in seconds:
        found.ours = seconds.pop(OURS)
        found.spread = timing.spread(times[OURS])
        found.rate = flops(layer, shape, which) / found.ours
        found.ratios |= {name: took / found.ours for name, took in seconds.items()}
    if given.peers and row.torchs is None and which == TRAIN and given.compile_limit:
        add_compiled(found, row, shape, given)
    return found


def add_compiled(found: Measured, row: Row, shape: Shape, given: argparse.Namespace) -> None:
    import compiled

    for name, what in ((COMPILED, "whole"), (COMPILED_STEP, "step")):
        say(f"  {name} ...")
        result = compiled.beside_ours(row, shape, what, given.compile_limit, given.quick)
        if isinstance(result, str):
            found.ratios[name] = result
            continue
        both = medians({key: result[key] for key in (compiled.OURS, compiled.THEIRS)})
        found.ratios[name] = both[compiled.THEIRS] / both[compiled.OURS]
        found.compile_seconds[name] = result["first"]


def figures(given: argparse.Namespace) -> Iterator[extras.Figure]:
    middle = given.shapes if given.quick else [SHAPES[1], SHAPES[2]]
    keys = [row.key for row in given.rows]
    every: dict[str, Callable[[], Iterator[extras.Figure]]] = {
        "first": lambda: extras.first_call(keys, given.quick),
        "stream": lambda: extras.stream(given.effort, given.peers),
        "ragged": lambda: extras.ragged(middle, given.effort),
        "memory": lambda: extras.memory(given.shapes),
        "long": lambda: extras.long_sequences(given.quick),
        "neighbour": lambda: extras.neighbour(middle, given.effort),
    }
    for name in given.extras:
        say(name)
        try:
            yield from every[name]()
        except Exception as error:
            yield extras.Figure(name, f"failed: {error}".splitlines()[0])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    keys = [row.key for row in ROWS]
    parser.add_argument("--rows", default=",".join(keys), help=f"of {', '.join(keys)}")
    parser.add_argument("--shapes", help="which of the shapes, 0 to 5: 0,3")
    parser.add_argument("--extras", default=",".join(EXTRAS), help="figures beside the table")
    parser.add_argument("--peers", action="store_true", help="JAX, onnxruntime, torch.compile too")
    parser.add_argument(
        "--compile-limit", type=float, help="seconds; 0 for no torch.compile; 300, or 0 if --quick"
    )
    parser.add_argument("--quick", action="store_true", help="tiny, to see that all of it runs")
    parser.add_argument("--output", type=Path, help="where to write what is printed")
    given = parser.parse_args()
    given.whole = not (given.quick or given.shapes) and given.rows == ",".join(keys)
    named = given.rows.split(",")
    if unknown := set(named) - set(keys):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    given.rows = [row for row in ROWS if row.key in named]
    given.extras = [name for name in given.extras.split(",") if name]
    if unknown := set(given.extras) - set(EXTRAS):
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    given.whole = given.whole and len(given.extras) == len(EXTRAS)
    shapes = QUICK if given.quick else SHAPES
    if given.shapes:
        shapes = [shapes[int(k)] for k in given.shapes.split(",")]
    given.shapes = shapes
    if given.compile_limit is None:
        given.compile_limit = 0 if given.quick else 300
    given.effort = timing.QUICK if given.quick else Effort()
    return given


def main() -> None:
    given = arguments()
    timing.limit_threads()
    peaks: list[float] = []
    results: Results = {}
    for row in given.rows:
        for which in PASSES:
            peaks += machine.peak()
            for shape in given.shapes:
                say(f"{row.title}, {which}, {shape}")
                found = measured(row, shape, which, given)
                results.setdefault((row.key, which), {})[shape] = found
    beside = list(figures(given))
    text = "\n".join(report(given, results, beside, peaks))
    print(text)
    output = given.output or (RESULTS if given.whole else None)
    if output:
        old = output.read_text(encoding="utf-8") if output.exists() else ""
        kept = foreign.parts_of(old)[1]  # `make bench-foreign` writes that part
        text = "\n\n".join(part for part in (text, kept) if part)
        output.write_text(text + "\n", encoding="utf-8")
        say(f"written to {output}")


def report(
    given: argparse.Namespace,
    results: Results,
    beside: list[extras.Figure],
    peaks: list[float],
) -> list[str]:
    spreads = [m.spread for each in results.values() for m in each.values() if m.spread == m.spread]
    lines = ["# The engine's figures", ""]
    lines += [f"Printed by `make bench{'-peers' if given.peers else ''}`.", *machine.describe()]
    if peaks:
        lines.append(
            f"The peak of fused multiply-adds, by the core's own loop, the best of {len(peaks)} "
            f"measurements between the others: {max(peaks) / 1e9:.0f} GFLOP/s."
        )
    if spreads:
        lines.append(
            f"Our times' quartiles lay {sorted(spreads)[len(spreads) // 2]:.1%} of the median "
            f"apart (median of all figures), {max(spreads):.1%} at most."
        )
    lines += ["", "Shapes are B, T, I, H. “took 2 ×” is twice our time, from the same run.", ""]
    lines += render(given.rows, given.shapes, results, max(peaks, default=None))
    if beside:
        lines += ["", *render_figures(beside)]
    return lines


if __name__ == "__main__":
    main()
