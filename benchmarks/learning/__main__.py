"""What the cells learn, with and without remedies for their gradients: `make bench-learning`.

    python benchmarks/learning [--quick] [--problems adding] [--lengths 50,100] [--cells gru]

Two problems that ask for a memory of T steps. Every cell learns both at every T as it is, and with
each remedy at some of them, from the same seed and batches. An entry of the table is the step at
which the validation loss was first below the problem's bound.
"""

import argparse
import platform
import sys
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

import torch
from problems import PROBLEMS

import recurra
from training import CELLS, CHECK, HELD_OUT, NONE, RATE, REMEDIES, B, H, Job, learn

LENGTHS, REMEDIES_AT, STEPS, SEED = "50,100,200,400", "50", 1000, 0


def jobs(given: argparse.Namespace) -> list[Job]:
    """Return the entries to fill, the short sequences first."""
    return [
        Job(problem, cell, remedy, T, given.steps, given.seed)
        for T in given.lengths
        for problem in given.problems
        for cell in given.cells
        for remedy, what in REMEDIES.items()
        if remedy == NONE or (T in given.remedies_at and what.only in (None, cell))
    ]


def render(found: dict[Job, str], given: argparse.Namespace) -> list[str]:
    """Return a table for each problem: a line for each cell and remedy, a column for each T."""
    lines = [
        f"Adam, learning rate {RATE:g}, B = {B}, H = {H}, one layer and a linear head, float32, "
        f"seed {given.seed}, new batches at every step and the same ones for all cells; at most "
        f"{given.steps:,} steps, validated on {HELD_OUT} rows every {CHECK}. In brackets: the best "
        "validation loss as a share of the naive one: about 1.00 is nothing remembered (chance in "
        "the rows makes ± 0.07 in the adding problem). Diverged: the loss was NaN or infinite."
    ]
    for key in given.problems:
        problem = PROBLEMS[key]
        lines += ["", f"## {problem.title}", "", problem.told, ""]
        lines.append("| cell | remedy | " + " | ".join(f"T = {T}" for T in given.lengths) + " |")
        lines.append("|---|---|" + "---|" * len(given.lengths))
        rows = {(job.cell, job.remedy) for job in found if job.problem == key}
        for row in ((cell, remedy) for cell in given.cells for remedy in REMEDIES):
            if row in rows:
                each = [Job(key, *row, T, given.steps, given.seed) for T in given.lengths]
                entries = [found.get(job, "") for job in each]
                lines.append(f"| {' | '.join([*row, *entries])} |")
    return lines


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, known in (("problems", PROBLEMS), ("cells", CELLS)):
        parser.add_argument(f"--{name}", default=",".join(known), help=f"of {', '.join(known)}")
    parser.add_argument("--lengths", default=LENGTHS, help="the T, as 50,100")
    parser.add_argument("--remedies-at", default=REMEDIES_AT, help="the T they are tried at")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each entry, at most")
    parser.add_argument("--seed", type=int, default=SEED, help="of weights and batches")
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--quick", action="store_true", help="tiny, to see that all of it runs")
    parser.add_argument("--output", type=Path, help="where to write what is printed")
    given = parser.parse_args(argv)
    for name, known in (("problems", PROBLEMS), ("cells", CELLS)):
        chosen = getattr(given, name).split(",")
        if unknown := set(chosen) - set(known):
            parser.error(f"--{name}: no such one: {', '.join(sorted(unknown))}")
        setattr(given, name, chosen)
    if given.quick:
        given.lengths, given.remedies_at, given.steps = "10,20", "20", 20
    for name in ("lengths", "remedies_at"):
        setattr(given, name, [int(T) for T in getattr(given, name).split(",") if T])
    return given


def main() -> None:
    given = arguments()
    todo, found, began = jobs(given), {}, time.perf_counter()
    with get_context("spawn").Pool(given.workers) as pool:
        for job, what, seconds in pool.imap_unordered(learn, todo):
            found[job] = what
            name = f"{job.problem}, {job.cell}, {job.remedy}, T = {job.T}"
            done = f"[{len(found)}/{len(todo)}]"
            print(f"{done} {name}: {what}, {seconds:.0f} s", file=sys.stderr, flush=True)
    took = (time.perf_counter() - began) / 60
    lines = [
        "# What the cells learn",
        "",
        f"Printed by `make bench-learning` in {took:.0f} minutes; processes of one thread: "
        f"{given.workers}.",
        f"Recurra {recurra.__version__}, torch {torch.__version__}, Python "
        f"{platform.python_version()}, {platform.machine()}.",
        "",
        *render(found, given),
    ]
    print("\n".join(lines))
    if given.output:
        given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
