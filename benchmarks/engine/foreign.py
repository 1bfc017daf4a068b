"""Cells that Recurra has never heard of, each beside its own loop: `make bench-foreign`.

    python benchmarks/engine/foreign.py [--quick] [--shared] [--cells delta] [--output FILE]

Every cell is written from its equations in plain torch (`foreign_cells/`) and handed to
`Recurrent`, which chooses what runs it. Its results are compared with the loop's, then both take
turns. A number is the loop's time over ours: below 1 the loop would have been the better choice.
With --shared one thread's processor time is measured, which other work on the machine hardly
changes.
"""

import argparse
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

import machine
import recurra
import timing
from foreign_cells import CELLS
from rows import INFER, TRAIN, Pass, Shape
from timing import Effort, measure, medians, say

SHAPES = [Shape(1, 50, 32, 32), Shape(32, 50, 32, 64), Shape(64, 50, 64, 128)]
QUICK = [Shape(1, 4, 8, 8), Shape(3, 4, 8, 8), Shape(5, 3, 8, 16)]
PASSES = (INFER, TRAIN)
NAMES = {INFER: "forward", TRAIN: "forward + backward"}
EFFORT = Effort(turns=5, least=2, turn=0.01, limit=2.0)
OURS, LOOP = "ours", "loop"
TITLE = "## Cells that were never written for it"


@dataclass
class Found:
    """A cell's figures: what runs it at each shape and pass, and the loop's time over ours."""

    family: str
    backends: dict[tuple[Shape, str], str] = field(default_factory=dict)
    ratios: dict[tuple[Shape, str], float] = field(default_factory=dict)
    failed: str = ""


def measured(name: str, given: argparse.Namespace) -> Found:
    """Measure one cell at every shape. A failure is printed and does not stop the others."""
    family, kind = CELLS[name]
    found = Found(family)
    for shape in given.shapes:
        torch.manual_seed(0)
        layer = recurra.Recurrent(kind(shape.I, shape.H), shape.I, shape.H)
        for which in PASSES:
            try:
                passes = {
                    OURS: one_pass(layer, shape, which, "auto"),
                    LOOP: one_pass(layer, shape, which, "eager"),
                }
                compare(passes[OURS](), passes[LOOP]())
                took = medians(measure(passes, given.effort, given.clock))
            except Exception as error:
                found.failed = f"{shape}, {which}: {error}".splitlines()[0].replace("|", "/")
                say(f"  {name} failed at {found.failed}")
                return found
            found.backends[shape, which] = recurra.explain(layer).cells[0].backend
            found.ratios[shape, which] = took[LOOP] / took[OURS]
            ms, ratio = 1e3 * took[OURS], found.ratios[shape, which]
            where = f"{name}, {shape}, {NAMES[which]}"
            say(f"  {where}: {found.backends[shape, which]}, {ms:.2f} ms, the loop {ratio:.2f} ×")
    return found


def one_pass(layer: recurra.Recurrent, shape: Shape, which: str, backend: str) -> Pass:
    """Return one pass on a backend: the output, and the gradient of x if it goes backward."""
    parameters = list(layer.parameters())
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(shape.T, shape.B, shape.I, generator=generator, requires_grad=which == TRAIN)
    upstream = torch.randn(shape.T, shape.B, layer.output_size, generator=generator)

    def infer() -> list[Tensor]:
        with torch.inference_mode(), recurra.use_backend(backend):
            return [layer(x)[0]]

    def train() -> list[Tensor]:
        with recurra.use_backend(backend):
            out = layer(x)[0]
            gradients = torch.autograd.grad(out, [x, *parameters], upstream, allow_unused=True)
            return [out.detach(), *(d for d in gradients if d is not None)]

    return train if which == TRAIN else infer


def compare(ours: object, theirs: object) -> None:
    """Raise `ValueError` where results differ by more than float32's rounding."""
    for a, b in zip(ours, theirs, strict=True):  # type: ignore[call-overload]
        far = float((a - b).abs().max() / b.abs().max().clamp_min(1.0))
        if not far < 1e-3:
            raise ValueError(f"results differ from the loop's by {far:.1g}")


def table(found: dict[str, Found], shapes: list[Shape]) -> list[str]:
    """Return the table's lines, the slowest beside its loop first."""
    columns = [(shape, which) for which in PASSES for shape in shapes]
    heads = [f"{NAMES[which]}, {shape}" for shape, which in columns]
    lines = [
        f"| cell | kind | runs | {' | '.join(heads)} |",
        "|---|---|---|" + "---|" * len(heads),
    ]
    for name, each in sorted(
        found.items(), key=lambda item: min(item[1].ratios.values(), default=0)
    ):
        runs = ", ".join(dict.fromkeys(each.backends.values())) or each.failed
        cells = [f"{each.ratios[c]:.2f} ×" if c in each.ratios else "" for c in columns]
        lines.append(f"| {name} | {each.family} | {runs} | {' | '.join(cells)} |")
    return lines


def summary(found: dict[str, Found]) -> str:
    """Return in one sentence how many figures lie below 1."""
    ratios = [r for each in found.values() for r in each.ratios.values()]
    if not ratios:
        return "Nothing was measured."
    below = sum(ratio < 1 for ratio in ratios)
    return (
        f"{len(found)} cells, {len(ratios)} figures: {below} below 1, "
        f"the lowest {min(ratios):.2f}, the median {statistics.median(ratios):.1f}."
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", help="only those whose name has one of these words: lstm,delta")
    parser.add_argument("--shapes", help="which of the shapes, 0 to 2: 0,2")
    parser.add_argument("--quick", action="store_true", help="tiny, to see that all of it runs")
    parser.add_argument("--shared", action="store_true", help="one thread, its processor time")
    parser.add_argument("--output", type=Path, help="a page whose section is written anew")
    given = parser.parse_args()
    words = [word.strip().lower() for word in (given.cells or "").split(",")]
    given.names = [name for name in CELLS if any(word in name.lower() for word in words)]
    if not given.names:
        parser.error(f"no such cell: {given.cells}; there are {', '.join(CELLS)}")
    given.clock = time.process_time if given.shared else time.perf_counter
    given.effort = timing.QUICK if given.quick else EFFORT
    shapes = QUICK if given.quick else SHAPES
    given.shapes = [shapes[int(k)] for k in given.shapes.split(",")] if given.shapes else shapes
    return given


def parts_of(page: str) -> tuple[str, str, str]:
    """Return what a page has before this table's section, the section, and what is after it."""
    before, title, after = page.partition(f"{TITLE}\n")
    own, heading, rest = after.partition("\n## ")
    return before.strip(), (title + own).strip(), (heading + rest).strip()


def write(output: Path, lines: list[str]) -> None:
    """Put the section in the page: in place of the old one, or at its end."""
    before, _, after = parts_of(output.read_text(encoding="utf-8") if output.exists() else "")
    parts = [before, "\n".join(lines), after]
    output.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    say(f"written to {output}")


def main() -> None:
    given = arguments()
    timing.limit_threads()
    if given.shared:
        torch.set_num_threads(1)
    found = {}
    for k, name in enumerate(given.names):
        say(f"{name} ({k + 1} of {len(given.names)})")
        found[name] = measured(name, given)
    lines = [TITLE, "", "Printed by `make bench-foreign`.", *machine.describe()]
    if given.shared:
        lines.append("The machine had other work: one thread, its processor time was measured.")
    lines += ["", "Shapes are B, T, I, H; a number is the loop's time over Recurra's."]
    lines += [summary(found), "", *table(found, given.shapes)]
    print("\n".join(lines))
    if given.output:
        write(given.output, lines)


if __name__ == "__main__":
    main()
