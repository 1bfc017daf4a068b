"""Every task's score beside its baseline: `make bench-tasks`.

    python benchmarks/tasks [--quick] [NAME ...]

Prints a table in Markdown, a row a model, and under it what is to be said of each. `--quick` is a
smoke test: its figures mean nothing.
"""

import argparse
import importlib
import platform
import sys
from typing import Any

import torch

import recurra

NAMES = (
    "sentiment",
    "tagging",
    "blanks",
    "dates",
    "terms",
    "captions",
    "series",
    "volatility",
    "stocks",
)
LOWER_IS_BETTER = ("loss", "QLIKE", "MAE", "MASE", "CRPS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*NAMES, []], help="which; all if none is given"
    )
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in options.names or NAMES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        found = importlib.import_module(name).run(options.quick)
        rows += found if isinstance(found, list) else [found]
    cores = torch.get_num_threads()
    print(f"Recurra {recurra.__version__}, torch {torch.__version__}, {platform.machine()}, "
          f"{cores} thread{'s'[: cores > 1]}. Seconds are those of training.\n")  # fmt: skip
    print("| task | measure | score | baseline | | seconds | parameters |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['task']} | {row['score_name']} | {row['score']:.3f} "
            f"| {row['baseline']:.3f} ({row['baseline_name']}) | {verdict(row)} "
            f"| {row['seconds']:.0f} | {row['parameters']:,} |"
        )
    print()
    for row in rows:
        print(f"- **{row['task']}**: {row['data']}. {row['notes']}".rstrip())


def verdict(row: dict[str, Any]) -> str:
    """Return which is better, to the figures shown."""
    gap = round(row["score"], 3) - round(row["baseline"], 3)
    if any(word in row["score_name"] for word in LOWER_IS_BETTER):
        gap = -gap
    if not gap or not row.get("clear", True):
        return "neither, clearly"
    return "better" if gap > 0 else "**the baseline is better**"


if __name__ == "__main__":
    main()
